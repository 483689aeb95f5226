# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module log_systemd."""

from typing import Any

def sd_journal_print(slev: str, stxt: str, /) -> int:
    """Write a text to the journal at a level ``L_DBG L_INFO L_NOTICE L_WARN L_ERR L_CRIT L_ALERT``: 1, or -1."""

def sd_journal_send_xvap(sxname: str, /) -> int:
    """Write the fields of an XAVP (PRIORITY, MESSAGE ..., names in capitals) to the journal: 1, or -1."""
