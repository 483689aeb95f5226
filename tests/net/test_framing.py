from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksrcore.net.framing import Framer, FramingKind, Keepalive, content_length

PING = Keepalive.PING


def message(length: str = "Content-Length: 0\r\n", body: bytes = b"", eol: bytes = b"\r\n") -> bytes:
    head = f"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1\r\n{length}\r\n"
    return head.encode().replace(b"\r\n", eol) + body


def run(chunks: Iterable[bytes], max_size: int = 65536) -> tuple[list[bytes | Keepalive], FramingKind | None]:
    framer = Framer(max_size)
    out = [item for chunk in chunks for item in framer.feed(chunk)]
    return out, framer.error.kind if framer.error else None


@pytest.mark.parametrize(
    "length",
    [
        "Content-Length: 3\r\n",
        "content-length:3\r\n",
        "CONTENT-LENGTH\t: \t3 \r\n",
        "l: 3\r\n",
        "L  :003\r\n",
        "Content-Length:\r\n 3\r\n",
        "Content-Length: 3\r\n \r\n",
        "l: 3\r\nContent-Length: 3\r\n",
        "Lang: 9\r\nContent-LengthX: 9\r\nl: 3\r\n",
        "X: a\r\n Content-Length: 9\r\nl: 3\r\n",
        "Content-Length" + " " * 200 + ": 3\r\n",
    ],
)
@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_content_length_in_all_its_forms(length: str, eol: bytes) -> None:
    one = message(length, b"abc", eol)
    assert run([one + one]) == ([one, one], None)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (message(""), FramingKind.NO_LENGTH),
        (message("Content-Length: -1\r\n"), FramingKind.BAD_LENGTH),
        (message("Content-Length: +3\r\n"), FramingKind.BAD_LENGTH),
        (message("Content-Length: abc\r\n"), FramingKind.BAD_LENGTH),
        (message("Content-Length: \r\n"), FramingKind.BAD_LENGTH),
        (message("Content-Length: 3x\r\n"), FramingKind.BAD_LENGTH),
        (message("Content-Length: 3 4\r\n"), FramingKind.BAD_LENGTH),
        (message("Content-Length: 3\r\nl: 4\r\n"), FramingKind.BAD_LENGTH),
        (message("Content-Length: 99999999999\r\n"), FramingKind.TOO_LARGE),
        (message("Content-Length: " + "9" * 9000 + "\r\n"), FramingKind.TOO_LARGE),
        (message("X: " + "a" * 70000 + "\r\nl: 0\r\n"), FramingKind.TOO_LARGE),
        (b"x" * 65536, FramingKind.TOO_LARGE),
        (b"\x16\x03\x01\x02\x00", FramingKind.NOT_SIP),
        (b" OPTIONS", FramingKind.NOT_SIP),
        (b"hello world\r\n\r\n", FramingKind.NO_LENGTH),
    ],
)
def test_what_cannot_be_read_is_a_typed_error_after_what_could(data: bytes, kind: FramingKind) -> None:
    good = message()
    assert run([good + data]) == ([good], kind)
    assert run([good, data, good]) == ([good], kind)


@pytest.mark.parametrize(
    ("data", "pings"),
    [
        (b"\r\n", 0),
        (b"\r\n\r\n", 1),
        (b"\r\n\r\n\r\n", 1),
        (b"\r\n\r\n\r\n\r\n", 2),
        (b"\n\n\n\n", 0),
        (b"\r\r\n\r\n", 1),
    ],
)
def test_pings_are_counted_as_kamailio_does(data: bytes, pings: int) -> None:
    assert run([data]) == ([PING] * pings, None)
    assert run([data + message()]) == ([PING] * pings + [message()], None)


def test_the_largest_message_fits_exactly() -> None:
    one = message("l: 3\r\n", b"abc")
    assert run([one], len(one)) == ([one], None)
    assert run([one], len(one) - 1) == ([], FramingKind.TOO_LARGE)


def test_without_content_length_if_allowed() -> None:
    framer = Framer(accept_no_cl=True)
    assert framer.feed(message("") * 2) == [message("")] * 2
    assert framer.error is None


def test_pending_counts_the_unfinished_bytes() -> None:
    framer = Framer()
    framer.feed(message() + message()[:10])
    assert framer.pending == 10


def test_content_length_of_a_header_section() -> None:
    assert content_length(b"A b\r\nl: 7\r\n\r\n") == 7
    assert content_length(b"A b\r\n\r\n") is None


