"""Messages and expressions that hypothesis builds, through the same targets; what fails is shrunk to the least."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fuzz.holds import patience
from fuzz.mutate import tokens
from fuzz.targets import TARGETS, finish

_TOKENS = [token.decode("latin-1") for token in tokens("sip")]
LATIN1 = st.text(st.characters(max_codepoint=255), max_size=30)
NAMES = st.sampled_from(
    "Via v From f To Call-ID CSeq Contact Route Record-Route Authorization Event Date X-Odd".split()
)
PIECES = st.lists(st.one_of(st.sampled_from(_TOKENS), LATIN1), max_size=6).map("".join)
VALUES = st.one_of(
    PIECES,
    st.sampled_from(["SIP/2.0/UDP 10.0.0.1:5080;branch=z9hG4bK1", "<sip:alice@example.com>;tag=1", "1 INVITE", "c-1"]),
    st.tuples(st.sampled_from(["<sip:a@b>", '"a, b" <sip:x>;q=0.5', "SIP/2.0/TCP h"]), PIECES).map("".join),
)
FIRST = st.one_of(
    st.tuples(st.sampled_from(["INVITE", "ACK", "BYE", "REGISTER", "OPTIONS", "CANCEL", "x"]), PIECES).map(
        lambda parts: f"{parts[0]} sip:{parts[1]} SIP/2.0"
    ),
    st.integers(0, 1200).map(lambda code: f"SIP/2.0 {code} Reason"),
    LATIN1,
)
ENDS = st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", "\r\n ", "\r"])
USUAL = (
    "Via: SIP/2.0/UDP 10.0.0.1:5080;rport;branch=z9hG4bK1\r\nFrom: <sip:alice@example.com>;tag=1\r\n"
    "To: <sip:bob@example.com>\r\nCall-ID: c-1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A first line, the fields every message needs or not, some others, a body or none."""
    head = draw(FIRST) + draw(ENDS) + (USUAL if draw(st.booleans()) else "")
    for name, value in draw(st.lists(st.tuples(NAMES, VALUES), max_size=6)):
        head += f"{name}: {value}{draw(ENDS)}"
    return (head + draw(st.sampled_from(["\r\n", "\n", "", "Content-Length: 3\r\n\r\n"])) + draw(LATIN1)).encode(
        "latin-1"
    )


def hold(target: str, data: bytes) -> None:
    with patience():
        TARGETS[target][0](data)


@pytest.fixture(autouse=True, scope="module")
def _ended() -> Iterator[None]:
    yield
    for target in TARGETS:
        finish(target)


@settings(max_examples=300)
@given(messages())
@example(b"OPTIONS sip:x SIP/2.0\r\n" + b"b\n" * 30_000 + b"\r\n")
@example(b"REGISTER sip:x SIP/2.0\r\n" + USUAL.encode() + b"Authorization: Digest " + b"," * 60_000 + b"\r\n\r\n")
def test_messages(data: bytes) -> None:
    hold("message", data)
    hold("datagram", data)


@settings(max_examples=100)
@given(st.lists(messages(), min_size=1, max_size=4).map(b"".join))
def test_streams(data: bytes) -> None:
    hold("stream", data)


@settings(max_examples=100)
@given(st.binary(max_size=600))
def test_frames(data: bytes) -> None:
    hold("frames", data)


@settings(max_examples=150)
@given(messages())
def test_calls_of_functions(data: bytes) -> None:
    hold("calls", data)


@pytest.mark.parametrize("target", ["where", "pv", "control"])
def test_expressions(target: str) -> None:
    words = st.sampled_from([token.decode("latin-1") for token in tokens(target)])

    @settings(max_examples=200)
    @given(st.lists(st.one_of(words, LATIN1), max_size=10).map("".join))
    def holds(text: str) -> None:
        hold(target, text.encode("latin-1"))

    holds()
