# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module topos."""

from typing import Any

def tps_set_context(text1: str, /) -> int:
    """Set the context under which topology is kept; empty takes it away."""
