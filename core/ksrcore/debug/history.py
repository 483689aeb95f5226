"""A transaction told from the records: for requests and replies that met one in a core route.

What the wire shows is exact: branches, what they got and sent, what went upstream. What it does not show (callbacks
set, flags, AVPs) comes from the KSR calls that were recorded, or from the latest callback of the transaction.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from ..capture.recorder import Record, Recorder
from ..net.address import Dest
from ..pv.state import Avps
from ..sip.errors import SipError
from ..tm.hooks import ACK_IN
from ..tm.kept import Kept
from ..tm.states import ACCEPTED, COMPLETED, PROCEEDING
from ..tm.transaction import REPLIED, T_CANCELED, Client, Transaction

if TYPE_CHECKING:
    from ..net.address import Listen
    from ..proxy import Proxy
    from ..sip.message import SipMessage
    from ..tm.engine import Engine

#: Records looked back for the request of a transaction.
_LOOK = 5000

#: KSR calls that set what the wire does not show, and what they set.
_SETTERS = {
    "t_on_failure": "on_failure",
    "t_on_reply": "on_reply",
    "t_on_branch": "on_branch",
    "t_on_branch_failure": "on_branch_failure",
}


def transaction_of(
    proxy: Proxy, recorder: Recorder, record: Record, msg: SipMessage, listens: list[Listen]
) -> Transaction | None:
    """Put the transaction that a message belonged to when it came into the sandbox's tm. None: there was none."""
    tm: Any = proxy.modules.get("tm")
    if tm is None:
        return None
    engine: Engine = tm.engine
    call = _before(recorder, record, msg.callid)
    try:
        source = _request_of(engine, call, msg)
        return _rebuild(engine, source, call, record, listens) if source is not None else None
    except SipError:
        return None


def _before(recorder: Recorder, record: Record, callid: str) -> list[tuple[Record, SipMessage]]:
    """The messages of that call before ``record``, oldest first."""
    records = recorder.records
    if not callid or not records:
        return []
    found = []
    end = record.id - records[0].id
    # Made a list in one go: traffic goes on in another thread.
    for each in list(islice(records, max(0, end - _LOOK), max(0, end))):
        if callid in each.data and (msg := each.msg) is not None and msg.callid == callid:
            found.append((each, msg))
    return found


def _request_of(engine: Engine, call: list[tuple[Record, SipMessage]], msg: SipMessage) -> Record | None:
    if not msg.is_request:
        branch = msg.via.branch if msg.via is not None else ""
        for each, other in call:
            if each.out and other.is_request and other.via is not None and other.via.branch == branch:
                return next((r for r, _ in call if r.id == each.cause and not r.out), None)
        return None
    wanted = {engine.request_key(msg, msg.method)}
    if msg.method == "CANCEL":
        wanted.add(engine.request_key(msg, "INVITE"))
    for each, other in call:
        if each.out or not other.is_request or other.method == "ACK":
            continue
        if engine.request_key(other, other.method) in wanted or (msg.method == "ACK" and _acknowledged(msg, other)):
            return each
    return None


def _acknowledged(ack: SipMessage, invite: SipMessage) -> bool:
    """Whether this is the ACK of a 2xx: a transaction of its own with the INVITE's number and From tag."""
    if invite.method != "INVITE" or ack.cseq is None or invite.cseq is None or ack.from_ is None:
        return False
    return ack.cseq.number == invite.cseq.number and invite.from_ is not None and ack.from_.tag == invite.from_.tag


