"""Kamailio's binrpc, which its module ``ctl`` speaks on stream and datagram sockets (kamcmd is its client).

A packet is a header, then records. Header: the nibbles 0xA (magic) and 1 (version); a byte with the kind in its high
nibble, the bytes of the length less one in two bits and those of the cookie less one in two more; length; cookie. A
record: a byte with bit 7 (a length follows; on a struct or array: its end), three bits of size, four of type; then the
value: int big-endian, string with its closing zero, double in thousandths. A struct has pairs of a name and a record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["FAULT", "REPLY", "REQUEST", "BinrpcError", "Packet", "decode", "encode", "fault", "request", "size"]

REQUEST, REPLY, FAULT = 0, 1, 3
_MAGIC = 0xA1
_INT, _STR, _DOUBLE, _STRUCT, _ARRAY, _NAME, _BYTES = range(7)
#: The longest packet that is believed, bytes.
MAX_SIZE = 64 * 1024 * 1024
_MAX_DEPTH = 64


class BinrpcError(ValueError):
    """Not a packet of binrpc, or one that is cut off."""


@dataclass
class Packet:
    """``values``: the records; of a request the method, then the parameters; of a fault the code and the reason."""

    kind: int
    cookie: int
    values: list[Any]


# -- writing ----------------------------------------------------------------------------------------------------------


def request(cookie: int, method: str, params: list[Any]) -> bytes:
    return encode(Packet(REQUEST, cookie, [method, *params]))


def fault(cookie: int, code: int, reason: str) -> bytes:
    return encode(Packet(FAULT, cookie, [code, reason]))


def encode(packet: Packet) -> bytes:
    """The packet's bytes. Values are int, float, str (latin-1 or UTF-8), bytes, dict and list."""
    body = b"".join(map(_record, packet.values))
    length, cookie = _number(len(body)) or b"\0", _number(packet.cookie & 0xFFFFFFFF) or b"\0"
    return bytes([_MAGIC, packet.kind << 4 | (len(length) - 1) << 2 | (len(cookie) - 1)]) + length + cookie + body


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _integer(value: int, kind: int) -> bytes:
    # 0 has no bytes; below 0 all four, or eight where four do not hold it.
    if value < 0:
        data = value.to_bytes(4 if value >= -(2**31) else 8, "big", signed=True)
    else:
        data = _number(value)
    if len(data) > 7:
        return bytes([0x80 | 1 << 4 | kind, len(data)]) + data
    return bytes([len(data) << 4 | kind]) + data


def _sized(data: bytes, kind: int) -> bytes:
    if len(data) < 8:
        return bytes([len(data) << 4 | kind]) + data
    length = _number(len(data))
    return bytes([0x80 | len(length) << 4 | kind]) + length + data


def _text(value: str, kind: int) -> bytes:
    return _sized(value.encode("utf-8", "surrogateescape") + b"\0", kind)


def _record(value: Any) -> bytes:
    if isinstance(value, bool | int):
        return _integer(int(value), _INT)
    if isinstance(value, float):
        return _integer(round(value * 1000), _DOUBLE)
    if isinstance(value, str):
        return _text(value, _STR)
    if isinstance(value, bytes):
        return _sized(value, _BYTES)
    if isinstance(value, dict):
        pairs = b"".join(_text(str(name), _NAME) + _record(member) for name, member in value.items())
        return bytes([_STRUCT]) + pairs + bytes([0x80 | _STRUCT])
    if isinstance(value, list | tuple):
        return bytes([_ARRAY]) + b"".join(map(_record, value)) + bytes([0x80 | _ARRAY])
    raise BinrpcError(f"binrpc has no form for {value!r}; expected int, float, str, bytes, dict or list")


# -- reading ----------------------------------------------------------------------------------------------------------


def size(data: bytes) -> int:
    """How many bytes the packet that ``data`` begins has; 0 while its header is not whole. Raises BinrpcError."""
    if len(data) < 2:
        return 0
    if data[0] != _MAGIC:
        raise BinrpcError(f"not binrpc version 1: the first byte is 0x{data[0]:02x}, expected 0x{_MAGIC:02x}")
    lengths, cookies = (data[1] >> 2 & 3) + 1, (data[1] & 3) + 1
    if len(data) < 2 + lengths:
        return 0
    body = int.from_bytes(data[2 : 2 + lengths], "big")
    if body > MAX_SIZE:
        raise BinrpcError(f"a packet of {body} bytes; at most {MAX_SIZE} are read")
    return 2 + lengths + cookies + body


def decode(data: bytes) -> Packet:
    """Read a whole packet. Raises :class:`BinrpcError`."""
    total = size(data)
    if not total or len(data) < total:
        raise BinrpcError(f"a packet that is cut off: {len(data)} of {total or 'more'} bytes")
    lengths, cookies = (data[1] >> 2 & 3) + 1, (data[1] & 3) + 1
    at = 2 + lengths + cookies
    return Packet(data[1] >> 4, int.from_bytes(data[2 + lengths : at], "big"), _Records(data[at:total]).values())


class _End:
    """The end of a struct or an array."""


_END = _End()


class _Records:
    """The records of a packet's body."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def values(self) -> list[Any]:
        values = []
        while self.at < len(self.data):
            value = self.record(0)
            if isinstance(value, _End):
                raise BinrpcError(f"the end of a struct or array that has not begun, at byte {self.at}")
            values.append(value)
        return values

    def take(self, count: int) -> bytes:
        found = self.data[self.at : self.at + count]
        if len(found) < count:
            raise BinrpcError(f"a record that is cut off at byte {self.at}")
        self.at += count
        return found

    def record(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise BinrpcError(f"more than {_MAX_DEPTH} structs in one another")
        first = self.take(1)[0]
        kind, length, long = first & 15, first >> 4 & 7, bool(first & 0x80)
        if kind in (_STRUCT, _ARRAY):
            if long:
                return _END
            return self.struct(depth) if kind == _STRUCT else self.array(depth)
        if long:
            length = int.from_bytes(self.take(length), "big")
        data = self.take(length)
        if kind == _INT:
            return _signed(data)
        if kind == _DOUBLE:
            return _signed(data) / 1000
        if kind in (_STR, _NAME):
            return data.removesuffix(b"\0").decode("utf-8", "surrogateescape")
        if kind == _BYTES:
            return data
        raise BinrpcError(f"unknown type {kind} at byte {self.at}")

    def struct(self, depth: int) -> dict[str, Any] | list[Any]:
        """Pairs of a name and a value; ctl writes a list in a struct as a struct whose values have no names."""
        found: dict[str, Any] = {}
        nameless: list[Any] = []
        while True:
            named = self.at < len(self.data) and self.data[self.at] & 15 == _NAME
            name = self.record(depth + 1)
            if isinstance(name, _End):
                return nameless or found
            if not named:
                nameless.append(name)
                continue
            value = self.record(depth + 1)
            if isinstance(value, _End):
                raise BinrpcError(f"the name {name!r} has no value, at byte {self.at}")
            if name not in found:
                found[name] = value
            elif isinstance(before := found[name], _Many):
                # One name often: jsonrpcs has a list there.
                before.append(value)
            else:
                found[name] = _Many([before, value])

    def array(self, depth: int) -> list[Any]:
        found = []
        while not isinstance(value := self.record(depth + 1), _End):
            found.append(value)
        return found


class _Many(list[Any]):
    """The values of a name that a struct has more than once."""


def _signed(data: bytes) -> int:
    # Only whole words have a sign: shorter ones are written without their zeros.
    return int.from_bytes(data, "big", signed=len(data) in (4, 8))
