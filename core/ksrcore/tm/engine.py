"""The transaction table and the server side: what happens towards whoever sent us the request."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from hashlib import md5
from secrets import token_hex
from typing import TYPE_CHECKING, Final
from zlib import crc32

from ..forward import reply_dest
from ..run import EVENT_ROUTE, Run
from ..sip.build import build_forwarded_reply, build_reply
from ..sip.errors import SipError
from . import cancel, client, replies
from .hooks import ACK_IN, COMPLETED, DESTROYED, REPLY_OUT, REQUEST_IN, Hooks
from .states import (
    ACK,
    FR,
    FREE,
    R1XX,
    R2XX,
    R2XX_LOCAL,
    REQUEST,
    RESEND,
    RETR,
    RFINAL,
    SEND,
    SET_FR,
    SET_RETR,
    SET_RETR_ALWAYS,
    SET_WAIT,
    STOP,
    TERMINATED,
    WAIT,
)
from .timers import NEVER, Timers
from .transaction import FAILED, RELEASED, REPLIED, T_DISABLE_6XX, Options, Saved, Transaction

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..kemi.tm import Tm
    from ..proxy import Proxy
    from ..sip.message import SipMessage
    from .transaction import Client

log = logging.getLogger("ksrcore.tm")

_MASK: Final = 0xFFFFFFFFFFFFFFFF
#: In ``msg.extra``: the number of its transaction, when it was asked for before there was one.
_SERIAL = "tm.serial"
#: The options that most scripts set.
_CALLBACKS: Final = frozenset(("on_failure", "on_reply", "on_branch", "on_branch_failure"))
_AFTER_REPLY: Final = REPLY_OUT | COMPLETED
_SETTLED: Final = FAILED | RELEASED
_SET_TIMERS: Final = SET_RETR | SET_RETR_ALWAYS | SET_FR
#: Names of the counters of final replies, by the first digit of their code.
_FINAL_COUNTERS: Final = tuple(f"tmx:{kind}xx_transactions" for kind in range(10))


class Engine:
    """All transactions of one proxy.

    ``servers`` finds them by what requests carry (see :meth:`request_key`), ``clients`` by the branch parameter that
    replies bring back, without its index. ``acks``: those whose ACK to a 2xx somebody waits for.
    """

    def __init__(self, proxy: Proxy, cfg: Tm) -> None:
        self.proxy = proxy
        self.cfg = cfg
        self.servers: dict[str, Transaction] = {}
        self.clients: dict[str, Transaction] = {}
        self.acks: dict[tuple[str, str, int], Transaction] = {}
        self.labels: dict[tuple[int, int], Transaction] = {}
        self.timers = Timers()
        self.hooks = Hooks()
        self.serial = 0
        self.created = 0
        self.created_local = 0
        self.freed = 0
        self.waiting = 0
        self.retransmitted = 0
        #: Replies to send when the script that failed to relay has not replied itself, by transaction label.
        self.failed: dict[int, tuple[int, str]] = {}
        #: Takes a reply that the core's reply route let pass; False: it belongs to no transaction.
        self.reply_in: Callable[[Run], bool] = partial(replies.reply_in, self)
        self._keyed: SipMessage | None = None
        self._key = ""
        # Goes into every branch id, so that others cannot guess them; a replay in a sandbox repeats itself.
        self.secret = f"{proxy.name}{proxy.started}{'' if proxy.sandbox else token_hex(16)}"
        self.tag = md5(f"ksr {self.secret}".encode(), usedforsecurity=False).hexdigest()
        self.salt = md5(f"branch {self.secret}".encode(), usedforsecurity=False).hexdigest()[:16]
        #: The hash in branch ids; tests put one there that gives the same in each run.
        self.scramble: Callable[[str], int] = hash
        self.configure()

    def resemble(self, other: Engine) -> None:
        """Make the ids that ``other`` would make next: those of a sandbox are those of the live proxy."""
        self.secret, self.tag, self.salt, self.serial = other.secret, other.tag, other.salt, other.serial

    def configure(self) -> None:
        """Take over the module's parameters (milliseconds) as seconds."""
        cfg = self.cfg
        self.fr = cfg.fr_timer / 1000
        self.fr_inv = cfg.fr_inv_timer / 1000
        self.t1 = cfg.retr_timer1 / 1000
        self.t2 = cfg.retr_timer2 / 1000
        self.wait = cfg.wt_timer / 1000
        self.inv_lifetime = cfg.max_inv_lifetime / 1000
        self.noninv_lifetime = cfg.max_noninv_lifetime / 1000
        self.auto_100 = bool(cfg.auto_inv_100)
        self.disable_6xx = bool(cfg.disable_6xx_block)
        self.server_header = self.proxy.server_header
        self.timers.common(self.t1, 2 * self.t1, 4 * self.t1, self.t2, self.wait, self.fr)

    # -- finding ------------------------------------------------------------------------------------------------------

    def request_key(self, msg: SipMessage, method: str) -> str:
        """What a request of ``method`` in the transaction of ``msg`` is found by (RFC 3261 17.2.3).

        Branch, sent-by and method; an ACK belongs to its INVITE. Without the magic cookie, Kamailio's set for RFC 2543
        clients: Request-URI, From tag, Call-ID, CSeq number and the whole Via.
        """
        try:
            via = msg.via
        except SipError:
            return ""  # asked of a captured message only: the proxy routes none
        if via is None:
            return ""
        if method == "ACK":
            method = "INVITE"
        branch = via.branch
        if branch[:7] == "z9hG4bK" and len(branch) > 7:
            return f"{branch}|{via.host}|{via.port}|{method}"
        try:
            cseq, from_ = msg.cseq, msg.from_
        except SipError:
            return ""
        number = cseq.number if cseq is not None else 0
        tag = from_.tag if from_ is not None else ""
        ruri = msg.ruri if self.cfg.ruri_matching else ""
        top = via.text if self.cfg.via1_matching else ""
        return f"{msg.callid}|{number}|{tag}|{ruri}|{top}|{method}"

    def own_key(self, msg: SipMessage) -> str:
        """:meth:`request_key` of the message's own method; a script asks for it again and again."""
        if self._keyed is msg:
            return self._key
        self._keyed = msg
        self._key = key = self.request_key(msg, msg.method)
        return key

    def lookup(self, run: Run) -> Transaction | None:
        """The transaction of the run's request, looked up once a run."""
        if run.t_lookup:
            return run.t  # type: ignore[no-any-return]
        run.t_lookup = True
        msg = run.msg
        t = self.servers.get(self._key if self._keyed is msg else self.own_key(msg))
        if t is None:
            return None
        if self.cfg.callid_matching and t.msg.callid != msg.callid:
            return None
        run.t = t
        return t

    def lookup_invite(self, msg: SipMessage) -> Transaction | None:
        """The INVITE that a CANCEL is for."""
        return self.servers.get(self.request_key(msg, "INVITE"))

    def lookup_ack(self, msg: SipMessage) -> Transaction | None:
        """The INVITE whose 2xx an ACK with a transaction of its own acknowledges, when somebody waits for it."""
        if not self.acks:
            return None
        try:
            cseq, from_ = msg.cseq, msg.from_
        except SipError:
            return None
        if cseq is None or from_ is None:
            return None
        return self.acks.get((msg.callid, from_.tag, cseq.number))

    # -- life ---------------------------------------------------------------------------------------------------------

    def create(self, run: Run) -> Transaction:
        """A transaction for the run's request."""
        msg = run.msg
        t = Transaction(self, msg, run.record, run.avps)
        t.key = key = self._key if self._keyed is msg else self.own_key(msg)
        self.servers[key] = t
        serial = msg.extra.pop(_SERIAL, None)
        self.label(t, serial if isinstance(serial, int) else None)
        lifetime = self.inv_lifetime if t.is_invite else self.noninv_lifetime
        options = msg.extra.get("tm")
        if self.disable_6xx:
            t.flags = T_DISABLE_6XX
        if isinstance(options, Options):
            t.on_failure = options.on_failure
            t.on_reply = options.on_reply
            t.on_branch = options.on_branch
            t.on_branch_failure = options.on_branch_failure
            if not _CALLBACKS.issuperset(options.__dict__):
                self._apply(t, options)
                lifetime = (options.inv_lifetime if t.is_invite else options.noninv_lifetime) or lifetime
        t.expires = self.proxy.now + lifetime if lifetime else NEVER
        t.saved = Saved(msg)
        self.created += 1
        run.t = t
        run.t_lookup = True
        if self.hooks.events & REQUEST_IN:
            self.hooks.call(REQUEST_IN, t, run, None, 0)
        return t

    def label(self, t: Transaction, serial: int | None = None) -> None:
        """Give it its branch prefix and the number of ``$T(id_label)``."""
        if serial is None:
            self.serial = serial = (self.serial + 1) & 0x7FFFFFFF
        t.id_label = serial
        # The number makes it unique. The hash (of a text, so keyed by the interpreter) keeps others from guessing it.
        t.prefix = prefix = f"z9hG4bK{serial:x}.{self.salt}{self.scramble(f'{self.secret}{serial}') & _MASK:016x}"
        self.clients[prefix] = t

    def foresee(self, msg: SipMessage) -> str:
        """The branch prefix that the transaction of a request without one will have."""
        serial = msg.extra.get(_SERIAL)
        if not isinstance(serial, int):
            self.serial = serial = (self.serial + 1) & 0x7FFFFFFF
            msg.extra[_SERIAL] = serial
        return f"z9hG4bK{serial:x}.{self.salt}{self.scramble(f'{self.secret}{serial}') & _MASK:016x}"

    @staticmethod
    def _apply(t: Transaction, options: Options) -> None:
        """What else a script may have set before the transaction was there."""
        t.fr = options.fr or t.fr
        t.fr_inv = options.fr_inv or t.fr_inv
        t.t1 = options.t1 or t.t1
        t.t2 = options.t2 or t.t2
        t.flags |= options.flags
        if options.disable_6xx is not None:
            t.flags = t.flags | T_DISABLE_6XX if options.disable_6xx else t.flags & ~T_DISABLE_6XX

    def find(self, id_index: int, id_label: int) -> Transaction | None:
        """The transaction of that ``$T(id_index)`` and ``$T(id_label)``."""
        t = self.labels.get((id_index, id_label))
        if t is None:
            t = next((t for t in self.clients.values() if t.id_label == id_label and t.id_index == id_index), None)
        return t

    def find_callid(self, callid: str, cseq: str) -> Transaction | None:
        """The first INVITE transaction of that Call-ID and CSeq number."""
        for t in self.clients.values():
            msg = t.msg
            if t.is_invite and msg.callid == callid and msg.cseq is not None and msg.cseq.number_text == cseq:
                return t
        return None

    def release(self, t: Transaction) -> None:
        """Let it wait for late messages (wt_timer) and then go: ``t_release()``."""
        if not t.kept & RELEASED and t.due == NEVER:
            t.kept |= RELEASED
            self.waiting += 1
            self.timers.set(t, self.proxy.now, self.wait)

    def free(self, t: Transaction) -> None:
        """It is over: nothing finds it any more."""
        if t.engine is None:
            return
        if (self.hooks.events | t.armed) & DESTROYED:
            self.hooks.call(DESTROYED, t, None, None, t.status)
        if self.servers.get(t.key) is t:
            del self.servers[t.key]
        self.clients.pop(t.prefix, None)
        if self.labels:
            self.labels.pop((t.id_index, t.id_label), None)
        if t.ack_key is not None and self.acks.get(t.ack_key) is t:
            del self.acks[t.ack_key]
        if self.failed:
            self.failed.pop(t.id_label, None)
        t.state = TERMINATED
        self.freed += 1
        t.release()

    # -- the server machine -------------------------------------------------------------------------------------------

    def event(self, t: Transaction, event: int, record: Record | None = None) -> None:
        """Step the server machine for an event that is no reply (those: :meth:`send_reply`)."""
        step = t.machine[t.state].get(event)
        if step is None:
            return
        t.state, actions = step
        if actions & RESEND:
            if t.response and t.reply_dest is not None and not t.local:
                self.proxy.send(t.response, t.reply_dest, record)
                if event == RETR:
                    self.retransmitted += 1
        if actions & FREE:
            self.waiting -= 1
            self.free(t)
        elif actions != RESEND:
            self._set_timers(t, actions)

    def _set_timers(self, t: Transaction, actions: int) -> None:
        """Do what a step says of timers."""
        if actions & STOP:
            t.fr_at = t.retr_at = NEVER
        now = self.proxy.now
        if actions & SET_WAIT:
            t.saved = None  # no failure route comes any more
            if not t.kept & RELEASED:
                self.waiting += 1
                t.kept |= RELEASED
            self.timers.set(t, now, self.wait)
        elif actions & _SET_TIMERS:
            t.fr_at = now + t.fr
            dest = t.reply_dest
            if actions & SET_RETR_ALWAYS or (actions & SET_RETR and dest is not None and dest.proto == "udp"):
                t.interval = t.t1
                t.retr_at = now + t.t1
                self.timers.set(t, now, t.t1)
            else:
                self.timers.set(t, now, t.fr)

    def server_timer(self, t: Transaction, now: float) -> None:
        """A server transaction's timer has fired."""
        debugger = self.proxy.debugger
        if debugger is not None and debugger.stands_still(t, t, now):
            return
        if t.fr_at == t.retr_at == NEVER:
            self.event(t, WAIT)
        elif t.fr_at <= now:
            self.event(t, FR)
        elif t.retr_at <= now:
            t.interval = interval = min(t.interval * 2, t.t2)
            t.retr_at = now + interval
            self.event(t, RETR, record=t.record)
            self.timers.set(t, now, min(t.retr_at, t.fr_at) - now)
        else:
            self.timers.set(t, now, min(t.retr_at, t.fr_at) - now)

    # -- replies of our own -------------------------------------------------------------------------------------------

    def to_tag(self, t: Transaction) -> str:
        """The To tag of our replies: the same for all of a transaction."""
        tag = t.to_tag
        if not tag:
            msg = t.msg
            via = msg.via
            seed = f"{msg.callid}{via.branch or via.text if via is not None else ''}".encode("latin-1")
            tag = t.to_tag = f"{self.tag}-{crc32(seed):08x}"
        return tag

    def reply(
        self,
        t: Transaction,
        code: int,
        reason: str,
        record: Record | None = None,
        msg: SipMessage | None = None,
        extra: str = "",
        body: tuple[str, str] | None = None,
        to_tag: str = "",
    ) -> bool:
        """Send a reply of our own; a final one ends the branches. False: a final one has gone before.

        ``msg``: the message whose reply headers and settings apply (a failure route's), else the request itself.
        """
        if t.status >= 200:
            return False
        if msg is None:
            msg = t.msg
        t.kept |= REPLIED
        tag = ""
        if code >= 180:
            tag = to_tag or self.to_tag(t)
            t.to_tag = tag
        if code >= 200:
            t.relayed = -2
        text = ""
        # A request that was replicated is answered by the script, never by a branch.
        if not t.local or t.received:
            if msg is t.msg or t.reply_dest is None:
                t.reply_dest = reply_dest(msg)
            text = build_reply(msg, code, reason, tag, self.server_header, extra, body, self.proxy.sip_warning)
        self.proxy.counters["tmx:rpl_generated"] += 1
        self.send_reply(t, text, code, reason, None, record or t.record)
        if code >= 200 and t.engine is not None:
            cancel.cancel_all(self, t, cancel.local_reason(self, code))
        return True

    def _tell(self, t: Transaction, record: Record | None) -> None:
        """Run ``event_callback_lres_sent`` after a reply of our own."""
        name = self.cfg.event_callback_lres_sent
        script = self.proxy.script
        if name and script is not None and script.has(name):
            run = Run(self.proxy, t.msg, EVENT_ROUTE, record or t.record, t.avps, t)
            run.t_lookup = True
            script.call(run, name, "tm:local-response")

    def send_reply(
        self, t: Transaction, text: str, code: int, reason: str, reply: SipMessage | None, record: Record | None
    ) -> None:
        """Send a reply upstream and step the server machine: ``reply`` forwarded, or ``text``, one of our own."""
        t.reason = reason
        proxy = self.proxy
        first_final = False
        if code < 200:
            event = R1XX
        else:
            first_final = t.status < 200
            if first_final:
                proxy.counters[_FINAL_COUNTERS[min(code // 100, 6)]] += 1
            if code >= 300:
                event = RFINAL
            else:
                event = R2XX_LOCAL if reply is None else R2XX
                if t.is_invite and first_final and not t.local:
                    if reply is None or (self.hooks.events | t.armed) & ACK_IN:
                        self._expect_ack(t)
        step = t.machine[t.state].get(event)
        if step is not None:
            t.state, actions = step
            t.status = code
            if not t.local or text:
                dest = t.reply_dest
                if dest is None:
                    dest = t.reply_dest = reply_dest(t.msg)
                counters = proxy.counters
                if reply is not None:
                    text = build_forwarded_reply(reply, dest)
                    counters["tmx:rpl_relayed"] += 1
                t.response = text
                proxy.send(text, dest, record)
                counters["tmx:rpl_sent"] += 1
            if actions != SEND:
                self._set_timers(t, actions)
        wanted = (self.hooks.events | t.armed) & _AFTER_REPLY
        if wanted & REPLY_OUT and (reply is not None or code >= 200 or self.cfg.pass_provisional_replies):
            self.hooks.call(REPLY_OUT, t, None, reply, code)
        if reply is None and self.cfg.event_callback_lres_sent:
            self._tell(t, record)
        if first_final and wanted & COMPLETED:
            self.hooks.call(COMPLETED, t, None, reply, code)

    def _expect_ack(self, t: Transaction) -> None:
        msg = t.msg
        cseq, from_ = msg.cseq, msg.from_
        if cseq is not None and from_ is not None:
            t.ack_key = (msg.callid, from_.tag, cseq.number)
            self.acks[t.ack_key] = t

    def retransmission(self, t: Transaction, run: Run) -> None:
        """The request came again."""
        self.event(t, REQUEST, record=run.record)

    def ack(self, t: Transaction, run: Run) -> None:
        """The ACK of our negative (or own positive) reply came."""
        self.event(t, ACK, record=run.record)

    # -- the client side and its timers live in modules of their own --------------------------------------------------

    def client_timer(self, branch: Client, now: float) -> None:
        proxy = self.proxy
        debugger = proxy.debugger
        if debugger is None or not debugger.timer(branch, now, lambda: client.timer(self, branch, proxy.now)):
            client.timer(self, branch, now)

    # -- the end of a request's script --------------------------------------------------------------------------------

    def request_done(self, run: Run) -> None:
        """A request's callback has ended: settle a transaction that it made and left alone."""
        t = run.t
        if t is None or t.status >= 200 or t.engine is None or t.record is not run.record:
            return
        branches = t.branches
        if branches and branches[-1].status < 200 and not self.failed and not t.kept & _SETTLED:
            return  # the usual: it was relayed
        if self.failed:
            failed = self.failed.pop(t.id_label, None)
            if failed is not None:
                self.reply(t, *failed)
                return
        if t.kept & FAILED:
            # failure_exec_mode: nothing could be sent; the failure route decides now that the request's is over.
            t.kept &= ~FAILED
            replies.complete(self, t, run.record)
            return
        if t.kept & RELEASED:
            return
        if branches:
            if all(branch.status >= 200 for branch in t.branches):
                self.release(t)  # nothing could be sent, and the script wanted no reply of ours
            return
        log.warning("%s: the script created a transaction and neither replied nor relayed; it is released", t)
        self.release(t)

    def stats(self) -> dict[str, int]:
        """Numbers of ``tm.stats``, those not kept as counters."""
        return {
            "current": len(self.clients),
            "waiting": self.waiting,
            "total": self.created,
            "total_local": self.created_local,
            "created": self.created,
            "freed": self.freed,
        }
