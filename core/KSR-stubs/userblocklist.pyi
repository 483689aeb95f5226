# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module userblocklist."""

from typing import Any

def check_allowlist(stable: str, /) -> int:
    """1 when the longest prefix of the Request-URI's user is one that is allowed, else -1."""

def check_blocklist(stable: str, /) -> int:
    """-1 when the longest prefix of the Request-URI's user is one nobody may call, else 1."""

def check_global_blocklist() -> int:
    """``check_blocklist`` for the table of the parameter globalblocklist_table."""

def check_user_allowlist(suser: str, sdomain: str, /) -> int:
    """1 when the longest prefix of the Request-URI's user is one the user may call, else -1."""

def check_user_allowlist_number(suser: str, sdomain: str, snumber: str, /) -> int:
    """``check_user_allowlist`` for a number."""

def check_user_allowlist_table(suser: str, sdomain: str, snumber: str, stable: str, /) -> int:
    """``check_user_allowlist`` for a number, by another table."""

def check_user_blocklist(suser: str, sdomain: str, /) -> int:
    """-1 when the longest prefix of the Request-URI's user is one the user may not call, else 1."""

def check_user_blocklist_number(suser: str, sdomain: str, snumber: str, /) -> int:
    """``check_user_blocklist`` for a number."""

def check_user_blocklist_table(suser: str, sdomain: str, snumber: str, stable: str, /) -> int:
    """``check_user_blocklist`` for a number, by another table."""
