"""The Debug Adapter Protocol on the wire: headers, an empty line, a JSON object (the protocol's "Base protocol")."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

#: Bytes of one message; an editor's largest requests are a few kilobytes.
MAX_MESSAGE = 16 * 1024 * 1024
_MAX_HEADERS = 64


class WireError(Exception):
    """What came cannot be a message of the protocol: one line. The stream is of no use after it."""


def read_message(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message; None at the end of the stream. Raises :class:`WireError`."""
    length: int | None = None
    for _ in range(_MAX_HEADERS):
        line = stream.readline(4096)
        if not line:
            if length is not None:
                raise WireError("the stream ended within the headers of a message")
            return None
        if line in (b"\r\n", b"\n"):
            break
        name, colon, value = line.partition(b":")
        if not colon:
            raise WireError(f"expected a header such as Content-Length: 119, got {line[:80]!r}")
        if name.strip().lower() == b"content-length":
            text = value.strip()
            if not text.isdigit() or int(text) > MAX_MESSAGE:
                raise WireError(f"Content-Length expects a number up to {MAX_MESSAGE}, got {text[:40]!r}")
            length = int(text)
    else:
        raise WireError(f"more than {_MAX_HEADERS} header lines")
    if length is None:
        raise WireError("a message without Content-Length")
    body = stream.read(length)
    if len(body) < length:
        raise WireError(f"the stream ended after {len(body)} of {length} bytes of a message")
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"the message is not JSON: {error}") from None
    if not isinstance(message, dict):
        raise WireError(f"a message is a JSON object, got {type(message).__name__}")
    return message


def write_message(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Send one message and flush."""
    body = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
    stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    stream.flush()
