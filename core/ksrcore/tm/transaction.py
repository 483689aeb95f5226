"""What the proxy remembers of a transaction: the server side and, per branch, a client side. Plain state.

They refer to each other and are taken apart explicitly (:meth:`Transaction.release`), not by the garbage collector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..forward import branch_hash
from ..pv.state import Avps
from .states import CALLING, PROCEEDING, SERVER_INVITE, SERVER_OTHER, STATE_NAMES
from .timers import NEVER, Timed

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..net.address import Dest, Listen
    from ..sip.lumps import Lumps
    from ..sip.message import SipMessage
    from .engine import Engine

# Transaction.flags, named as in Kamailio's tm.
T_CANCELED = 1
T_6XX = 2
T_DISABLE_6XX = 4
T_DISABLE_FAILOVER = 8
T_DISABLE_INTERNAL_REPLY = 16
T_NO_AUTO_100 = 32
T_NO_E2E_CANCEL_REASON = 64
T_SUSPENDED = 128
T_EXPIRED = 256
T_NOISY = 512
T_DROPPED = 1024
T_IN_FAILURE = 2048
T_SUSPENDED_REPLY = 4096

# Transaction.kept: what became of the request while its script ran.
FORWARDED = 1
REPLIED = 2
RELEASED = 4
FAILED = 8


class Options:
    """What a script sets before its transaction exists (``t_on_failure`` ...); 0 and '' mean: the module's default."""

    on_failure = ""
    on_reply = ""
    on_branch = ""
    on_branch_failure = ""
    fr = 0.0
    fr_inv = 0.0
    t1 = 0.0
    t2 = 0.0
    inv_lifetime = 0.0
    noninv_lifetime = 0.0
    flags = 0
    auto_100: bool | None = None
    disable_6xx: bool | None = None


class Transaction(Timed):
    """One server transaction and its branches.

    ``msg`` is the request as it came; ``saved`` what the script had made of it when the transaction was created or
    relayed. ``status`` is the last code sent upstream, ``response`` its text, ``reply_dest`` where it went.
    ``relayed``: the branch whose reply that is, -1 none, -2 our own. ``branches`` are :class:`Client` objects in order
    of their index; those from ``leg`` on belong to the latest serial step. Times are in seconds.
    """

    __slots__ = (
        "engine", "msg", "method", "is_invite", "record", "avps", "branches", "machine", "state", "status", "flags",
        "kept", "armed", "local", "received", "key", "prefix", "id_label", "reason", "response", "reply_dest",
        "to_tag", "relayed", "leg", "on_failure", "on_reply", "on_branch", "on_branch_failure", "saved", "expires",
        "fr", "fr_inv", "t1", "t2", "fr_at", "retr_at", "interval", "winner", "drop_replies", "extra", "callback",
        "ack_key", "cancel_reasons", "forwarding", "place",
    )  # fmt: skip

    engine: Engine | None
    reply_dest: Dest | None
    saved: Saved | None
    #: What other modules keep with a transaction, keyed by their name (acc, dialog); see also hooks.
    extra: dict[str, Any] | None
    callback: Any
    ack_key: tuple[str, str, int] | None
    #: What of it never changes, as kept.py keeps it.
    place: tuple[str, int, str, int, float, Any, str] | None

    def __init__(self, engine: Engine, msg: SipMessage, record: Record, avps: Avps) -> None:
        self.engine = engine
        self.msg = msg
        self.method = method = msg.method
        self.is_invite = method == "INVITE"
        # The table of the server side; that of a request of our own is the same for all methods.
        self.machine = SERVER_INVITE if method == "INVITE" else SERVER_OTHER
        self.record = record
        self.avps = avps
        self.branches: list[Client] = []
        self.fr = engine.fr
        self.fr_inv = engine.fr_inv
        self.t1 = engine.t1
        self.t2 = engine.t2
        self.state = PROCEEDING
        # armed: the hook events that somebody registered for (see hooks.py). drop_replies: how many branches, from the
        # first on, t_drop_replies() has taken out of the choice.
        self.status = self.flags = self.kept = self.armed = self.leg = self.drop_replies = self.id_label = 0
        # winner: the branch a failure route is about (or won), -1 for none.
        self.relayed = self.winner = -1
        self.key = self.prefix = self.reason = self.response = self.to_tag = self.cancel_reasons = ""
        self.on_failure = self.on_reply = self.on_branch = self.on_branch_failure = ""
        self.reply_dest = self.saved = self.extra = self.callback = self.ack_key = self.place = None
        self.expires = self.fr_at = self.retr_at = self.due = self.queued = NEVER
        self.interval = 0.0
        # local: a request of our own (t_uac_send), there is nobody upstream; received: it came from somebody all the
        # same (t_replicate), whom the script may answer.
        self.local = self.received = self.forwarding = False

    def make_local(self, received: bool = False) -> None:
        """It is a request of our own: there is nobody upstream, or (``received``) nobody who hears what comes back."""
        self.local = True
        self.received = received
        self.machine = SERVER_OTHER

    @property
    def id_index(self) -> int:
        """``$T(id_index)``: of Call-ID and CSeq number, 16 bits."""
        cseq = self.msg.cseq
        return branch_hash(self.msg.callid, cseq.number_text if cseq is not None else "")

    def fire(self, now: float) -> None:
        if self.engine is not None:
            self.engine.server_timer(self, now)

    @property
    def canceled(self) -> bool:
        return bool(self.flags & T_CANCELED)

    def release(self) -> None:
        """Take apart what refers to each other."""
        for client in self.branches:
            client.t = None
            client.reply = None
            client.due = NEVER
        self.branches = []
        self.engine = None
        self.saved = None
        self.callback = None
        self.extra = None
        self.due = NEVER

    def __repr__(self) -> str:
        return f"<Transaction {self.id_index}:{self.id_label} {self.method} {STATE_NAMES[self.state]} {self.status}>"


