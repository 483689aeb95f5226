# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module siptrace."""

from typing import Any

def hlog(message: str, /) -> int:
    """Send a line of a log to duplicate_uri as HEP 3, with this message's Call-ID: 1, -1."""

def hlog_cid(correlationid: str, message: str, /) -> int:
    """``hlog`` with a correlation id."""

def sip_trace() -> int:
    """Copy this message: 1, -1 when tracing is off or nothing can be done with the copy."""

def sip_trace_dst(duri: str, /) -> int:
    """``sip_trace`` to a SIP URI, '' for duplicate_uri."""

def sip_trace_dst_cid(duri: str, cid: str, /) -> int:
    """``sip_trace_dst`` with a correlation id for HEP 3."""

def sip_trace_dst_cid_type(duri: str, cid: str, stype: str, /) -> int:
    """``sip_trace_dst_cid`` of the message (m), its transaction (t) or dialog (d)."""

def sip_trace_mode(smode: str, /) -> int:
    """``sip_trace`` of the message (m), its transaction (t) or dialog (d)."""

def sip_trace_msg(text1: str, text2: str, text3: str, text4: str, text5: str, /) -> int:
    """Send a text as a captured message to a HEP server, with addresses and a correlation id."""
