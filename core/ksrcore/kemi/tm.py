"""The tm module: stateful forwarding. The machinery is in ``ksrcore.tm``, here are parameters and KEMI functions."""

from __future__ import annotations

import copy
import logging
import re
from typing import TYPE_CHECKING, Any, Self

from ..net.address import PROTOS
from ..run import (
    BRANCH_FAILURE_ROUTE,
    CORE_ONREPLY_ROUTE,
    FAILURE_ROUTE,
    TM_ONREPLY_ROUTE,
    Run,
)
from ..sip.errors import SipError
from ..tm import client as clients
from ..tm import replies, uas
from ..tm.client import E_BAD_ADDRESS, relay_to
from ..tm.engine import Engine
from ..tm.errors import error_reply
from ..tm.redirect import redirect_contacts
from ..tm.transaction import (
    RELEASED,
    T_CANCELED,
    T_EXPIRED,
    T_SUSPENDED_REPLY,
    Client,
    Transaction,
)
from .declare import Param, ParamError, export
from .tm_contacts import TmContacts
from .tm_rpc import TmRpc
from .tm_settings import TmSettings
from .tm_uac import TmUac

if TYPE_CHECKING:
    from ..proxy import Proxy

__all__ = ["Tm"]

log = logging.getLogger("ksrcore.tm")

#: What t_is_set() may be asked for, and the attribute of transactions that holds it.
_ROUTES = {
    "branch_route": "on_branch",
    "failure_route": "on_failure",
    "onreply_route": "on_reply",
    "branch_failure_route": "on_branch_failure",
}


