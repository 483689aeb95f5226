# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module uri_db."""

from typing import Any

def check_from() -> int:
    """1 when the user in From is the one who authenticated, or (use_uri_table) may be used by that one."""

def check_to() -> int:
    """1 when the user in To is the one who authenticated, or (use_uri_table) may be used by that one."""

def check_uri(suri: str, /) -> int:
    """1 when the user of a URI is the one who authenticated, or (use_uri_table) may be used by that one."""

def check_uri_realm(suri: str, susername: str, srealm: str, /) -> int:
    """``check_uri`` for this user of this realm in place of the one who authenticated (one is '': that one).

    -4 without a user in the URI, -2 without credentials that were verified, -9 and -10 not allowed, -1 no URI.
    """

def does_uri_exist() -> int:
    """1 when the database has the Request-URI's user, -5 when not, -1 for an error."""
