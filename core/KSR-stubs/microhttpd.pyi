# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module microhttpd."""

from typing import Any

def mhttpd_reply(code1: int, text2: str, text3: str, text4: str, /) -> int:
    """Answer the HTTP request: code, reason, content type, body."""
