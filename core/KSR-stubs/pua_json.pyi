# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module pua_json."""

from typing import Any

def publish(text1: str, /) -> int:
    """Publish presence or dialog state that is given as JSON."""
