# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module group."""

from typing import Any

def is_user_in(suri: str, sgrp: str, /) -> int:
    """1 when the user of a URI is in a group, -6 when not, -1 for an error."""