PARTS = st.sampled_from(
    [
        message(),
        message("l:5\r\n", b"\r\n\r\nx"),
        message("Content-Length : 40\r\n", message()[:40]),
        message("l: 1\r\n", b"\n", b"\n"),
        b"\r\n\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\x00",
        message(""),
        message("l: 2000\r\n"),
        b"z" * 300,
    ]
)


@given(st.lists(PARTS | st.binary(max_size=30), max_size=8), st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_chunks_make_no_difference(parts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(parts)
    chunks = []
    at = turn = 0
    while at < len(data):
        chunks.append(data[at : at + sizes[turn % len(sizes)]])
        at += len(chunks[-1])
        turn += 1
    whole = run([data], 1000)
    assert run(chunks, 1000) == whole
    assert run([bytes([byte]) for byte in data], 1000) == whole


@given(st.lists(st.binary(max_size=200)))
def test_nothing_escapes(chunks: list[bytes]) -> None:
    run(chunks, 100)


# -- HTTP -------------------------------------------------------------------------------------------------------------


def _framed(*chunks: bytes, max_size: int = 65536) -> tuple[list[bytes | Keepalive], FramingKind | None]:
    framer = Framer(max_size, accept_no_cl=True)
    out = [item for chunk in chunks for item in framer.feed(chunk)]
    return out, framer.error.kind if framer.error is not None else None


_CHUNKED = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_body_in_chunks_is_put_together() -> None:
    stream = _CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: z\r\n\r\nGET /b HTTP/1.1\r\n\r\n"
    whole = [_CHUNKED + b"abcde", b"GET /b HTTP/1.1\r\n\r\n"]
    assert _framed(stream) == (whole, None)
    assert _framed(*(stream[at : at + 1] for at in range(len(stream)))) == (whole, None)
    for cut in range(1, len(stream)):
        assert _framed(stream[:cut], stream[cut:]) == (whole, None)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"g\r\n", FramingKind.BAD_CHUNK),
        (b"\r\n", FramingKind.BAD_CHUNK),
        (b"-1\r\n", FramingKind.BAD_CHUNK),
        (b"000000001\r\n", FramingKind.BAD_CHUNK),
        (b"3\r\nabcd\r\n", FramingKind.BAD_CHUNK),
        (b"1" * 5000, FramingKind.BAD_CHUNK),
        (b"ffffffff\r\n", FramingKind.TOO_LARGE),
        (b"1\r\na\r\n" * 70, FramingKind.TOO_LARGE),
        (b"0\r\n" + b"T: 1\r\n" * 100, FramingKind.TOO_LARGE),
    ],
)
def test_chunks_that_are_none(body: bytes, kind: FramingKind) -> None:
    assert _framed(_CHUNKED + body, max_size=120 if kind is FramingKind.TOO_LARGE else 65536) == ([], kind)


def test_chunks_are_of_http_and_nothing_else() -> None:
    sip = _CHUNKED.replace(b"HTTP/1.1", b"SIP/2.0")
    assert _framed(sip) == ([sip], None)
    gzip = _CHUNKED.replace(b"chunked", b"gzip, chunked")
    assert _framed(gzip) == ([gzip], None)


def test_a_client_that_waits_for_continue() -> None:
    head = b"PUT /a HTTP/1.1\r\nexpect: 100-CONTINUE\r\nContent-Length: 4\r\n\r\n"
    assert _framed(head, b"a", b"b", b"cd") == ([Keepalive.CONTINUE, head + b"abcd"], None)
    # The body, or some of it, is there: still asked for when incomplete, not when it is whole.
    assert _framed(head + b"ab", b"cd") == ([Keepalive.CONTINUE, head + b"abcd"], None)
    assert _framed(head + b"abcd") == ([head + b"abcd"], None)
    sip = head.replace(b"HTTP/1.1", b"SIP/2.0")
    assert _framed(sip, b"abcd") == ([sip + b"abcd"], None)
    other = head.replace(b"100-CONTINUE", b"200-ok")
    assert _framed(other, b"abcd") == ([other + b"abcd"], None)
    chunked = _CHUNKED.replace(b"Host: x", b"Expect: 100-continue")
    assert _framed(chunked, b"1\r\n", b"a\r\n", b"0\r\n\r\n") == ([Keepalive.CONTINUE, chunked + b"a"], None)
