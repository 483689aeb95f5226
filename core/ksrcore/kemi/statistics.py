"""Kamailio's statistics: counters of the script's own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .declare import Module, Param, ParamError, export

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["Statistics"]

log = logging.getLogger("ksrcore.statistics")


class Statistics(Module):
    """They are counted as ``script:NAME``, those of others by their own group."""

    name = "statistics"

    variable = Param("", "a counter NAME, or NAME/no_reset for one that is not reset", multi=True)

    def start(self) -> None:
        self._kept: set[str] = set()
        for text in self.variable:
            name, slash, flag = text.partition("/")
            if not name or (slash and flag != "no_reset"):
                raise ParamError(f"modparam statistics:variable expects NAME or NAME/no_reset, got {text!r}")
            self.proxy.count(f"script:{name}", 0)
            if slash:
                self._kept.add(f"script:{name}")

    def _key(self, function: str, name: str) -> str | None:
        counters = self.proxy.counters
        own = f"script:{name}"
        if own in counters:
            return own
        found = next((key for key in counters if key.endswith(f":{name}")), None) if name else None
        if found is None:
            log.error("%s: there is no statistic %r; define it with modparam statistics:variable", function, name)
        return found

    @export
    def update_stat(self, run: Run, sname: str, sval: int) -> int:
        """Add to a counter: 1, -1 without such a counter."""
        key = self._key("update_stat", sname)
        if key is None:
            return -1
        self.proxy.count(key, sval)
        return 1

    @export
    def reset_stat(self, run: Run, sname: str) -> int:
        """Set a counter to 0, unless it is not to be reset: 1, -1 without such a counter."""
        key = self._key("reset_stat", sname)
        if key is None:
            return -1
        if key not in self._kept:
            self.proxy.counters[key] = 0
        return 1
