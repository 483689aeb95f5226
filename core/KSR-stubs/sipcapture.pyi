# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module sipcapture."""

from typing import Any

def float2int(text1: str, text2: str, /) -> int:
    """A decimal number times a whole number, as a whole number; -1 for 0."""

def report_capture(text1: str, /) -> int:
    """Keep the HEP report in the table of this name."""

def report_capture_cid(text1: str, text2: str, /) -> int:
    """Keep the HEP report in a table, under a correlation id."""

def report_capture_data(text1: str, text2: str, text3: str, /) -> int:
    """Keep a report in a table under a correlation id, with data as JSON."""

def sip_capture() -> int:
    """Keep the captured SIP message in the database."""

def sip_capture_forward(text1: str, /) -> int:
    """Send the HEP packet on to the address of a SIP URI."""

def sip_capture_mode(text1: str, text2: str, /) -> int:
    """Keep the captured SIP message in a table, by the capture mode of this name."""

def sip_capture_table(text1: str, /) -> int:
    """Keep the captured SIP message in the table of this name."""
