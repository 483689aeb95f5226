# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module tmrec."""

from typing import Any

def is_leap_year(code1: int, /) -> int:
    """Whether this year is a leap year."""

def is_leap_year_now() -> int:
    """Whether this year of the clock is a leap year."""

def match(text1: str, /) -> int:
    """Whether now is in a time recurrence (RFC 2445), fields joined by |."""

def match_timestamp(text1: str, code2: int, /) -> int:
    """Whether a UNIX time is in a time recurrence (RFC 2445), fields joined by |."""

def time_period_match(text1: str, /) -> int:
    """Whether now is in a period such as "wd{mo-fr} hr{8-16}"."""

def time_period_match_timestamp(text1: str, code2: int, /) -> int:
    """Whether a UNIX time is in a period such as "wd{mo-fr} hr{8-16}"."""
