"""Redis' protocol: commands and replies as bytes."""

from __future__ import annotations

import socket

import pytest

from ksrcore.net.redis import Connection, Reply, encode, parse_command


def test_words() -> None:
    assert encode(["GET", "a b"]) == b"*2\r\n$3\r\nGET\r\n$3\r\na b\r\n"
    assert parse_command("SET %s %%x%s", ("a b", "c")) == ["SET", "a b", "%xc"]
    for text, args in (("", ()), ("GET %s", ()), ("GET %b", ("a",)), ("GET %d", ("1",))):
        with pytest.raises(ValueError):
            parse_command(text, args)


def _read(data: bytes) -> Reply:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        return Connection(ours, 1.0).command(["PING"])


def test_replies() -> None:
    assert _read(b"$-1\r\n") == Reply(4, None) == _read(b"*-1\r\n")
    assert _read(b"*2\r\n:1\r\n*1\r\n$2\r\n\xc3\xa9\r\n") == Reply(2, (Reply(3, 1), Reply(2, (Reply(1, "\xc3\xa9"),))))
    for data in (b"", b":x\r\n", b"$x\r\n", b"%1\r\n", b"$99999999999\r\n", b"*1\r\n" * 20, b"$5\r\nab"):
        with pytest.raises(OSError):
            _read(data)
