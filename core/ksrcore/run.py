"""A run: one activation of the script for one message, and the environment that KSR functions act in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .pv.state import Avps

if TYPE_CHECKING:
    from .capture.recorder import Record
    from .proxy import Proxy
    from .sip.message import SipMessage

# Kamailio's route types (core/route.h names), as bits so that a function can say where it may be called.
REQUEST_ROUTE = 1
FAILURE_ROUTE = 2
TM_ONREPLY_ROUTE = 4
BRANCH_ROUTE = 8
ONSEND_ROUTE = 16
ERROR_ROUTE = 32
LOCAL_ROUTE = 64
CORE_ONREPLY_ROUTE = 128
BRANCH_FAILURE_ROUTE = 256
EVENT_ROUTE = 512
ONREPLY_ROUTE = TM_ONREPLY_ROUTE | CORE_ONREPLY_ROUTE

ROUTE_NAMES = {
    REQUEST_ROUTE: "request",
    FAILURE_ROUTE: "failure",
    TM_ONREPLY_ROUTE: "onreply",
    BRANCH_ROUTE: "branch",
    ONSEND_ROUTE: "onsend",
    ERROR_ROUTE: "error",
    LOCAL_ROUTE: "local",
    CORE_ONREPLY_ROUTE: "reply",
    BRANCH_FAILURE_ROUTE: "branch_failure",
    EVENT_ROUTE: "event",
}


def route_for(msg: SipMessage) -> int:
    """The kind of route a message that comes in is given to."""
    if msg.http:
        return EVENT_ROUTE
    return REQUEST_ROUTE if msg.is_request else CORE_ONREPLY_ROUTE


class Run:
    """What a KSR function sees: the proxy, the message, the kind of route, the transaction and branch in hand.

    ``t`` is the transaction (None: none yet, or not looked up), ``branch`` the branch index (-1: none), ``reply`` the
    message in a failure route that won. ``calls`` is the flat record of KSR calls, which
    :meth:`~ksrcore.capture.recorder.Ran.iter_calls` reads. ``exited``: the script ended by exit; ``dropped``: by drop
    or ``KSR.set_drop()``; what that means depends on the route, as in Kamailio.
    """

    # Defaults of the class, not set for each run: this is the path of every message.
    callback = ""
    reply: SipMessage | None = None
    dropped = False
    exited = False
    result: Any = None
    exception: BaseException | None = None
    traceback = ""
    duration = 0.0
    version = 0
    #: True once something answered, relayed or dropped the request: an exception then sends no 500.
    handled = False
    #: Where the message is about to go: in onsend routes only.
    dest: Any = None
    #: tm: whether this message was looked up already (t may be None because nothing was found).
    t_lookup = False
    #: What the transaction and the message were when the callback began, see tm/kept.py; None in routes without.
    kept: Any = None
    _avps: Avps | None = None
    _local: dict[str, Any] | None = None

    def __init__(
        self,
        proxy: Proxy,
        msg: SipMessage,
        route: int,
        record: Record,
        avps: Avps | None = None,
        t: Any = None,
        branch: int = -1,
    ) -> None:
        self.proxy = proxy
        self.msg = msg
        self.route = route
        self.record = record
        self.t = t
        self.branch = branch
        self.calls: list[Any] = []
        if avps is not None:
            self._avps = avps

    @property
    def avps(self) -> Avps:
        """The AVP lists of this message, or of its transaction: made when first used."""
        avps = self._avps
        if avps is None:
            avps = self._avps = Avps()
        return avps

    @avps.setter
    def avps(self, avps: Avps) -> None:
        self._avps = avps

    @property
    def local(self) -> dict[str, Any]:
        """What modules keep for the length of one run only."""
        local = self._local
        if local is None:
            local = self._local = {}
        return local