def _rebuild(
    engine: Engine, source: Record, call: list[tuple[Record, SipMessage]], until: Record, listens: list[Listen]
) -> Transaction | None:
    msg = source.fresh(listens)
    own = Record(source.id, source.time, source.where, source.data)
    t = Transaction(engine, msg, own, Avps())
    t.key = engine.request_key(msg, msg.method)
    ended = 0.0
    for record, other in call:
        via = other.via
        if record.id <= source.id or via is None or other.cseq is None:
            continue
        if record.out and other.is_request:
            _branch(t, record, other)
        elif record.out:
            if msg.via is not None and via.branch == msg.via.branch and other.method == t.method:
                ended = _answered(t, record, other, call) or ended
        elif not other.is_request:
            if other.method == t.method and (client := _client(t, via.branch)) is not None:
                client.replied = client.status > 0
                client.status = other.status
                if other.status >= 200:
                    client.reply = record.fresh(listens)
        elif other.method == "CANCEL" and engine.request_key(other, "INVITE") == t.key:
            t.flags |= T_CANCELED
    if ended and until.time - ended > engine.wait + (engine.fr if t.status >= 300 and t.is_invite else 0.0):
        return None  # it was gone by then
    _unseen(t, source, call)
    if not t.prefix:
        engine.label(t)
    engine.servers[t.key] = t
    engine.clients[t.prefix] = t
    if t.is_invite and 200 <= t.status < 300 and (t.relayed == -2 or engine.hooks.events & ACK_IN):
        engine._expect_ack(t)
    return t


def _client(t: Transaction, branch: str) -> Client | None:
    return next((client for client in t.branches if client.branch == branch), None)


def _branch(t: Transaction, record: Record, msg: SipMessage) -> None:
    """A request that left: a branch of the transaction, or a CANCEL for one."""
    branch = msg.via.branch if msg.via is not None else ""
    prefix, _, index = branch.rpartition(".")
    if not t.prefix and record.cause == t.record.id and msg.method == t.method:
        t.prefix = prefix
    if prefix != t.prefix or not prefix:
        return
    known = _client(t, branch)
    if known is not None:
        if msg.method == "CANCEL":
            known.cancel = 2
        return
    if msg.method != t.method:
        return
    client = Client(t, int(index, 16) if index else len(t.branches), msg.ruri, "", "")
    client.branch, client.text, client.sent = branch, record.data, True
    client.dest = record.where if isinstance(record.where, Dest) else None
    t.branches.append(client)


def _answered(t: Transaction, record: Record, reply: SipMessage, call: list[tuple[Record, SipMessage]]) -> float:
    """A reply that went upstream. When it was final, the time (unix)."""
    t.status, t.reason, t.response = reply.status, reply.reason, record.data
    t.reply_dest = record.where if isinstance(record.where, Dest) else None
    t.state = PROCEEDING if reply.status < 200 else COMPLETED
    if reply.status < 200:
        return 0.0
    cause = next((m for r, m in call if r.id == record.cause and not r.out and not m.is_request), None)
    client = _client(t, cause.via.branch) if cause is not None and cause.via is not None else None
    if client is not None and client.status == reply.status:
        t.relayed = t.winner = client.index
        if t.is_invite and reply.status < 300:
            t.state = ACCEPTED
    else:
        t.relayed = -2
        t.kept |= REPLIED
        t.to_tag = reply.to_tag
    return record.time


def _unseen(t: Transaction, source: Record, call: list[tuple[Record, SipMessage]]) -> None:
    """What the wire does not show."""
    latest: Kept | None = None
    for record, _ in [(source, t.msg), *call]:
        for ran in record.runs:
            if ran.kept is not None and (kept := Kept._make(ran.kept)).of == source.id:
                latest = kept
    for ran in source.runs:
        for decl, args, _ in ran.iter_calls():
            if decl.module == "tm" and decl.name in _SETTERS and args:
                setattr(t, _SETTERS[decl.name], args[0])
            elif decl.module == "" and decl.name in ("setflag", "resetflag") and args and isinstance(args[0], int):
                bit = 1 << args[0]
                t.msg.flags = t.msg.flags | bit if decl.name == "setflag" else t.msg.flags & ~bit
    if latest is not None:
        if latest.avps is not None:
            t.avps = latest.avps.copy()
        if latest.is_request:
            t.msg.new_uri, t.msg.dst_uri = latest.message[0], latest.message[1]
