"""What is SIP."""

from __future__ import annotations

import pytest

from ksrcore.capture.captured import is_sip


@pytest.mark.parametrize(
    ("data", "sip"),
    [
        (b"INVITE sip:bob@b SIP/2.0\r\n", True),
        (b"\r\nOPTIONS sip:b SIP/2.0\n", True),
        (b"SIP/2.0 200 OK\r\n", True),
        (b"sip/2.0 200 OK", True),
        (b"GET / HTTP/1.1\r\n", False),
        (b"INVITE sip:bob@b SIP/2.0", False),
        (b"\r\n\r\n", False),
        (b"", False),
        (bytes(100), False),
    ],
)
def test_is_sip(data: bytes, sip: bool) -> None:
    assert is_sip(data) is sip
