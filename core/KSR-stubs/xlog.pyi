# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module xlog."""

from typing import Any

def xalert(lmsg: str, /) -> int:
    """Log the evaluated format at level CRITICAL, the highest there is."""

def xcrit(lmsg: str, /) -> int:
    """Log the evaluated format at level CRITICAL."""

def xdbg(lmsg: str, /) -> int:
    """Log the evaluated format at level DEBUG."""

def xerr(lmsg: str, /) -> int:
    """Log the evaluated format at level ERROR."""

def xinfo(lmsg: str, /) -> int:
    """Log the evaluated format at level INFO."""

def xlog(slevel: str, lmsg: str, /) -> int:
    """Log the evaluated format at ``L_DBG``, ``L_INFO`` ... ``L_ALERT``; anything else is an error."""

def xlog_facility(sfacility: str, slevel: str, lmsg: str, /) -> int:
    """``xlog`` to a facility of syslog, LOG_LOCAL0 ... (Kamailio 6.0 and later): -1 for what is none.

    The script's logger has no facilities: they are only checked.
    """

def xnotice(lmsg: str, /) -> int:
    """Log the evaluated format at level NOTICE."""

def xwarn(lmsg: str, /) -> int:
    """Log the evaluated format at level WARNING."""
