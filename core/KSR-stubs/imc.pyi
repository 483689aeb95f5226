# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module imc."""

from typing import Any

def imc_manager() -> int:
    """Handle a MESSAGE to a conference room: do its command, or send it to the members."""

def imc_room_active(text1: str, /) -> int:
    """Whether there is a conference room of this URI."""

def imc_room_member(text1: str, text2: str, /) -> int:
    """Whether a user is a member of the conference room of this URI."""
