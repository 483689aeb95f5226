"""Messages of other proxies among the captured ones, and captured ones for the world outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..net.address import Dest, Listen, Rcv
from .captured import Captured

if TYPE_CHECKING:
    from ..proxy import Proxy
    from .recorder import Inserted, Record

__all__ = ["captured", "insert"]


def insert(
    proxy: Proxy, message: Captured, origin: str, *, out: bool = False, cause: int = 0, told: bool = True
) -> Inserted:
    """Keep a message that another proxy has received or sent. It has the addresses of its own; where the script asks
    for the socket it is one of ours, the same when we have it."""
    own = (message.src_ip, message.src_port) if out else (message.dst_ip, message.dst_port)
    listens = proxy.listens
    listen = (
        next((x for x in listens if (x.proto, x.host, x.port) == (message.proto, *own)), None)
        or next((x for x in listens if x.proto == message.proto), None)
        or (listens[0] if listens else Listen(message.proto, *own))
    )
    where: Rcv | Dest
    if out:
        sender = Listen(message.proto, *own)
        where = Dest(message.proto, message.dst_ip, message.dst_port, sender, message.conid)
    else:
        where = Rcv(message.proto, *message[2:6], listen, message.conid)
    return proxy.recorder.insert(message.time, where, message.data.decode("latin-1"), origin, out, cause, told)


def captured(record: Record, pick: Callable[[str, str], Listen | None]) -> Captured:
    """A record as it was on the wire. ``pick(proto, ip)``: the socket from which a message left that names none."""
    src, dst = record.src, record.dst
    if not src[0]:
        listen = pick(record.proto, dst[0])
        src = (listen.host, listen.port) if listen is not None else ("::" if ":" in dst[0] else "0.0.0.0", 5060)
    return Captured(record.time, record.proto, *src, *dst, record.data.encode("latin-1"), record.conid, record.out)
