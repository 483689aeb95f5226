# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module log_systemd."""

from typing import Any

def sd_journal_print(text1: str, text2: str, /) -> int: ...

def sd_journal_send_xvap(text1: str, /) -> int: ...