class Tm(TmSettings, TmContacts, TmUac, TmRpc):
    name = "tm"

    fr_timer = Param(30000, "milliseconds without a final reply, or without the ACK of a negative one")
    fr_inv_timer = Param(120000, "milliseconds without a final reply to an INVITE after a provisional one")
    max_inv_lifetime = Param(180000, "milliseconds that an INVITE transaction may be active")
    max_noninv_lifetime = Param(32000, "milliseconds that any other transaction may be active")
    wt_timer = Param(5000, "milliseconds that a completed transaction absorbs late messages")
    retr_timer1 = Param(500, "milliseconds to the first retransmission")
    retr_timer2 = Param(4000, "milliseconds between retransmissions at most")
    noisy_ctimer = Param(1, "0: an unforked INVITE nobody ever answered ends without a 408")
    restart_fr_on_each_reply = Param(1, "0: only a first or higher provisional reply restarts fr_inv_timer")
    auto_inv_100 = Param(1, "send a 100 to each INVITE that is relayed")
    auto_inv_100_reason = Param("trying -- your call is important to us", "its reason phrase")
    aggregate_challenges = Param(1, "the challenges of all branches go into one 401 or 407")
    reparse_invite = Param(1, "ACK and CANCEL are made from the INVITE as it was sent (always so here)")
    ac_extra_hdrs = Param("", "prefix of names of further fields that local ACK and CANCEL copy")
    cancel_b_method = Param(1, "an unanswered branch is cancelled: 0 by a faked 487, 1 once a 1xx comes, 2 at once")
    reparse_on_dns_failover = Param(1, "a request to a name's next address is the one sent before, but for Via")
    on_sl_reply = Param("", "callback for replies that belong to no transaction; 0 or drop: not forwarded")
    contacts_avp = Param("", "xavp in which t_load_contacts() keeps contacts")
    contact_flows_avp = Param("", "xavp for further contacts of one instance")
    unmatched_cancel = Param(0, "a CANCEL of an unknown INVITE: 0 relay with a transaction, 1 without, 2 drop")
    ruri_matching = Param(1, "RFC 2543 matching compares Request-URIs")
    via1_matching = Param(1, "RFC 2543 matching compares the topmost Via")
    callid_matching = Param(0, "a transaction's messages must have its Call-ID")
    pass_provisional_replies = Param(0, "tell hooks of local provisional replies too")
    default_code = Param(500, "code of t_reply() when its own cannot be used")
    default_reason = Param("Server Internal Error", "reason phrase of t_reply() when its own is empty")
    disable_6xx_block = Param(0, "treat 6xx as any other negative reply")
    local_ack_mode = Param(0, "where the ACK of a 2xx to our INVITE goes: 0 by its Contact, 1 as the INVITE, 2 back")
    failure_reply_mode = Param(3, "replies of earlier serial steps: 0 kept, 1 and 3 forgotten, 2 those of the last")
    faked_reply_prio = Param(0, "penalty of made-up replies in the choice of the best")
    local_cancel_reason = Param(1, "CANCELs that a final reply causes say so in Reason")
    e2e_cancel_reason = Param(1, "Reason fields of a received CANCEL are passed on")
    remap_503_500 = Param(1, "a 503 becomes a 500")
    failure_exec_mode = Param(0, "1: when no branch can be sent, the failure route runs and relaying reports success")
    relay_100 = Param(0, "pass 100 replies on")
    rich_redirect = Param(0, "Contacts of 3xx replies carry 1: branch flags, 2: paths (a sum)")
    event_callback = Param("", "callback before a request of our own is sent, with 'tm:local-request'")
    event_callback_lres_sent = Param("", "callback after a reply of our own, with 'tm:local-response'")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.engine = Engine(proxy, self)

    def start(self) -> None:
        if not self.reparse_invite:
            raise ParamError("modparam tm:reparse_invite: ACK and CANCEL always come from the INVITE as sent; use 1")
        self.engine.configure()
        self.proxy.timer_sources.append(self.engine.timers)
        self.proxy.request_done.append(self.engine.request_done)
        self.proxy.reply_handlers.append(self.engine.reply_in)

    def fork(self, proxy: Proxy) -> Self:
        """No transactions to begin with: the sandbox's message makes them, or :meth:`adopt` brings one. No hooks
        either: other modules bring theirs when they are forked."""
        new = copy.copy(self)
        new.proxy = proxy
        new.engine = Engine(proxy, new)
        new.engine.resemble(self.engine)
        new.start()
        return new

    def adopt(self, run: Run, live: Tm) -> Transaction | None:
        """Give a sandbox's run a copy of the live transaction that its message belongs to. None: there is none."""
        msg = run.msg
        engine = self.engine
        index = -1
        if msg.is_request:
            source = live.engine.servers.get(live.engine.request_key(msg, msg.method))
        else:
            found = replies.match(live.engine, msg)
            source = found[0] if found is not None else None
            index = found[1].index if found is not None else -1
        if source is None:
            return None
        t = Transaction(engine, source.msg.clone(), source.record, run.avps)
        for name in Transaction.__slots__:
            if name not in ("engine", "msg", "record", "avps", "branches", "extra", "armed", "fr_at", "retr_at"):
                setattr(t, name, getattr(source, name))
        for client in source.branches:
            new = Client(t, client.index, client.uri, client.dst_uri, client.path)
            for name in Client.__slots__:
                if name not in ("t", "cancel_request", "fr_at", "retr_at"):
                    setattr(new, name, getattr(client, name))
            t.branches.append(new)
        engine.servers[t.key] = t
        engine.clients[t.prefix] = t
        run.t, run.t_lookup, run.branch = t, True, index
        return t

    # -- helpers ------------------------------------------------------------------------------------------------------

    def _t(self, run: Run) -> Transaction | None:
        """The run's transaction, looked up when nobody did."""
        t = run.t
        if t is None and not run.t_lookup:
            if run.msg.is_request:
                t = self.engine.lookup(run)
            else:
                run.t_lookup = True
                found = replies.match(self.engine, run.msg)
                if found is not None:
                    t = run.t = found[0]
                    run.branch = found[1].index
        return t if t is not None and t.engine is not None else None

    # -- creating, relaying, replying ---------------------------------------------------------------------------------

    @export(inline=True)
    def t_relay(self, run: Run) -> int:
        """Relay the request to its destination set, keeping a transaction. 1, or negative when it could not be."""
        return uas.relay(self.engine, run)

    @export
    def t_relay_to_flags(self, run: Run, flags: int) -> int:
        """Relay like ``t_relay``; flags is a sum of 1: no 100, 2: no reply when it fails, 4: no failover."""
        return uas.relay(self.engine, run, flags=flags)

    @export
    def t_relay_to_proxy(self, run: Run, proxy: str) -> int:
        """``t_relay`` to ``proto:host:port`` instead of the URI's host."""
        return self.t_relay_to_proxy_flags(run, proxy, 0)

    @export
    def t_relay_to_proxy_flags(self, run: Run, proxy: str, flags: int) -> int:
        """``t_relay_to_proxy`` with the flags of ``t_relay_to_flags``."""
        try:
            hop, proto = relay_to(proxy)
        except SipError as error:
            log.error("t_relay_to_proxy expects proto:host:port: %s", error)
            return E_BAD_ADDRESS
        return uas.relay(self.engine, run, hop, proto, flags)

    @export
    def t_relay_to_proto(self, run: Run, proto: str) -> int:
        """``t_relay`` over a transport: udp, tcp, tls, ws."""
        proto = proto.lower()
        if proto not in PROTOS:
            log.warning("t_relay_to_proto: %r is no transport; relayed as t_relay() does", proto)
            proto = ""
        return uas.relay(self.engine, run, None, proto)

    @export
    def t_relay_to_proto_addr(self, run: Run, proto: str, host: str, port: int) -> int:
        """``t_relay`` over a transport to a host and port."""
        return self.t_relay_to_proxy_flags(run, f"{proto}:{host}:{port}", 0)

    @export
    def t_newtran(self, run: Run) -> int:
        """Create the transaction. 1 done, 0 the request is a retransmission (answered), negative: it exists already."""
        return uas.newtran(self.engine, run)

    @export
    def t_reply(self, run: Run, code: int, reason: str) -> int:
        """Reply with the transaction, which must exist."""
        t = run.t
        if t is None or t.engine is None:
            log.error("t_reply: no transaction exists; t_newtran() makes one")
            return -1
        code, reason = self._reply_args(code, reason)
        run.handled = True
        msg = run.msg if run.msg.is_request else None
        extra = redirect_contacts(run.msg, self.rich_redirect) if 300 <= code < 400 and msg is not None else ""
        return 1 if self.engine.reply(t, code, reason, run.record, msg, extra) else -1

    def _reply_args(self, code: int, reason: str) -> tuple[int, str]:
        if not 100 <= code <= 999:
            log.error("%d is no status code: the reply has %d", code, self.default_code)
            return self.default_code, reason or self.default_reason
        return code, reason

    @export
    def t_send_reply(self, run: Run, code: int, reason: str) -> int:
        """Create the transaction when there is none, and reply with it."""
        if self._t(run) is None:
            result = uas.newtran(self.engine, run)
            if result < 0:
                return result
        return self.t_reply(run, code, reason)

    @export
    def t_retransmit_reply(self, run: Run) -> int:
        """Send the last reply again."""
        t = self._t(run)
        if t is None or not t.response or t.reply_dest is None:
            return -1
        return 1 if self.proxy.send(t.response, t.reply_dest, run.record) else -1

    @export
    def t_release(self, run: Run) -> int:
        """Let the transaction go: it absorbs late messages for wt_timer and is freed."""
        t = self._t(run)
        if t is None:
            return 1
        run.handled = True
        self.engine.release(t)
        return 1

    @export
    def t_replicate(self, run: Run, uri: str) -> int:
        """Relay a copy of the request to a URI ('' its own destination); its replies go nowhere."""
        msg = run.msg
        if msg.is_request is False:
            return -1
        if run.t is not None and run.t.received:
            return -1
        before = (msg.dst_uri, msg.branches)
        if uri:
            msg.dst_uri = uri
            msg.branches = [copy.copy(branch) for branch in msg.branches]
            for branch in msg.branches:
                branch.dst_uri = uri
        try:
            result = uas.relay(self.engine, run, flags=1)
        finally:
            msg.dst_uri, msg.branches = before
            run.local.pop("uri", None)  # t_relay() is still to send it to its destination
        # One that was answered already goes on as it was: it has a state that local ones do not know.
        if result > 0 and run.t is not None and run.t.status < 200:
            run.t.make_local(received=True)
        return result

    def count(self) -> int:
        """How many transactions there are, completed ones that wait for late messages included."""
        return len(self.engine.clients)

    def send_failed(self, text: str) -> bool:
        """The network could not deliver this message (latin-1 text). False: it was no request of a transaction."""
        return clients.send_failed(self.engine, text)

    def busy(self) -> bool:
        """Whether some transaction has no final reply yet."""
        return any(t.status < 200 and not t.kept & RELEASED for t in self.engine.clients.values())

    # -- looking up ---------------------------------------------------------------------------------------------------

    @export
    def t_check_trans(self, run: Run) -> int:
        """For a CANCEL and an ACK: 1 when their INVITE is known. For others: 0 a retransmission, answered; -1 new."""
        if not run.msg.is_request:
            return 1 if self._t(run) is not None else -1
        return uas.check(self.engine, run)

    @export
    def t_lookup_request(self, run: Run) -> int:
        """1 when the request's transaction exists."""
        if not run.msg.is_request or run.msg.method == "CANCEL" and self.engine.lookup(run) is None:
            return -1
        return 1 if self._t(run) is not None else -1

    @export
    def t_lookup_cancel(self, run: Run) -> int:
        """1 when the INVITE of this CANCEL is known."""
        return self.t_lookup_cancel_flags(run, 0)

    @export
    def t_lookup_cancel_flags(self, run: Run, flag: int) -> int:
        """``t_lookup_cancel``; flag 1: the message takes over the INVITE's flags."""
        if run.msg.method != "CANCEL":
            log.warning("t_lookup_cancel is for CANCEL, the request is %s", run.msg.method)
            return -1
        t = self.engine.lookup_invite(run.msg)
        if t is None:
            return -1
        if flag:
            run.msg.flags = t.msg.flags
        return 1

    @export
    def t_is_canceled(self, run: Run) -> int:
        """1 when the caller has cancelled the transaction."""
        t = self._t(run)
        return 1 if t is not None and t.flags & T_CANCELED else -1

    @export
    def t_is_expired(self, run: Run) -> int:
        """1 when the transaction has reached its max lifetime."""
        t = self._t(run)
        return 1 if t is not None and (t.flags & T_EXPIRED or t.expires <= self.proxy.now) else -1

    @export
    def t_is_retr_async_reply(self, run: Run) -> int:
        """1 when the transaction is suspended in a reply."""
        t = self._t(run)
        return 1 if t is not None and t.flags & T_SUSPENDED_REPLY else -1

    @export
    def t_exists(self, run: Run) -> int:
        """1 when the message has a transaction already, else -1 (Kamailio 6.0 and later)."""
        return 1 if self._t(run) is not None else -1

    @export
    def t_reply_error(self, run: Run) -> int:
        """``t_reply`` with 500 (Kamailio 6.0 and later)."""
        return self.t_reply(run, *error_reply(1, "TM"))

    @export
    def t_is_set(self, run: Run, target: str) -> int:
        """1 when 'branch_route', 'failure_route' or 'onreply_route' was set with t_on_...()."""
        attribute = _ROUTES.get(target)
        if attribute is None:
            log.error("t_is_set expects %s, got %r", ", ".join(_ROUTES), target)
            return -1
        t = run.t
        options: Any = t if t is not None and t.engine is not None else run.msg.extra.get("tm")
        return 1 if options is not None and getattr(options, attribute) else -1

    # -- what came back -----------------------------------------------------------------------------------------------

    def _best(self, run: Run, t: Transaction) -> Client | None:
        if run.route in (FAILURE_ROUTE, BRANCH_FAILURE_ROUTE) and 0 <= run.branch < len(t.branches):
            return t.branches[run.branch]
        return None

    @export
    def t_branch_timeout(self, run: Run) -> int:
        """In a failure route: 1 when its branch got no final reply in time."""
        t = self._t(run)
        branch = self._best(run, t) if t is not None else None
        return 1 if branch is not None and branch.timed_out else -1

    @export
    def t_branch_replied(self, run: Run) -> int:
        """In a failure route: 1 when its branch got a reply before the one in hand."""
        t = self._t(run)
        branch = self._best(run, t) if t is not None else None
        return 1 if branch is not None and branch.replied else -1

    @export
    def t_any_timeout(self, run: Run) -> int:
        """1 when some branch got no final reply in time."""
        t = self._t(run)
        return 1 if t is not None and any(b.timed_out for b in t.branches) else -1

    @export
    def t_any_replied(self, run: Run) -> int:
        """1 when some branch got a reply before the one in hand."""
        t = self._t(run)
        return 1 if t is not None and any(b.replied for b in t.branches) else -1

    @export
    def t_grep_status(self, run: Run, code: int) -> int:
        """1 when some branch has this final code."""
        t = self._t(run)
        return 1 if t is not None and any(b.status == code for b in t.branches) else -1

    def status(self, run: Run, t: Transaction) -> int:
        """The code a route is about: the reply's, the failed branch's, else the last one sent upstream."""
        if run.route in (TM_ONREPLY_ROUTE, CORE_ONREPLY_ROUTE) and not run.msg.is_request:
            return run.msg.status
        branch = self._best(run, t)
        return branch.status if branch is not None else t.status

    @export
    def t_check_status(self, run: Run, expression: str) -> int:
        """1 when the code that the route is about matches a regular expression."""
        t = self._t(run)
        if t is None:
            log.error("t_check_status: no transaction exists")
            return -1
        try:
            return 1 if re.search(expression, str(self.status(run, t))) else -1
        except re.error as error:
            log.error("t_check_status(%r) is no regular expression: %s", expression, error)
            return -1

    @export
    def t_get_status_code(self, run: Run) -> int:
        """The code that the route is about, -1 when there is none."""
        t = self._t(run)
        return (self.status(run, t) or -1) if t is not None else -1

    @export
    def t_get_branch_index(self, run: Run) -> int:
        """The index of the branch in hand, -1 when there is none."""
        return run.branch

    @export
    def t_drop_replies(self, run: Run, mode: str) -> int:
        """In a failure route: forget replies. 'a' all, 'l' those of the last step, 'n' none."""
        modes = {"": 1, "a": 1, "1": 1, "l": 2, "n": 0, "0": 0}
        if mode not in modes:
            log.error("t_drop_replies expects 'a', 'l' or 'n', got %r", mode)
            return -1
        run.local["drop_replies"] = modes[mode]
        return 1

    @export
    def t_drop_replies_all(self, run: Run) -> int:
        """``t_drop_replies`` of all."""
        return self.t_drop_replies(run, "a")

    @export
    def t_clean(self, run: Run) -> int:
        """Free transactions that are active far beyond their lifetime."""
        self.clean([])
        return 1
