"""HEP, the encapsulation of Homer: packets with their addresses and times, all three versions both ways.

Version 3 is "HEP3", the length of all, then chunks: vendor, type, length, value (draft of the HEP3 protocol,
https://github.com/sipcapture/HEP). Kamailio's siptrace, heplify, sngrep and Homer speak it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from ipaddress import ip_address
from typing import BinaryIO, Final, NamedTuple

from .captured import Captured, CaptureError
from .pcap import Damaged, read_exactly

__all__ = ["LOG", "Hep", "HepError", "decode", "encode", "encode_log", "encode_old", "is_hep", "read_hep"]

_SIP: Final = 1
#: The kind of a line of a log.
LOG: Final = 100
_AF_INET, _AF_INET6 = 2, 10
#: 22 is what Kamailio says of TLS and WebSocket.
_PROTOS: Final = {6: "tcp", 17: "udp", 22: "tls", 132: "sctp"}
_NUMBERS: Final = {"tcp": 6, "udp": 17, "tls": 22, "ws": 22, "wss": 22, "sctp": 132}
_MAX_PAYLOAD: Final = 1 << 20


class HepError(ValueError):
    """A datagram that is no HEP: one line."""


class Hep(NamedTuple):
    """A packet with its addresses. ``kind``: what the payload is, 1 for SIP; ``capture_id`` tells who sent it;
    ``correlation``: what belongs together, such as a Call-ID, '' when not said."""

    message: Captured
    kind: int = _SIP
    capture_id: int = 0
    correlation: str = ""


def is_hep(data: bytes) -> bool:
    return data[:4] == b"HEP3" or _is_old(data)


def _is_old(data: bytes) -> bool:
    """HEP 1 and 2: version, length of the header, which the family settles."""
    if len(data) < 16 or data[0] not in (1, 2):
        return False
    size = {_AF_INET: 16, _AF_INET6: 40}.get(data[2], 0) + (12 if data[0] == 2 else 0)
    return data[1] in (size, size - 12 if data[0] == 2 else size) and data[3] in _PROTOS


def _proto(number: int, payload: bytes) -> str:
    """The transport; WebSocket's is known by the topmost Via of the message."""
    proto = _PROTOS.get(number, "udp")
    if proto == "tls":
        at = payload.find(b"SIP/2.0/")
        said = payload[at + 8 : at + 12].upper() if at >= 0 else b""
        return "wss" if said.startswith(b"WSS") else "ws" if said.startswith(b"WS") else "tls"
    return proto


def decode(data: bytes, now: float = 0.0) -> Hep:
    """What a datagram holds. ``now``: the time of those that have none. Raises :class:`HepError`."""
    if data[:4] == b"HEP3":
        return _decode3(data, now)
    if _is_old(data):
        return _decode_old(data, now)
    raise HepError(f"no HEP: it begins with {data[:8]!r}")


def _decode3(data: bytes, now: float) -> Hep:
    if len(data) < 6:
        raise HepError("a HEP3 packet ends in its header")
    total = struct.unpack_from(">H", data, 4)[0]
    if total > len(data) or total < 6:
        raise HepError(f"a HEP3 packet says that it has {total} bytes, {len(data)} are there")
    chunks: dict[int, bytes] = {}
    at = 6
    while at + 6 <= total:
        vendor, kind, size = struct.unpack_from(">HHH", data, at)
        if size < 6 or at + size > total:
            raise HepError(f"a HEP3 chunk of type {kind} says that it has {size} bytes")
        if not vendor:
            chunks[kind] = data[at + 6 : at + size]
        at += size
    payload = chunks.get(15, b"")
    if 16 in chunks:
        payload = _inflate(chunks[16])
    ipv6 = _number(chunks, 1, _AF_INET) == _AF_INET6
    try:
        src = str(ip_address(chunks[5 if ipv6 else 3]))
        dst = str(ip_address(chunks[6 if ipv6 else 4]))
    except (KeyError, ValueError):
        raise HepError("a HEP3 packet without addresses") from None
    time = _number(chunks, 9) + _number(chunks, 10) / 1e6 if 9 in chunks else now
    proto = _proto(_number(chunks, 2, 17), payload)
    message = Captured(time, proto, src, _number(chunks, 7) & 0xFFFF, dst, _number(chunks, 8) & 0xFFFF, payload)
    return Hep(message, _number(chunks, 11, _SIP), _number(chunks, 12), chunks.get(17, b"").decode("utf-8", "replace"))


def _number(chunks: dict[int, bytes], kind: int, default: int = 0) -> int:
    value = chunks.get(kind)
    return int.from_bytes(value[:4], "big") if value else default


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)  # zlib's or gzip's header
    try:
        return inflater.decompress(data, _MAX_PAYLOAD)
    except zlib.error:
        raise HepError("a HEP3 packet whose compressed payload cannot be read") from None


