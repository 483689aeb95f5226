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

def sip_trace_msg(vmsg: str, saddr: str, taddr: str, daddr: str, corrid: str, /) -> int:
    """Send a text as HEP to the URI daddr, as if it went from saddr to taddr (proto:ip:port): 1, or -1.

    ``corrid``: a correlation id, '' for none. Kamailio 5.8 and later.
    """
