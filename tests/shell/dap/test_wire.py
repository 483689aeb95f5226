"""Messages of the protocol on a stream, good and bad."""

from __future__ import annotations

import io

import pytest

from ksrshell.dap.wire import MAX_MESSAGE, WireError, read_message, write_message


def test_a_message_comes_back() -> None:
    stream = io.BytesIO()
    write_message(stream, {"seq": 1, "type": "event", "text": "Zürich"})
    write_message(stream, {"seq": 2})
    stream.seek(0)
    assert read_message(stream) == {"seq": 1, "type": "event", "text": "Zürich"}
    assert read_message(stream) == {"seq": 2}
    assert read_message(stream) is None


def test_other_headers_and_any_case() -> None:
    stream = io.BytesIO(b"content-length: 2\r\nContent-Type: application/vscode-jsonrpc\r\n\r\n{}")
    assert read_message(stream) == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"hello\r\n\r\n", "expected a header"),
        (b"Content-Length: many\r\n\r\n", "expects a number"),
        (b"Content-Length: -1\r\n\r\n", "expects a number"),
        (b"Content-Length: %d\r\n\r\n" % (MAX_MESSAGE + 1), "expects a number"),
        (b"X: 1\r\n\r\n{}", "without Content-Length"),
        (b"Content-Length: 10\r\n\r\n{}", "after 2 of 10 bytes"),
        (b"Content-Length: 2\r\n", "within the headers"),
        (b"Content-Length: 2\r\n\r\n{]", "not JSON"),
        (b"Content-Length: 2\r\n\r\n[]", "JSON object"),
        (b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000, "not JSON"),
        (b"A: b\r\n" * 100, "header lines"),
    ],
)
def test_bad_input_is_one_error(text: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        read_message(io.BytesIO(text))
