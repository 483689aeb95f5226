# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module rtpproxy."""

from typing import Any

def rtpproxy_answer(flags: str, /) -> int:
    """Rewrite an answer in a reply or an ACK: return values as of ``rtpproxy_offer``."""

def rtpproxy_answer0() -> int:
    """``rtpproxy_answer`` without flags."""

def rtpproxy_answer_ip(flags: str, ip: str, /) -> int:
    """``rtpproxy_answer`` with ``ip`` as the address in the SDP."""

def rtpproxy_destroy(flags: str, /) -> int:
    """End the call's media session; flag t: all of the Call-ID. 1, -1 when no RTPproxy could be told."""

def rtpproxy_destroy0() -> int:
    """``rtpproxy_destroy`` without flags."""

def rtpproxy_manage(flags: str, /) -> int:
    """Offer, answer or destroy, as method, reply code, SDP and route suggest: return values as of these."""

def rtpproxy_manage0() -> int:
    """``rtpproxy_manage`` without flags."""

def rtpproxy_manage_ip(flags: str, ip: str, /) -> int:
    """``rtpproxy_manage`` with ``ip`` as the address in the SDP."""

def rtpproxy_offer(flags: str, /) -> int:
    """Rewrite an offer: 1; -1 error, -2 done already by another proxy, -3 no RTPproxy available."""

def rtpproxy_offer0() -> int:
    """``rtpproxy_offer`` without flags."""

def rtpproxy_offer_ip(flags: str, ip: str, /) -> int:
    """``rtpproxy_offer`` with ``ip`` as the address in the SDP."""

def rtpproxy_stop_stream2uac() -> int:
    """Stop what is played to the caller's side: 1, -1."""

def rtpproxy_stop_stream2uas() -> int:
    """Stop what is played to the callee's side: 1, -1."""

def rtpproxy_stream2uac(prompt: str, count: int, /) -> int:
    """Play a prepared prompt to the caller's side ``count`` times, -1 for ever: 1, -1."""

def rtpproxy_stream2uas(prompt: str, count: int, /) -> int:
    """Play a prepared prompt to the callee's side ``count`` times, -1 for ever: 1, -1."""

def set_rtpproxy_set(setid: int, /) -> int:
    """Use this set of RTPproxies for the message: 1, -1 when there is none."""

def start_recording() -> int:
    """Record the call on the RTPproxy: 1, -1."""
