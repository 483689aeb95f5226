# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module pv_headers."""

from typing import Any

def pvh_append_header(text1: str, text2: str, /) -> int:
    """Append a header to those kept in the XAVP."""

def pvh_apply_headers() -> int:
    """Put the headers kept in the XAVP into the message, as it leaves."""

def pvh_check_header(text1: str, /) -> int:
    """Whether the XAVP has a header of this name."""

def pvh_collect_headers() -> int:
    """Read all headers of the message into the XAVP."""

def pvh_header_param_exists(text1: str, text2: str, /) -> int:
    """Whether a header in the XAVP has this parameter."""

def pvh_modify_header(text1: str, text2: str, code3: int, /) -> int:
    """Change a header in the XAVP, by its index where several have the name."""

def pvh_remove_header(text1: str, code2: int, /) -> int:
    """Remove a header from the XAVP, by its index where several have the name."""

def pvh_remove_header_param(text1: str, text2: str, /) -> int:
    """Remove a parameter of a header in the XAVP."""

def pvh_reset_headers() -> int:
    """Read the message's headers into the XAVP anew."""
