# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module sipdump."""

from typing import Any

def get_buf() -> Any | None:
    """The message the callback is told of, '' outside of it."""

def get_dst_ip() -> Any | None:
    """Where the message the callback is told of goes to, '' outside of it."""

def get_src_ip() -> Any | None:
    """Where the message the callback is told of comes from, '' outside of it."""

def get_tag() -> Any | None:
    """rcv or snd, '' outside of the callback."""

def send(stag: str, /) -> int:
    """Write this message with a tag of one's own: 1, also when nothing is written."""
