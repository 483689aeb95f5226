"""bencode, the URLs of rtpengines, and the exchange of commands over UDP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from ksrcore.net.ng import Dictionary, NgSocket, NgValue, bdecode, bencode, parse_ng_url
from lab.ngpeer import NgPeer


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "i5e"),
        (-3, "i-3e"),
        ("", "0:"),
        ("\xe9\n", "2:\xe9\n"),
        ([1, "a", []], "li1e1:alee"),
        ({"b": 1, "a": {}}, "d1:bi1e1:adee"),
    ],
)
def test_bencode(value: NgValue, text: str) -> None:
    assert bencode(value) == text
    assert bdecode(text) == value


def test_a_key_may_stand_twice() -> None:
    twice = Dictionary(("a", "x"))
    twice.add("a", ["y"])
    assert bencode(twice) == "d1:a1:x1:al1:yee"
    assert bdecode(bencode(twice)) == {"a": "x"}


def test_what_follows_is_ignored() -> None:
    assert bdecode("i5exyz") == 5


@pytest.mark.parametrize(
    "text",
    ["", "x", "i5", "ie", "i-e", "i--5e", "i5xe", "l", "li1e", "d", "d1:a", "di1ei2ee", "5:abc", "-1:a", ":", "1",
     "d1:ae", "99999999999999:a", "l" * 100 + "e" * 100, "i" + "9" * 5000 + "e"],
)  # fmt: skip
def test_what_cannot_be_decoded(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        bdecode(text)


def test_urls() -> None:
    assert parse_ng_url("udp:127.0.0.1:2223") == ("udp", "127.0.0.1", 2223)
    assert parse_ng_url("udp:relay.example.com") == ("udp", "relay.example.com", 22222)
    assert parse_ng_url("udp6:[::1]:2223") == ("udp6", "::1", 2223)
    assert parse_ng_url("udp6:::1:2223") == ("udp6", "::1", 2223)
    assert parse_ng_url("udp6:[::1]") == ("udp6", "::1", 22222)


@pytest.mark.parametrize("url", ["", "127.0.0.1:2223", "tcp:127.0.0.1:1", "udp:", "udp:h:0", "udp:h:99999", "udp:h:"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match="expected udp:HOST:PORT"):
        parse_ng_url(url)


def test_websocket_is_refused() -> None:
    with pytest.raises(ValueError, match="over WebSocket is not supported"):
        parse_ng_url("ws://127.0.0.1:2223/")


@pytest.fixture
def peer() -> Iterator[NgPeer]:
    with NgPeer() as peer:
        yield peer


def test_a_command(peer: NgPeer) -> None:
    sock = NgSocket(peer.url, tos=184)
    assert sock.ask("d7:command4:pinge", timeout=1.0, attempts=1) == "d6:result4:ponge"
    assert sock.ask("d7:command5:otherx", timeout=1.0, attempts=1).startswith("d6:result5:error")
    assert peer.take() == [b"d7:command4:pinge", b"d7:command5:otherx"]
    sock.close()


def test_a_command_is_sent_again_with_its_cookie(peer: NgPeer) -> None:
    peer.repeats = True
    peer.reset({"ping": ["silent", "default"]})
    sock = NgSocket(peer.url)
    assert sock.ask("d7:command4:pinge", timeout=0.05, attempts=3) == "d6:result4:ponge"
    assert peer.take() == [b"d7:command4:pinge"] * 2
    sock.close()


def test_nobody_answers(peer: NgPeer) -> None:
    peer.repeats = True
    peer.reset({"any": ["silent"]})
    sock = NgSocket(peer.url)
    with pytest.raises(TimeoutError, match="no reply to 2 times"):
        sock.ask("d7:command4:pinge", timeout=0.02, attempts=2)
    assert len(peer.take()) == 2


def test_an_answer_to_another_cookie_is_not_taken() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            data, source = server.recvfrom(1000)
            server.sendto(b"0_0 wrong", source)
            server.sendto(data.split(b" ")[0] + b" right", source)

        thread = threading.Thread(target=serve)
        thread.start()
        sock = NgSocket(f"udp:127.0.0.1:{server.getsockname()[1]}", interface="127.0.0.1")
        assert sock.ask("x", timeout=1.0, attempts=1) == "right"
        thread.join()
        sock.close()


def test_two_sockets_have_different_cookies() -> None:
    """rtpengine gives to a cookie it knows the answer it gave before."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(2)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                NgSocket(f"udp:127.0.0.1:{server.getsockname()[1]}").ask("x", timeout=0.01, attempts=1)
        assert server.recv(100) != server.recv(100)


def test_nobody_there() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(OSError, match=r"."):
        NgSocket(f"udp:127.0.0.1:{port}").ask("x", timeout=0.05, attempts=1)
