# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module nghttp2."""

from typing import Any

def nghttp2_reply(text1: str, text2: str, /) -> int:
    """Answer the HTTP/2 request: code, body."""

def nghttp2_reply_header(text1: str, text2: str, /) -> int:
    """Add a header to the HTTP/2 answer."""
