"""What the recorder keeps of a transaction when one of its callbacks begins, so that the callback can run again.

A plain tuple of small values: never the parsed messages, whose memory the recorder must not hold. :func:`keep` is on
the path of every reply; :func:`restore` makes a transaction of it in a sandbox.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from ..capture.recorder import Record
from ..pv.state import Avps
from ..run import BRANCH_FAILURE_ROUTE, BRANCH_ROUTE, CORE_ONREPLY_ROUTE, FAILURE_ROUTE, REQUEST_ROUTE
from .transaction import Client, Saved, Transaction

if TYPE_CHECKING:
    from ..net.address import Listen
    from ..run import Run
    from ..sip.message import SipMessage
    from .engine import Engine

__all__ = ["KEPT_ROUTES", "Kept", "keep", "restore"]


class Kept(NamedTuple):
    """The names of the tuple's values. What never changes is made once for each transaction and branch, and shared."""

    is_request: bool
    #: Of the request, the callback's or the transaction's: which values depends on the route (:func:`_names`).
    message: tuple[Any, ...]
    lumps: list[Any]
    transaction: tuple[Any, ...] | None
    #: Prefix, label and key, and the first fields of the transaction's record: id, time, where, data.
    place: tuple[str, int, str, int, float, Any, str] | None
    avps: Avps | None
    #: Of each branch: its place, its state, and the id of its final reply (0: none).
    branches: list[tuple[tuple[Any, ...], tuple[Any, ...], int]]
    local: dict[str, Any]
    args: tuple[Any, ...]
    #: State and lumps of the transaction's request, where the callback's message is a copy of it; else None.
    own: tuple[tuple[Any, ...], list[Any]] | None

    @property
    def source(self) -> Record | None:
        """The request of the transaction as it came, None without one."""
        return Record(*self.place[3:]) if self.place is not None else None

    @property
    def of(self) -> int:
        """The id of that record, 0 without one."""
        return self.place[3] if self.place is not None else 0


#: The routes it is kept for: for others the message as it came is all there is.
KEPT_ROUTES = 1023 & ~(REQUEST_ROUTE | CORE_ONREPLY_ROUTE)

_MESSAGE = (
    "new_uri", "dst_uri", "flags", "xflags", "force_rport", "advertise", "add_local_rport", "path", "bflags",
    "force_socket", "instance", "ruid", "location_ua", "reg_id", "otcpid", "q",
)  # fmt: skip
#: What a branch route's message has beside what is the branch's, and what of the request is seen from a reply.
_OF_BRANCH = _MESSAGE[:7]
_OF_REPLY = ("new_uri", "dst_uri", "flags", "xflags", "path")
#: What a branch route's message has of its branch: its name there and here.
_SHARED = (
    ("path", "path"), ("bflags", "flags"), ("force_socket", "socket"), ("instance", "instance"), ("ruid", "ruid"),
    ("location_ua", "location_ua"), ("reg_id", "reg_id"), ("otcpid", "otcpid"), ("q", "q"),
)  # fmt: skip
_TRANSACTION = (
    "state", "status", "flags", "kept", "reason", "response", "reply_dest", "to_tag", "relayed", "leg", "on_failure",
    "on_reply", "on_branch", "on_branch_failure", "expires", "winner", "drop_replies", "cancel_reasons", "fr", "fr_inv",
    "t1", "t2",
)  # fmt: skip
_PLACE = (
    "index", "uri", "dst_uri", "path", "branch", "ruid", "instance", "location_ua", "reg_id", "otcpid", "q", "socket",
)  # fmt: skip
_CLIENT = (
    "state", "status", "flags", "text", "dest", "faked", "on_reply", "on_branch_failure", "timed_out", "replied",
    "blind", "reason", "sent", "cancel",
)  # fmt: skip

_message = attrgetter(*_MESSAGE)
_of_branch = attrgetter(*_OF_BRANCH)
_of_reply = attrgetter(*_OF_REPLY)
_transaction = attrgetter(*_TRANSACTION)
_place = attrgetter(*_PLACE)
_client = attrgetter(*_CLIENT)


def _names(is_request: bool, route: int) -> tuple[str, ...]:
    """What is kept of a message with a transaction."""
    if not is_request:
        return _OF_REPLY
    return _OF_BRANCH if route == BRANCH_ROUTE else _MESSAGE


