# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module ndb_redis."""

from typing import Any

def redis_cmd(srv: str, rcmd: str, sres: str, /) -> int:
    """Ask the server ``srv`` and keep the reply as ``sres``: 0; -1 for an error or no reply, -2 left out now.

    Of an error that the server replied the text is in ``$redis(name=>info)``.
    """

def redis_cmd_p1(srv: str, rcmd: str, p1: str, sres: str, /) -> int:
    """``redis_cmd`` with a value for the ``%s`` in the command: it may have blanks."""

def redis_cmd_p2(srv: str, rcmd: str, p1: str, p2: str, sres: str, /) -> int:
    """``redis_cmd`` with two values."""

def redis_cmd_p3(srv: str, rcmd: str, p1: str, p2: str, p3: str, sres: str, /) -> int:
    """``redis_cmd`` with three values."""

def redis_free(name: str, /) -> int:
    """Forget a reply: 1, -1 when there never was one of that name."""
