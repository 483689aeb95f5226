"""The log functions of Kamailio's core, through :mod:`logging` (logger ``ksrcore.script``)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..logs import log_line
from .declare import export
from .facade import from_wire

if TYPE_CHECKING:
    from ..run import Run

log = logging.getLogger("ksrcore.script")

#: Between INFO and WARNING, where Kamailio has its L_NOTICE.
NOTICE = 25
logging.addLevelName(NOTICE, "NOTICE")

#: The level names of ``KSR.log`` (in any case); another name logs as an error.
LEVELS = {
    "dbg": logging.DEBUG,
    "info": logging.INFO,
    "notice": NOTICE,
    "warn": logging.WARNING,
    "err": logging.ERROR,
    "crit": logging.CRITICAL,
}

#: Kamailio's ``debug`` values (L_DBG 3 ... L_CRIT -2), finest first, with the Python level each starts at.
_DEBUG = ((logging.DEBUG, 3), (logging.INFO, 2), (NOTICE, 1), (logging.WARNING, 0), (logging.ERROR, -1))


def write(level: int, text: str) -> None:
    """Log one text of the script (the core's latin-1 form), without its line end."""
    if log.isEnabledFor(level):
        log_line(log, level, from_wire(text).rstrip("\r\n"))


class LogFunctions:
    """``KSR.dbg`` ... ``KSR.crit``, ``KSR.log`` and ``KSR.get_debug``."""

    @export(inline=True)
    def dbg(self, run: Run, text: str) -> None:
        """Log at level DEBUG."""
        if log.isEnabledFor(10):
            write(logging.DEBUG, text)

    @export(inline=True)
    def info(self, run: Run, text: str) -> None:
        """Log at level INFO."""
        if log.isEnabledFor(20):
            write(logging.INFO, text)

    @export
    def notice(self, run: Run, text: str) -> None:
        """Log at level NOTICE."""
        write(NOTICE, text)

    @export
    def warn(self, run: Run, text: str) -> None:
        """Log at level WARNING."""
        write(logging.WARNING, text)

    @export
    def err(self, run: Run, text: str) -> None:
        """Log at level ERROR."""
        write(logging.ERROR, text)

    @export
    def crit(self, run: Run, text: str) -> None:
        """Log at level CRITICAL."""
        write(logging.CRITICAL, text)

    @export
    def log(self, run: Run, level: str, text: str) -> None:
        """Log at ``level``: dbg, info, notice, warn, err or crit, in any case; any other is err."""
        write(LEVELS.get(level.lower(), logging.ERROR), text)

    @export
    def get_debug(self, run: Run) -> int:
        """The finest level that is logged, as Kamailio's ``debug`` parameter: 3 dbg, 2 info ... -1 err, -2 crit."""
        effective = log.getEffectiveLevel()
        for level, debug in _DEBUG:
            if effective <= level:
                return debug
        return -2
