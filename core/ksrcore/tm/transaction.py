"""What the proxy remembers of a transaction: the server side and, per branch, a client side. Plain state.

They refer to each other and are taken apart explicitly (:meth:`Transaction.release`), not by the garbage collector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..pv.state import Avps
from .states import CALLING, PROCEEDING, STATE_NAMES
from .timers import NEVER, Timed

if TYPE_CHECKING:
    from ..capture.recorder import Record
    from ..net.address import Dest, Listen
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

    __slots__ = (
        "on_failure", "on_reply", "on_branch", "on_branch_failure", "fr", "fr_inv", "t1", "t2", "inv_lifetime",
        "noninv_lifetime", "flags", "auto_100", "disable_6xx",
    )  # fmt: skip

    def __init__(self) -> None:
        self.on_failure = ""
        self.on_reply = ""
        self.on_branch = ""
        self.on_branch_failure = ""
        self.fr = 0.0
        self.fr_inv = 0.0
        self.t1 = 0.0
        self.t2 = 0.0
        self.inv_lifetime = 0.0
        self.noninv_lifetime = 0.0
        self.flags = 0
        self.auto_100: bool | None = None
        self.disable_6xx: bool | None = None


class Transaction(Timed):
    """One server transaction and its branches.

    ``msg`` is the request as it came; ``saved`` what the script had made of it when the transaction was created or
    relayed. ``status`` is the last code sent upstream, ``response`` its text, ``reply_dest`` where it went.
    ``relayed``: the branch whose reply that is, -1 none, -2 our own. ``branches`` are :class:`Client` objects in order
    of their index; those from ``leg`` on belong to the latest serial step. Times are in seconds.
    """

    __slots__ = (
        "engine", "key", "prefix", "id_index", "id_label", "msg", "method", "is_invite", "record", "avps", "state",
        "status", "reason", "response", "reply_dest", "to_tag", "relayed", "branches", "leg", "on_failure", "on_reply",
        "on_branch", "on_branch_failure", "flags", "kept", "saved", "fr", "fr_inv", "t1", "t2", "expires", "fr_at",
        "retr_at", "interval", "winner", "drop_replies", "extra", "local", "callback", "ack_key", "armed",
        "cancel_reasons", "forwarding",
    )  # fmt: skip

    def __init__(self, engine: Engine, msg: SipMessage, record: Record, avps: Avps) -> None:
        self.due = NEVER
        self.queued = NEVER
        self.engine: Engine | None = engine
        self.key = ""
        self.prefix = ""
        self.id_index = 0
        self.id_label = 0
        self.msg = msg
        self.method = msg.method
        self.is_invite = msg.method == "INVITE"
        self.record = record
        self.avps = avps
        self.state = PROCEEDING
        self.status = 0
        self.reason = ""
        self.response = ""
        self.reply_dest: Dest | None = None
        self.to_tag = ""
        self.relayed = -1
        self.branches: list[Client] = []
        self.leg = 0
        self.on_failure = ""
        self.on_reply = ""
        self.on_branch = ""
        self.on_branch_failure = ""
        self.flags = 0
        self.kept = 0
        self.saved: Saved | None = None
        self.fr = engine.fr
        self.fr_inv = engine.fr_inv
        self.t1 = engine.t1
        self.t2 = engine.t2
        self.expires = NEVER
        self.fr_at = NEVER
        self.retr_at = NEVER
        self.interval = 0.0
        # The branch a failure route is about (or won), -1 for none.
        self.winner = -1
        # How many branches, from the first on, t_drop_replies() has taken out of the choice.
        self.drop_replies = 0
        # What other modules keep with a transaction, keyed by their name (acc, dialog); see also hooks.
        self.extra: dict[str, Any] | None = None
        # True for a request of our own (t_uac_send): there is nobody upstream.
        self.local = False
        self.callback: Any = None
        self.ack_key: tuple[str, str, int] | None = None
        # Hook events somebody registered for (see hooks.py).
        self.armed = 0
        self.cancel_reasons = ""
        self.forwarding = False

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

    __slots__ = (
        "new_uri", "dst_uri", "path", "flags", "bflags", "xflags", "lumps", "reply_lumps", "force_socket", "instance",
        "ruid", "location_ua", "reg_id", "otcpid", "q", "force_rport", "advertise",
    )  # fmt: skip

    def __init__(self, msg: SipMessage) -> None:
        self.new_uri = msg.new_uri
        self.dst_uri = msg.dst_uri
        self.path = msg.path
        self.flags = msg.flags
        self.bflags = msg.bflags
        self.xflags = msg.xflags
        self.lumps = len(msg.lumps.items)
        self.reply_lumps = len(msg.reply_lumps)
        self.force_socket = msg.force_socket
        self.instance = msg.instance
        self.ruid = msg.ruid
        self.location_ua = msg.location_ua
        self.reg_id = msg.reg_id
        self.otcpid = msg.otcpid
        self.q = msg.q
        self.force_rport = msg.force_rport
        self.advertise = msg.advertise

    def restore(self, msg: SipMessage) -> None:
        """Put it back into ``msg``, a clone of the request."""
        msg.new_uri = self.new_uri
        msg.dst_uri = self.dst_uri
        msg.path = self.path
        msg.flags = self.flags
        msg.bflags = self.bflags
        msg.xflags = self.xflags
        del msg.lumps.items[self.lumps :]
        del msg.reply_lumps[self.reply_lumps :]
        msg.force_socket = self.force_socket
        msg.instance = self.instance
        msg.ruid = self.ruid
        msg.location_ua = self.location_ua
        msg.reg_id = self.reg_id
        msg.otcpid = self.otcpid
        msg.q = self.q
        msg.force_rport = self.force_rport
        msg.advertise = self.advertise


class Client(Timed):
    """One branch: what was sent where, and what came back.

    ``status``: the last code received (0 none; of our own making when ``faked``), ``reply``: the final reply as the
    onreply route left it. ``targets``: further (proto, ip, port) to try when this one fails. ``cancel``: 0 not
    cancelled, 1 to be cancelled once it rings, 2 CANCEL sent.
    """

    __slots__ = (
        "t", "index", "uri", "dst_uri", "path", "flags", "branch", "text", "dest", "state", "status", "reply", "faked",
        "fr_at", "retr_at", "interval", "on_reply", "on_branch_failure", "ruid", "instance", "location_ua", "q",
        "cancel", "cancel_request", "targets", "timed_out", "replied", "blind", "reg_id", "otcpid", "socket", "reason",
        "sent", "lumps",
    )  # fmt: skip

    def __init__(self, t: Transaction, index: int, uri: str, dst_uri: str, path: str) -> None:
        self.due = NEVER
        self.queued = NEVER
        self.t: Transaction | None = t
        self.index = index
        self.uri = uri
        self.dst_uri = dst_uri
        self.path = path
        self.flags = 0
        self.branch = ""
        self.text = ""
        self.dest: Dest | None = None
        self.state = CALLING
        self.status = 0
        self.reply: SipMessage | None = None
        self.faked = False
        self.fr_at = NEVER
        self.retr_at = NEVER
        self.interval = 0.0
        self.on_reply = ""
        self.on_branch_failure = ""
        self.ruid = ""
        self.instance = ""
        self.location_ua = ""
        self.reg_id = 0
        self.otcpid = 0
        self.q = -1
        self.socket: Listen | None = None
        self.cancel = 0
        self.cancel_request: CancelRequest | None = None
        self.targets: list[tuple[str, str, int]] | None = None
        self.timed_out = False
        self.replied = False
        # A place holder without a request: a suspended transaction waits with it.
        self.blind = False
        self.reason = ""
        self.sent = False
        # Edits of this branch, while its text cannot be built yet.
        self.lumps: Any = None

    def fire(self, now: float) -> None:
        t = self.t
        if t is not None and t.engine is not None:
            t.engine.client_timer(self, now)

    def __repr__(self) -> str:
        return f"<Client {self.index} {self.uri} {STATE_NAMES[self.state]} {self.status}>"


class CancelRequest(Timed):
    """A CANCEL we sent, retransmitted on UDP until it is answered."""

    __slots__ = ("engine", "text", "dest", "interval", "until", "t2")

    def __init__(self, engine: Engine, text: str, dest: Dest, t1: float, t2: float, until: float) -> None:
        self.due = NEVER
        self.queued = NEVER
        self.engine = engine
        self.text = text
        self.dest = dest
        self.interval = t1
        self.t2 = t2
        self.until = until

    def fire(self, now: float) -> None:
        if now >= self.until:
            return
        proxy = self.engine.proxy
        proxy.send(self.text, self.dest)
        self.engine.retransmitted += 1
        self.interval = interval = min(self.interval * 2, self.t2)
        self.engine.timers.set(self, now, min(interval, self.until - now))
