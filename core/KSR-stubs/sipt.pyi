# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module sipt."""

from typing import Any

def destination(text1: str, text2: str, text3: str, /) -> bool:
    """Set the called number in the ISUP body: number, hops, nature of address."""

def destination_terminator(text1: str, text2: str, text3: str, text4: str, /) -> bool:
    """Like destination, with or without the end sign of the number."""

def forwarding(text1: str, text2: str, /) -> bool:
    """Set the forwarding number in the ISUP body, and its nature of address."""

def has_isup_body() -> bool:
    """Whether the message has an ISUP body."""

def set_bci_1(text1: str, text2: str, text3: str, text4: str, /) -> bool:
    """Set the first byte of the backward call indicators in the ISUP body."""

def set_calling(text1: str, text2: str, text3: str, text4: str, /) -> bool:
    """Set the calling number in the ISUP body: nature, presentation, screening."""
