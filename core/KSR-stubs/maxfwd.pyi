# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module maxfwd."""

from typing import Any

def is_maxfwd_lt(limit: int, /) -> int:
    """1 when Max-Forwards is less than ``limit`` (0 to 255), -1 when not, -2 when absent, -3 when no number."""

def process_maxfwd(limit: int, /) -> int:
    """Decrement Max-Forwards, or add one of ``limit`` (0 to 255) where there is none.

    1 decremented, 2 added, -1 it is 0 already (or a bad ``limit``), -2 it is no number. A value above
    ``max_limit`` is cut to that instead.
    """
