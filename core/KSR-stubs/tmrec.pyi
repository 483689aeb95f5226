# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module tmrec."""

from typing import Any

def is_leap_year(year: int, /) -> int:
    """1 for a leap year, else -1."""

def is_leap_year_now() -> int:
    """1 when this is a leap year, else -1."""

def match(rv: str, /) -> int:
    """1 when now is in a recurrence (``match_timestamp``), else -1."""

def match_timestamp(rv: str, ts: int, /) -> int:
    """1 when a UNIX time (0: now) is in a recurrence, else -1.

    Its fields, by RFC 2445: start|duration|frequency|until|interval|byday|bymonthday|byyearday|byweekno|bymonth,
    such as ``20260105T083000|PT10H|weekly|||MO,TU,WE``.
    """

def time_period_match(period: str, /) -> int:
    """1 when now is in a period (``time_period_match_timestamp``), else -1."""

def time_period_match_timestamp(period: str, ts: int, /) -> int:
    """1 when a UNIX time (0: now) is in a period, such as ``wd{mo-fr} hr{8-17}, wd{sa}``, else -1.

    1 too for one that cannot be read, which is logged: so it is in Kamailio.
    """
