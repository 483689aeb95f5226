"""What the recorder keeps of a transaction when one of its callbacks begins, so that the callback can run again.

A plain tuple of small values: never the parsed messages, whose memory the recorder must not hold. :func:`keep` is on
the path of every reply; :func:`restore` makes a transaction of it in a sandbox.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from ..capture.recorder import Record
from ..pv.state import Avps
from ..run import BRANCH_FAILURE_ROUTE, CORE_ONREPLY_ROUTE, FAILURE_ROUTE, REQUEST_ROUTE
from .transaction import Client, Saved, Transaction

if TYPE_CHECKING:
    from ..net.address import Listen
    from ..run import Run
    from ..sip.message import SipMessage
    from .engine import Engine

__all__ = ["KEPT_ROUTES", "Kept", "keep", "restore"]


class Kept(NamedTuple):
    """The names of the tuple's values. ``source``: the first fields of the transaction's record, None without one."""

    is_request: bool
    message: tuple[Any, ...]
    lumps: list[Any]
    transaction: tuple[Any, ...] | None
    source: tuple[int, float, Any, str] | None
    avps: Avps | None
    #: Of each branch: its values and the id of its final reply (0: none).
    branches: list[tuple[tuple[Any, ...], int]]
    local: dict[str, Any]
    args: tuple[Any, ...]
    #: State and lumps of the transaction's request, where the callback's message is a copy of it; else None.
    own: tuple[tuple[Any, ...], list[Any]] | None


#: The routes it is kept for: for others the message as it came is all there is.
KEPT_ROUTES = 1023 & ~(REQUEST_ROUTE | CORE_ONREPLY_ROUTE)

_MESSAGE = (
    "new_uri", "dst_uri", "path", "flags", "bflags", "xflags", "force_socket", "instance", "ruid", "location_ua",
    "reg_id", "otcpid", "q", "force_rport", "advertise", "add_local_rport",
)  # fmt: skip
_TRANSACTION = (
    "prefix", "id_label", "state", "status", "flags", "kept", "reason", "response", "reply_dest", "to_tag", "relayed",
    "leg", "on_failure", "on_reply", "on_branch", "on_branch_failure", "expires", "winner", "drop_replies",
    "cancel_reasons", "key", "fr", "fr_inv", "t1", "t2",
)  # fmt: skip
_CLIENT = (
    "index", "uri", "dst_uri", "path", "state", "status", "flags", "branch", "text", "dest", "faked", "on_reply",
    "on_branch_failure", "ruid", "instance", "location_ua", "reg_id", "otcpid", "q", "socket", "timed_out", "replied",
    "blind", "reason", "sent", "cancel",
)  # fmt: skip

_message = attrgetter(*_MESSAGE)
_transaction = attrgetter(*_TRANSACTION)
_client = attrgetter(*_CLIENT)


def keep(run: Run, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the callback that begins now sees of its message and transaction: the values of a :class:`Kept`."""
    t: Transaction | None = run.t
    msg = run.msg
    is_request = msg.is_request
    avps = run._avps
    if avps is not None:
        avps = avps.copy() if avps.in_use() else None
    local = run._local.copy() if run._local else {}
    if run.dest is not None:
        local["dest"] = run.dest
    if t is None or t.engine is None:
        return is_request, _message(msg), msg.lumps.items[:], None, None, avps, [], local, args, None
    request = msg if is_request else t.msg
    # Not the record itself: it has this among its callbacks, and would refer to itself.
    record = t.record
    return (
        is_request,
        _message(request),
        request.lumps.items[:] if is_request else [],
        _transaction(t),
        (record.id, record.time, record.where, record.data),
        avps,
        [(_client(c), c.reply.id if c.reply is not None else 0) for c in t.branches],
        local,
        args,
        (_message(t.msg), t.msg.lumps.items[:]) if is_request and msg is not t.msg else None,
    )


def restore(
    engine: Engine, kept: Kept, msg: SipMessage, route: int, listens: list[Listen], replies: dict[int, SipMessage]
) -> tuple[Transaction | None, Avps | None, dict[str, Any]]:
    """The transaction in a sandbox's engine, its AVPs and the run's own values.

    ``msg`` is the callback's message, parsed anew: it gets the state it had. ``replies`` are the branches' final
    replies by id, as far as they are still there. Raises :class:`SipError` when the request cannot be parsed again.
    """
    avps = kept.avps.copy() if kept.avps is not None else None
    local = dict(kept.local)
    if kept.transaction is None or kept.source is None:
        _give(msg, _MESSAGE, kept.message)
        msg.lumps.items[:] = kept.lumps
        return None, avps, local
    record = Record(*kept.source)
    request = msg.clone() if kept.is_request else record.fresh(listens)
    state, lumps = kept.own or (kept.message, kept.lumps)
    _give(request, _MESSAGE, state)
    request.lumps.items[:] = lumps
    if avps is None:
        avps = Avps()
    t = Transaction(engine, request, record, avps)
    _give(t, _TRANSACTION, kept.transaction)
    for values, reply in kept.branches:
        found = dict(zip(_CLIENT, values, strict=True))
        client = Client(t, found.pop("index"), found.pop("uri"), found.pop("dst_uri"), found.pop("path"))
        for name, value in found.items():
            setattr(client, name, value)
        client.reply = replies.get(reply)
        t.branches.append(client)
    if t.key:
        engine.servers[t.key] = t
    engine.clients[t.prefix] = t
    if not kept.is_request:
        msg.flags = request.flags
        return t, avps, local
    _give(msg, _MESSAGE, kept.message)
    msg.lumps.items[:] = kept.lumps
    if route in (FAILURE_ROUTE, BRANCH_FAILURE_ROUTE):
        t.saved = Saved(msg)
        # The very objects: by them it is seen whether the route set another URI.
        local["uri"], local["dst_uri"] = msg.new_uri, msg.dst_uri
    return t, avps, local


def _give(thing: Any, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
    for name, value in zip(names, values, strict=True):
        setattr(thing, name, value)


