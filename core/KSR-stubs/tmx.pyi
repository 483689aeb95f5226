# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module tmx."""

from typing import Any

def t_cancel_branches(which: str, /) -> int:
    """Cancel 'all' branches, the 'others' or 'this' one."""

def t_cancel_callid(callid: str, cseq: str, flag: int, /) -> int:
    """Cancel the INVITE of that Call-ID and CSeq number; a flag above 0 is set for it."""

def t_cancel_callid_reason(callid: str, cseq: str, flag: int, code: int, /) -> int:
    """``t_cancel_callid`` with that cause in a Reason field."""

def t_continue(tindex: int, tlabel: int, name: str, /) -> int:
    """Go on with a suspended transaction in that callback."""

def t_drop() -> int:
    """Let the transaction go without a reply."""

def t_drop_rcode(code: int, /) -> int:
    """``t_drop``, its final code being this one."""

def t_flush_flags() -> int:
    """The transaction's flags become those of the message."""

def t_flush_xflags() -> int:
    """The transaction's extended flags become those of the message."""

def t_is_branch_route() -> int:
    """1 in a branch route."""

def t_is_failure_route() -> int:
    """1 in a failure route."""

def t_is_reply_route() -> int:
    """1 in a reply route, the core's or a transaction's."""

def t_is_request_route() -> int:
    """1 in a request route."""

def t_precheck_trans() -> int:
    """1 when the callback of this very request is running already for an earlier copy of it; -2 for ACK, CANCEL."""

def t_reply_callid(callid: str, cseq: str, code: int, reason: str, /) -> int:
    """Reply to the INVITE of that Call-ID and CSeq number."""

def t_reuse_branch() -> int:
    """In a branch failure route: the request takes the failed branch's destination, to be relayed again."""

def t_suspend() -> int:
    """Keep the transaction until t_continue(): ``$T(id_index)`` and ``$T(id_label)`` name it."""

def t_uac_ack_local(text1: str, text2: str, text3: str, text4: str, /) -> int:
    """Send the ACK of a request of ours, found by Call-ID and CSeq, with headers and a body."""