def keep(run: Run, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the callback that begins now sees of its message and transaction: the values of a :class:`Kept`."""
    t: Transaction | None = run.t
    msg = run.msg
    avps = run._avps
    if avps is not None:
        # Most have none.
        avps = avps.copy() if (avps.avps or avps.made) and avps.in_use() else None
    local = run._local.copy() if run._local else {}
    if run.dest is not None:
        local["dest"] = run.dest
    if t is None or t.engine is None:
        return msg.is_request, _message(msg), msg.lumps.items[:], None, None, avps, [], local, args, None
    branches = []
    for c in t.branches:
        branches.append((c.place or _placed(c), _client(c), 0 if c.reply is None else c.reply.id))
    where = t.place or _where(t)
    if not msg.is_request:
        return False, _of_reply(t.msg), [], _transaction(t), where, avps, branches, local, args, None
    return (
        True,
        _of_branch(msg) if run.route == BRANCH_ROUTE else _message(msg),
        msg.lumps.items[:],
        _transaction(t),
        where,
        avps,
        branches,
        local,
        args,
        None if msg is t.msg else (_message(t.msg), t.msg.lumps.items[:]),
    )


def _placed(client: Client) -> tuple[Any, ...]:
    """What never changes of a branch once it was sent: its branch route is over."""
    place = _place(client)
    if client.sent:
        client.place = place
    return place


def _where(t: Transaction) -> tuple[str, int, str, int, float, Any, str]:
    """What never changes of a transaction once it has its label."""
    # Not the record itself: it has this among its callbacks, and would refer to itself.
    record = t.record
    where = t.prefix, t.id_label, t.key, record.id, record.time, record.where, record.data
    if t.prefix:
        t.place = where
    return where


def restore(
    engine: Engine, kept: Kept, msg: SipMessage, route: int, listens: list[Listen], replies: dict[int, SipMessage]
) -> tuple[Transaction | None, Avps | None, dict[str, Any]]:
    """The transaction in a sandbox's engine, its AVPs and the run's own values.

    ``msg`` is the callback's message, parsed anew: it gets the state it had. ``replies`` are the branches' final
    replies by id, as far as they are still there. Raises :class:`SipError` when the request cannot be parsed again.
    """
    avps = kept.avps.copy() if kept.avps is not None else None
    local = dict(kept.local)
    if kept.transaction is None or kept.place is None:
        _give(msg, _MESSAGE, kept.message)
        msg.lumps.items[:] = kept.lumps
        return None, avps, local
    record = Record(*kept.place[3:])
    request = msg.clone() if kept.is_request else record.fresh(listens)
    names = _names(kept.is_request, route)
    if kept.own is not None:
        _give(request, _MESSAGE, kept.own[0])
        request.lumps.items[:] = kept.own[1]
    else:
        _give(request, names, kept.message)
        request.lumps.items[:] = kept.lumps
    if avps is None:
        avps = Avps()
    t = Transaction(engine, request, record, avps)
    _give(t, _TRANSACTION, kept.transaction)
    t.prefix, t.id_label, t.key = kept.place[:3]
    for place, values, reply in kept.branches:
        client = Client(t, *place[:4])
        _give(client, _PLACE, place)
        _give(client, _CLIENT, values)
        client.reply = replies.get(reply)
        t.branches.append(client)
    if t.key:
        engine.servers[t.key] = t
    engine.clients[t.prefix] = t
    if not kept.is_request:
        msg.flags = request.flags
        return t, avps, local
    _give(msg, names, kept.message)
    if route == BRANCH_ROUTE and t.branches:
        for name, its in _SHARED:
            value = getattr(t.branches[-1], its)
            setattr(msg, name, value)
            if kept.own is None:
                setattr(request, name, value)
    msg.lumps.items[:] = kept.lumps
    if route in (FAILURE_ROUTE, BRANCH_FAILURE_ROUTE):
        t.saved = Saved(msg)
        # The very objects: by them it is seen whether the route set another URI.
        local["uri"], local["dst_uri"] = msg.new_uri, msg.dst_uri
    return t, avps, local


def _give(thing: Any, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
    for name, value in zip(names, values, strict=True):
        setattr(thing, name, value)