class Saved:
    """The script's part of a request's state at one moment; failure routes begin with it."""

    __slots__ = ("values", "lumps", "reply_lumps")

    def __init__(self, msg: SipMessage) -> None:
        # All of it at once: picking what may have been set would take longer. What is not there has its default.
        self.values = msg.__dict__.copy()
        self.lumps = len(msg.lumps.items)
        self.reply_lumps = len(msg.reply_lumps)

    def restore(self, msg: SipMessage) -> None:
        """Put it back into ``msg``, a clone of the request."""
        values = self.values
        defaults = type(msg)
        for name in _STATE:
            setattr(msg, name, values[name] if name in values else getattr(defaults, name))
        del msg.lumps.items[self.lumps :]
        del msg.reply_lumps[self.reply_lumps :]


#: What :class:`Saved` brings back, besides the edits.
_STATE = (
    "new_uri", "dst_uri", "path", "flags", "bflags", "xflags", "force_socket", "instance", "ruid", "location_ua",
    "reg_id", "otcpid", "q", "force_rport", "advertise",
)  # fmt: skip


class Client(Timed):
    """One branch: what was sent where, and what came back.

    ``status``: the last code received (0 none; of our own making when ``faked``), ``reply``: the final reply as the
    onreply route left it. ``targets``: further (proto, ip, port) to try when this one fails. ``cancel``: 0 not
    cancelled, 1 to be cancelled once it rings, 2 CANCEL sent.
    """

    __slots__ = (
        "t", "index", "uri", "dst_uri", "path", "state", "status", "cancel", "flags", "branch", "text", "dest",
        "reply", "faked", "fr_at", "retr_at", "interval", "on_reply", "on_branch_failure", "ruid", "instance",
        "location_ua", "reg_id", "otcpid", "q", "socket", "cancel_request", "targets", "timed_out", "replied", "blind",
        "reason", "sent", "lumps", "place",
    )  # fmt: skip

    t: Transaction | None
    dest: Dest | None
    reply: SipMessage | None
    socket: Listen | None
    cancel_request: CancelRequest | None
    targets: list[tuple[str, str, int]] | None
    #: Edits of this branch, while its text cannot be built yet.
    lumps: Lumps | None
    #: What of it never changes once it was sent, as kept.py keeps it.
    place: tuple[Any, ...] | None

    def __init__(self, t: Transaction, index: int, uri: str, dst_uri: str, path: str) -> None:
        self.t = t
        self.index = index
        self.uri = uri
        self.dst_uri = dst_uri
        self.path = path
        self.state = CALLING
        self.status = self.cancel = self.flags = self.reg_id = self.otcpid = 0
        self.q = -1
        self.branch = self.text = self.on_reply = self.on_branch_failure = ""
        self.ruid = self.instance = self.location_ua = self.reason = ""
        self.dest = self.reply = self.socket = self.cancel_request = self.targets = self.lumps = self.place = None
        # blind: a place holder without a request; a suspended transaction waits with it.
        self.faked = self.timed_out = self.replied = self.blind = self.sent = False
        self.fr_at = self.retr_at = self.due = self.queued = NEVER
        self.interval = 0.0

    def fire(self, now: float) -> None:
        t = self.t
        if t is not None and t.engine is not None:
            t.engine.client_timer(self, now)

    def __repr__(self) -> str:
        return f"<Client {self.index} {self.uri} {STATE_NAMES[self.state]} {self.status}>"


class CancelRequest(Timed):
    """A CANCEL we sent, retransmitted on UDP until it is answered."""

    __slots__ = ("engine", "text", "dest", "interval", "t2", "until")

    def __init__(self, engine: Engine, text: str, dest: Dest, t1: float, t2: float, until: float) -> None:
        self.engine = engine
        self.text = text
        self.dest = dest
        self.interval = t1
        self.t2 = t2
        self.until = until
        self.due = self.queued = NEVER

    def fire(self, now: float) -> None:
        if now >= self.until:
            return
        proxy = self.engine.proxy
        proxy.send(self.text, self.dest)
        self.engine.retransmitted += 1
        self.interval = interval = min(self.interval * 2, self.t2)
        self.engine.timers.set(self, now, min(interval, self.until - now))
