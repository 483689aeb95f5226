# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module siprepo."""

from typing import Any

def sr_msg_async_pull(text1: str, text2: str, text3: str, text4: str, code5: int, /) -> int:
    """Run a route with a message that was kept, in a group of other processes."""

def sr_msg_check() -> int:
    """Whether a message with this Call-ID is kept."""

def sr_msg_match(code1: int, /) -> int:
    """Whether the message is kept, by Call-ID and in mode 1 by the Via branch too."""

def sr_msg_pull(text1: str, text2: str, text3: str, code4: int, /) -> int:
    """Run a route with a message that was kept, found by its Call-ID and id."""

def sr_msg_push(text1: str, code2: int, /) -> int:
    """Keep the message under an id."""

def sr_msg_rm(text1: str, text2: str, /) -> int:
    """Forget a kept message, found by its Call-ID and id."""
