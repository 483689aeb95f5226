"""binrpc: packets that Kamailio 5.6.3's ctl sent, and everything there and back."""

from __future__ import annotations

from typing import Any

import pytest

from ksrcore.kamailio.binrpc import FAULT, REPLY, REQUEST, BinrpcError, Packet, decode, encode, fault, request, size

COOKIE = b"\x01\x02\x03\x04"


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (b"\xa1\x13\x03" + COOKIE + b"!/\x00", ["/"]),
        (b"\xa1\x13\x00" + COOKIE, []),
        (
            b"\xa1\x13S" + COOKIE + b"\x03Enow\x00\x91\x19Mon Nov 23 09:18:28 2026\x00\x95\tup_since\x00"
            b"\x91\x19Mon Nov 23 09:10:13 2026\x00uuptime\x00 \x01\xef\x83",
            [{"now": "Mon Nov 23 09:18:28 2026", "up_since": "Mon Nov 23 09:10:13 2026", "uptime": 495}],
        ),
        (
            b"\xa1\x13]" + COOKIE + b"\x03\x95\x08Domains\x00\x03uDomain\x00\x03uDomain\x00\x91\tlocation\x00USize\x00 "
            b"\x04\x00UAoRs\x00\x03\x83eStats\x00\x03\x95\x08Records\x00\x00\x95\nMax-Slots\x00\x00\x83\x83\x83\x83",
            [
                {
                    "Domains": {
                        "Domain": {
                            "Domain": "location",
                            "Size": 1024,
                            "AoRs": {},
                            "Stats": {"Records": 0, "Max-Slots": 0},
                        }
                    }
                }
            ],
        ),
        (b"\xa1\x13\x05" + COOKIE + b'\x02"\x03\xe8\x00', [0.0, 1.0, 0]),
    ],
)
def test_what_kamailio_answers(data: bytes, values: list[Any]) -> None:
    assert size(data) == len(data)
    packet = decode(data)
    assert (packet.kind, packet.cookie, packet.values) == (REPLY, 0x01020304, values)


def test_a_fault() -> None:
    data = b"\xa13\x1f" + COOKIE + b" \x01\xf4\x91\x1acommand no.such not found\x00"
    assert decode(data) == Packet(FAULT, 0x01020304, [500, "command no.such not found"])
    assert fault(0x01020304, 500, "command no.such not found") == data


def test_a_request() -> None:
    data = request(0x01020304, "core.echo", ["a" * 10, 5])
    assert data == b"\xa1\x03\x1b" + COOKIE + b"\x91\x0acore.echo\x00\x91\x0b" + b"a" * 10 + b"\x00\x10\x05"


@pytest.mark.parametrize(
    "value",
    [
        0, 1, 255, 256, 2**31 - 1, -1, -5, -(2**31), -(2**40), 2**40, 0.0, 1.5, -2.25, "", "a", "é" * 200, "x" * 70_000,
        b"", b"\x00\xff", {}, {"a": 1, "b": {"c": ["x", 2, {"d": 1.0}]}}, [1, "two"],
    ],
)  # fmt: skip
def test_there_and_back(value: Any) -> None:
    packet = Packet(REPLY, 7, [value, value])
    assert decode(encode(packet)) == packet


def test_lists_in_structs_as_ctl_writes_them() -> None:
    """htable.dump: structs without names in a struct; and one name more than once."""
    body = b"\x03Eone\x00\x03\x03\x15\x00\x10\x01\x83\x03\x15\x00\x10\x02\x83\x83\x83"
    assert decode(b"\xa1\x10" + bytes([len(body)]) + b"\x01" + body).values == [{"one": [{"": 1}, {"": 2}]}]
    body = b"\x03%a\x00\x10\x01%a\x00\x10\x02%a\x00\x10\x03\x83"
    assert decode(b"\xa1\x10" + bytes([len(body)]) + b"\x01" + body).values == [{"a": [1, 2, 3]}]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"HTTP/1.1", "not binrpc"),
        (b"\xa1\x13\x05" + COOKIE + b"a", "cut off"),
        (b"\xa1", "cut off"),
        (b"\xa1\x13\x01" + COOKIE + b"\x51", "cut off"),
        (b"\xa1\x13\x01" + COOKIE + b"\x83", "has not begun"),
        (b"\xa1\x13\x01" + COOKIE + b"\x03", "cut off"),
        (b"\xa1\x13\x05" + COOKIE + b"\x03%a\x00\x83", "has no value"),
        (b"\xa1\x13\x01" + COOKIE + b"\x0d", "unknown type"),
        (b"\xa1\x13\x64" + COOKIE + b"\x04" * 100, "structs in one another"),
        (b"\xa1\x1f\xff\xff\xff\xff" + COOKIE, "at most"),
    ],
)
def test_what_is_none(data: bytes, text: str) -> None:
    with pytest.raises(BinrpcError, match=text):
        decode(data)


def test_what_has_no_form() -> None:
    with pytest.raises(BinrpcError, match="no form for None"):
        encode(Packet(REQUEST, 1, [None]))