def _decode_old(data: bytes, now: float) -> Hep:
    version, size, family, proto, src_port, dst_port = struct.unpack_from(">BBBBHH", data)
    width = 4 if family == _AF_INET else 16
    at = 8 + 2 * width
    if len(data) < at:
        raise HepError("a HEP packet ends in its header")
    src, dst = str(ip_address(data[8 : 8 + width])), str(ip_address(data[8 + width : at]))
    time, capture_id = now, 0
    if version == 2:
        if len(data) < at + 12:
            raise HepError("a HEP packet ends in its header")
        # In the byte order of who sent it: the one that gives a time of these decades.
        for order in "<>":
            seconds, micros, capture_id = struct.unpack_from(order + "IIH", data, at)
            if 900_000_000 < seconds < 4_000_000_000 and micros < 1_000_000:
                time = seconds + micros / 1e6
                break
        at += 12
    return Hep(Captured(time, _proto(proto, data[at:]), src, src_port, dst, dst_port, data[at:]), _SIP, capture_id)


def _addresses(message: Captured) -> tuple[bool, bytes, bytes]:
    """Whether they are IPv6, and both. Raises :class:`HepError`."""
    try:
        src, dst = ip_address(message.src_ip), ip_address(message.dst_ip)
    except ValueError:
        raise HepError(f"HEP needs addresses, got {message.src_ip!r} and {message.dst_ip!r}") from None
    if src.version != dst.version:
        raise HepError(f"HEP needs addresses of one family, got {src} and {dst}")
    return src.version == 6, src.packed, dst.packed


def encode(message: Captured, capture_id: int = 0, correlation: str = "", key: str = "") -> bytes:
    """The message as a HEP3 packet. ``key``: what the collector asks for, '' for nothing.

    Raises :class:`HepError` for one that does not fit, or whose addresses are none.
    """
    return _encode3(message, capture_id, correlation, key, _SIP, _NUMBERS.get(message.proto, 6))


def encode_log(line: Captured, capture_id: int, correlation: str, key: str) -> bytes:
    """A line of a log as a HEP3 packet, as Kamailio's hlog() writes it. Raises :class:`HepError`."""
    return _encode3(line, capture_id, correlation, key, LOG, 17)


def _encode3(message: Captured, capture_id: int, correlation: str, key: str, kind: int, proto: int) -> bytes:
    ipv6, src, dst = _addresses(message)
    seconds = int(message.time)
    ports = [(7, struct.pack(">H", message.src_port)), (8, struct.pack(">H", message.dst_port))]
    if kind == LOG:
        ports.reverse()
    chunks = [
        (1, bytes((_AF_INET6 if ipv6 else _AF_INET,))),
        (2, bytes((proto,))),
        (5 if ipv6 else 3, src),
        (6 if ipv6 else 4, dst),
        *ports,
        (9, struct.pack(">I", seconds & 0xFFFFFFFF)),
        (10, struct.pack(">I", int((message.time - seconds) * 1e6))),
        (11, bytes((kind,))),
        (12, struct.pack(">I", capture_id)),
    ]
    if correlation:
        chunks.append((17, correlation.encode("utf-8")))
    if key:
        chunks.append((14, key.encode("utf-8")))
    chunks.append((15, message.data))
    total = 6 + sum(6 + len(value) for _, value in chunks)
    if total > 65507:
        raise HepError(f"a message of {len(message.data)} bytes does not fit into a HEP3 datagram")
    body = b"".join(struct.pack(">HHH", 0, kind, 6 + len(value)) + value for kind, value in chunks)
    return b"HEP3" + struct.pack(">H", total) + body


def encode_old(message: Captured, version: int, capture_id: int = 0) -> bytes:
    """The message as a packet of HEP 1 or 2, which adds time and ``capture_id``, as Kamailio on this kind of machine
    writes them. Raises :class:`HepError`."""
    ipv6, src, dst = _addresses(message)
    head = struct.pack(
        ">BBBBHH", version, 8 + 2 * len(src), _AF_INET6 if ipv6 else _AF_INET, _NUMBERS.get(message.proto, 6),
        message.src_port, message.dst_port,
    )  # fmt: skip
    tail = b""
    if version == 2:
        seconds = int(message.time)
        micros = int((message.time - seconds) * 1e6)
        tail = struct.pack("<IIHxx", seconds & 0xFFFFFFFF, micros, capture_id & 0xFFFF)
    packet = head + src + dst + tail + message.data
    if len(packet) > 65507:
        raise HepError(f"a message of {len(message.data)} bytes does not fit into a HEP datagram")
    return packet


def read_hep(file: BinaryIO) -> Iterator[Hep]:
    """The packets of a file that holds HEP3 packets one after the other. Raises CaptureError and :class:`Damaged`."""
    at = 0
    while True:
        head = read_exactly(file, 6)
        if not head and at:
            return
        if head[:4] != b"HEP3" or len(head) < 6:
            if not at:
                raise CaptureError("no file of HEP3 packets: it does not begin with HEP3")
            raise Damaged(f"at byte {at} is no HEP3 packet")
        size = struct.unpack_from(">H", head, 4)[0]
        rest = read_exactly(file, max(0, size - 6))
        if len(rest) < size - 6:
            raise Damaged(f"the file ends in a HEP3 packet, at byte {at}")
        try:
            yield decode(head + rest)
        except HepError as error:
            raise Damaged(f"at byte {at}: {error}") from None
        at += size
