# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module tm."""

from typing import Any

def ki_t_load_contacts_mode(mode: int, /) -> int:
    """``t_load_contacts``; mode 0: higher q first, equal ones together; 1: one by one, weighted by q."""

def t_any_replied() -> int:
    """1 when some branch got a reply before the one in hand."""

def t_any_timeout() -> int:
    """1 when some branch got no final reply in time."""

def t_branch_replied() -> int:
    """In a failure route: 1 when its branch got a reply before the one in hand."""

def t_branch_timeout() -> int:
    """In a failure route: 1 when its branch got no final reply in time."""

def t_check_status(expression: str, /) -> int:
    """1 when the code that the route is about matches a regular expression."""

def t_check_trans() -> int:
    """For a CANCEL and an ACK: 1 when their INVITE is known. For others: 0 a retransmission, answered; -1 new."""

def t_clean() -> int:
    """Free transactions that are active far beyond their lifetime."""

def t_drop_replies(mode: str, /) -> int:
    """In a failure route: forget replies. 'a' all, 'l' those of the last step, 'n' none."""

def t_drop_replies_all() -> int:
    """``t_drop_replies`` of all."""

def t_exists() -> int:
    """1 when the message has a transaction already, else -1 (Kamailio 6.0 and later)."""

def t_get_branch_index() -> int:
    """The index of the branch in hand, -1 when there is none."""

def t_get_status_code() -> int:
    """The code that the route is about, -1 when there is none."""

def t_grep_status(code: int, /) -> int:
    """1 when some branch has this final code."""

def t_is_canceled() -> int:
    """1 when the caller has cancelled the transaction."""

def t_is_expired() -> int:
    """1 when the transaction has reached its max lifetime."""

def t_is_retr_async_reply() -> int:
    """1 when the transaction is suspended in a reply."""

def t_is_set(target: str, /) -> int:
    """1 when 'branch_route', 'failure_route' or 'onreply_route' was set with t_on_...()."""

def t_load_contacts() -> int:
    """Take the destination set into contacts_avp, in the order of q; t_next_contacts() brings it back in steps."""

def t_lookup_cancel() -> int:
    """1 when the INVITE of this CANCEL is known."""

def t_lookup_cancel_flags(flag: int, /) -> int:
    """``t_lookup_cancel``; flag 1: the message takes over the INVITE's flags."""

def t_lookup_request() -> int:
    """1 when the request's transaction exists."""

def t_newtran() -> int:
    """Create the transaction. 1 done, 0 the request is a retransmission (answered), negative: it exists already."""

def t_next_contact_flow() -> int:
    """After a branch failed: the next flow of its instance becomes the destination. 1 done, -2 none, -1 error."""

def t_next_contacts() -> int:
    """Make the next contacts of contacts_avp the destination set. 1 done, -2 there is none, -1 error."""

def t_on_branch(name: str, /) -> int:
    """Run this callback for each branch before it is sent."""

def t_on_branch_failure(name: str, /) -> int:
    """Run this callback for each negative reply; Kamailio's name for it is event_route[tm:branch-failure:NAME]."""

def t_on_failure(name: str, /) -> int:
    """Run this callback when all branches have failed, before the best reply is sent."""

def t_on_reply(name: str, /) -> int:
    """Run this callback for each reply; from a branch route: for each reply of that branch."""

def t_relay() -> int:
    """Relay the request to its destination set, keeping a transaction. 1, or negative when it could not be."""

def t_relay_to_flags(flags: int, /) -> int:
    """Relay like ``t_relay``; flags is a sum of 1: no 100, 2: no reply when it fails, 4: no failover."""

def t_relay_to_proto(proto: str, /) -> int:
    """``t_relay`` over a transport: udp, tcp, tls, ws."""

def t_relay_to_proto_addr(proto: str, host: str, port: int, /) -> int:
    """``t_relay`` over a transport to a host and port."""

def t_relay_to_proxy(proxy: str, /) -> int:
    """``t_relay`` to ``proto:host:port`` instead of the URI's host."""

def t_relay_to_proxy_flags(proxy: str, flags: int, /) -> int:
    """``t_relay_to_proxy`` with the flags of ``t_relay_to_flags``."""

def t_release() -> int:
    """Let the transaction go: it absorbs late messages for wt_timer and is freed."""

def t_replicate(uri: str, /) -> int:
    """Relay a copy of the request to a URI ('' its own destination); its replies go nowhere."""

def t_reply(code: int, reason: str, /) -> int:
    """Reply with the transaction, which must exist."""

def t_reply_error() -> int:
    """``t_reply`` with 500 (Kamailio 6.0 and later)."""

def t_reset_fr() -> int:
    """Timeouts of this transaction as the module has them."""

def t_reset_max_lifetime() -> int:
    """How long the transaction may be active, as the module has it."""

def t_reset_retr() -> int:
    """Retransmission intervals as the module has them."""

def t_retransmit_reply() -> int:
    """Send the last reply again."""

def t_save_lumps() -> int:
    """Keep the edits made so far for the failure route; those made later are for this relaying only."""

def t_send_reply(code: int, reason: str, /) -> int:
    """Create the transaction when there is none, and reply with it."""

def t_set_auto_inv_100(on: int, /) -> int:
    """Whether this INVITE is answered with 100 when it is relayed."""

def t_set_disable_6xx(on: int, /) -> int:
    """1: treat 6xx replies of this transaction as other negative ones."""

def t_set_disable_failover(on: int, /) -> int:
    """1: do not try further addresses of a host name."""

def t_set_disable_internal_reply(on: int, /) -> int:
    """1: send no reply of our own when relaying fails."""

def t_set_fr(fr_inv: int, fr: int, /) -> int:
    """Timeouts of this transaction in milliseconds, 0 leaves one alone; running branches begin anew."""

def t_set_fr_inv(fr_inv: int, /) -> int:
    """``t_set_fr`` for fr_inv_timer alone."""

def t_set_max_lifetime(inv: int, noninv: int, /) -> int:
    """How long the transaction may be active, in milliseconds for INVITE and others; 0 leaves one alone."""

def t_set_no_auto_ack(code1: int, /) -> int:
    """Whether 2xx replies to our own INVITE are left without an ACK of ours."""

def t_set_no_e2e_cancel_reason(on: int, /) -> int:
    """1: Reason fields of a CANCEL are not passed on."""

def t_set_retr(t1: int, t2: int, /) -> int:
    """Retransmission intervals of this transaction in milliseconds; 0 leaves one alone."""

def t_uac_send(method: str, ruri: str, nexthop: str, socket: str, headers: str, body: str, /) -> int:
    """Send a request of our own; nexthop and socket may be ''. The headers need From and To, each ended by CRLF."""

def t_use_uac_headers() -> int:
    """ACK and CANCEL take their fields from the request that was sent; here they always do."""
