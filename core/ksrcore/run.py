"""A run: one activation of the script for one message, and the environment that KSR functions act in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .capture.recorder import Record
    from .kemi.declare import Decl
    from .proxy import Proxy
    from .pv.state import Avps
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
ANY_ROUTE = 1023

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


class Run:
    """What a KSR function sees: the proxy, the message, the kind of route, the transaction and branch in hand.

    ``t`` is the transaction (None: none yet, or not looked up), ``branch`` the branch index (-1: none), ``reply`` the
    message in a failure route that won, ``avps`` the lists that travel with the transaction. ``calls`` is the flat
    record of KSR calls (see :meth:`iter_calls`). ``exited``: the script ended by exit; ``dropped``: by drop or
    ``KSR.set_drop()``; what that means depends on the route, as in Kamailio.
    """

    __slots__ = (
        "proxy",
        "msg",
        "route",
        "callback",
        "t",
        "branch",
        "reply",
        "avps",
        "calls",
        "record",
        "dropped",
        "exited",
        "result",
        "exception",
        "traceback",
        "started",
        "duration",
        "version",
        "handled",
        "dest",
        "local",
        "t_lookup",
    )

    def __init__(
        self,
        proxy: Proxy,
        msg: SipMessage,
        route: int,
        record: Record,
        avps: Avps,
        t: Any = None,
        branch: int = -1,
    ) -> None:
        self.proxy = proxy
        self.msg = msg
        self.route = route
        self.callback = ""
        self.t = t
        self.branch = branch
        self.reply: SipMessage | None = None
        self.avps = avps
        self.calls: list[Any] = []
        self.record = record
        self.dropped = False
        self.exited = False
        self.result: Any = None
        self.exception: BaseException | None = None
        self.traceback = ""
        self.started = 0.0
        self.duration = 0.0
        self.version = 0
        # True once something answered, relayed or dropped the request: an exception then sends no 500.
        self.handled = False
        # Where the message is about to go: in onsend routes only.
        self.dest: Any = None
        # What modules keep for the length of one run only.
        self.local: dict[str, Any] = {}
        # tm: whether this message was looked up already (t may be None because nothing was found).
        self.t_lookup = False

    def iter_calls(self) -> Iterator[tuple[Decl, tuple[Any, ...], Any]]:
        """The KSR calls made: declaration, arguments, result (an exception object when it raised).

        They are stored flat (declaration, arguments ..., result): no tuple per call, so that keeping them costs one
        ``extend`` and gives the garbage collector nothing to trace.
        """
        calls = self.calls
        at = 0
        while at < len(calls):
            decl = calls[at]
            count = decl.arity
            if count < 0:  # a call with wrong arguments: one tuple of what came
                yield decl.decl, calls[at + 1], calls[at + 2]
                at += 3
                continue
            yield decl, tuple(calls[at + 1 : at + 1 + count]), calls[at + 1 + count]
            at += count + 2
