"""Messages that follow an INVITE: CANCEL, ACK, requests in the dialog from either side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ksrcore.kemi.facade import to_wire
from ksrcore.net.address import bracketed
from ksrcore.sip.build import build_ack, build_cancel

from .errors import UsageError
from .messages import Fields, Message, build_request
from .sent import Sent

if TYPE_CHECKING:
    from .result import Result
    from .world import World

__all__ = ["ack", "cancel", "request"]

__tracebackhide__ = True

#: The callee's CSeq begins anywhere and grows (RFC 3261 12.2.1.1).
_CALLEE_CSEQ = 101


def cancel(world: World, to: Result | Message, headers: Fields | None) -> Message:
    """The caller cancels his INVITE."""
    invite = to if isinstance(to, Message) else to.message
    if invite is not None and not invite.is_request:
        invite = world.requests.get(_key(invite))
    if invite is None or invite.method != "INVITE":
        raise UsageError("ksr.cancel() takes the INVITE or the result of routing it")
    made = Message(build_cancel(invite.wire), invite.proto, invite.ip, invite.port, invite.dst)
    return made.replace(headers=headers) if headers else made


def ack(world: World, to: Result) -> Message:
    """The ACK of the final reply in a result: hop by hop when it is negative, else in its dialog."""
    reply = to.reply
    if reply.code < 200:
        raise UsageError(f"a provisional reply is not acknowledged: {reply!r}")
    if reply.code < 300:
        return request(world, "ACK", to, "caller", None, "")
    invite = _request_of(world, reply)
    wire = build_ack(invite.wire, to_wire(reply.headers["To"]))
    return Message(wire, invite.proto, invite.ip, invite.port, invite.dst)


def request(world: World, method: str, to: Result, by: str, headers: Fields | None, body: str) -> Message:
    """A request in the dialog that the reply of a result has set up. ``by``: "caller" or "callee"."""
    if by not in ("caller", "callee"):
        raise UsageError(f'by expects "caller" or "callee", got {by!r}')
    relayed = to._replied_to
    if by == "callee" and relayed is None:
        raise UsageError("the callee goes on after a reply of his: give the result of ksr.reply()")
    if by == "callee" and method == "ACK":
        raise UsageError("the callee acknowledges nothing: he got the INVITE")
    reply = to.reply
    callid = reply.headers["Call-ID"]
    local, remote = reply.headers["From"], reply.headers["To"]
    where: Message | Sent
    if by == "caller" or relayed is None:
        where = first = _request_of(world, reply)
        target = reply.headers.get("Contact", f"<{first.uri}>")
        # The caller's route set is what the reply has, in reverse; the callee's what the request had.
        routes, dst = _routes(reply)[::-1], first.dst
        cseq = int(reply.headers["CSeq"].partition(" ")[0])
        if method != "ACK":
            cseq = _next(world, callid, local, cseq)
    else:
        where = relayed
        local, remote = remote, local
        target = relayed.headers.get("Contact", relayed.headers["From"])
        routes, dst = _routes(relayed), ""
        cseq = _next(world, callid, local, _CALLEE_CSEQ - 1)
    return build_request(
        world.numbers, method, _uri(target), from_=local, to=remote, src=f"{bracketed(where.ip)}:{where.port}",
        proto=where.proto, dst=dst, headers=headers, body=body, call_id=callid, cseq=cseq, from_tag="", to_tag="",
        route=routes,
    )  # fmt: skip


def _next(world: World, callid: str, local: str, least: int) -> int:
    """The CSeq number after those this side has used in the dialog."""
    used = [
        int(cseq.partition(" ")[0])
        for (known, cseq), message in world.requests.items()
        if known == callid and message.headers.get("From") == local
    ]
    return max((least, *used)) + 1


def _request_of(world: World, reply: Sent) -> Message:
    found = world.requests.get((reply.headers.get("Call-ID", ""), reply.headers.get("CSeq", "")))
    if found is None:
        raise UsageError(f"{reply!r} is a reply to no request of this test")
    return found


def _key(message: Message) -> tuple[str, str]:
    return message.headers.get("Call-ID", ""), message.headers.get("CSeq", "")


def _uri(contact: str) -> str:
    """The URI of a Contact."""
    return contact.partition("<")[2].partition(">")[0] or contact.partition(";")[0]


def _routes(sent: Sent) -> list[str]:
    return [part.strip() for value in sent.headers.all("Record-Route") for part in value.split(",")]
