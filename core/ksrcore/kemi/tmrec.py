"""Kamailio's tmrec: whether a time is in a recurrence or a period. Times are local, as for Kamailio."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from .declare import Module, Param, ParamError, export
from .tmrec_rules import PeriodError, in_period, is_leap_year, matches

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["Tmrec"]

log = logging.getLogger("ksrcore.tmrec")


class Tmrec(Module):
    name = "tmrec"

    separator = Param("|", "the character between the fields of a recurrence: str")

    def start(self) -> None:
        if len(self.separator) != 1:
            raise ParamError(f"modparam tmrec:separator expects one character, got {self.separator!r}")

    def _match(self, rule: str, when: int) -> int:
        return 1 if matches(rule, self.separator, when or int(self.proxy.wall())) else -1

    @export
    def match(self, run: Run, rv: str) -> int:
        """1 when now is in a recurrence (``match_timestamp``), else -1."""
        return self._match(rv, 0)

    @export
    def match_timestamp(self, run: Run, rv: str, ts: int) -> int:
        """1 when a UNIX time (0: now) is in a recurrence, else -1.

        Its fields, by RFC 2445: start|duration|frequency|until|interval|byday|bymonthday|byyearday|byweekno|bymonth,
        such as ``20260105T083000|PT10H|weekly|||MO,TU,WE``.
        """
        return self._match(rv, ts)

    @export(name="is_leap_year")
    def is_leap_year_(self, run: Run, year: int) -> int:
        """1 for a leap year, else -1."""
        return 1 if is_leap_year(year) else -1

    @export
    def is_leap_year_now(self, run: Run) -> int:
        """1 when this is a leap year, else -1."""
        return 1 if is_leap_year(time.localtime(self.proxy.wall()).tm_year) else -1

    def _period(self, period: str, when: int) -> int:
        try:
            return 1 if in_period(period, when or int(self.proxy.wall())) else -1
        except PeriodError as error:
            log.error("tmrec: the period %r: %s", period, error)
            return 1

    @export
    def time_period_match(self, run: Run, period: str) -> int:
        """1 when now is in a period (``time_period_match_timestamp``), else -1."""
        return self._period(period, 0)

    @export
    def time_period_match_timestamp(self, run: Run, period: str, ts: int) -> int:
        """1 when a UNIX time (0: now) is in a period, such as ``wd{mo-fr} hr{8-17}, wd{sa}``, else -1.

        1 too for one that cannot be read, which is logged: so it is in Kamailio.
        """
        return self._period(period, ts)
