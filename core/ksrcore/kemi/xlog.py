"""Kamailio's xlog module, ``KSR.xlog``: log texts with pseudo-variables in them, through the logger of the script."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..pv.errors import PvError
from ..pv.format import compile_format
from .core_log import LEVELS, NOTICE, log, write
from .declare import Module, Param, export

if TYPE_CHECKING:
    from ..run import Run


_LEVELS = {f"L_{name.upper()}": level for name, level in LEVELS.items()} | {"L_ALERT": logging.CRITICAL}


_FACILITIES = frozenset(
    f"LOG_{name}"
    for name in "AUTH AUTHPRIV CRON DAEMON FTP KERN LPR MAIL NEWS SYSLOG USER UUCP".split()
    + [f"LOCAL{number}" for number in range(8)]
)


class Xlog(Module):
    """The ``x*`` functions give 1, or -1 for a format that cannot be understood, which is logged."""

    name = "xlog"
    prefix = Param("<script>: ", "text put before each message")

    def _log(self, run: Run, level: int, fmt: str) -> int:
        if not log.isEnabledFor(level):
            return 1
        try:
            text = compile_format(fmt)(run)
        except PvError as error:
            log.error("KSR.xlog: %s", error)
            return -1
        write(level, self.prefix + text)
        return 1

    @export
    def xdbg(self, run: Run, lmsg: str) -> int:
        """Log the evaluated format at level DEBUG."""
        return self._log(run, logging.DEBUG, lmsg)

    @export
    def xinfo(self, run: Run, lmsg: str) -> int:
        """Log the evaluated format at level INFO."""
        return self._log(run, logging.INFO, lmsg)

    @export
    def xnotice(self, run: Run, lmsg: str) -> int:
        """Log the evaluated format at level NOTICE."""
        return self._log(run, NOTICE, lmsg)

    @export
    def xwarn(self, run: Run, lmsg: str) -> int:
        """Log the evaluated format at level WARNING."""
        return self._log(run, logging.WARNING, lmsg)

    @export
    def xerr(self, run: Run, lmsg: str) -> int:
        """Log the evaluated format at level ERROR."""
        return self._log(run, logging.ERROR, lmsg)

    @export
    def xcrit(self, run: Run, lmsg: str) -> int:
        """Log the evaluated format at level CRITICAL."""
        return self._log(run, logging.CRITICAL, lmsg)

    @export
    def xalert(self, run: Run, lmsg: str) -> int:
        """Log the evaluated format at level CRITICAL, the highest there is."""
        return self._log(run, logging.CRITICAL, lmsg)

    @export
    def xlog(self, run: Run, slevel: str, lmsg: str) -> int:
        """Log the evaluated format at ``L_DBG``, ``L_INFO`` ... ``L_ALERT``; anything else is an error."""
        return self._log(run, _LEVELS.get(slevel, logging.ERROR), lmsg)

    @export
    def xlog_facility(self, run: Run, sfacility: str, slevel: str, lmsg: str) -> int:
        """``xlog`` to a facility of syslog, LOG_LOCAL0 ... (Kamailio 6.0 and later): -1 for what is none.

        The script's logger has no facilities: they are only checked.
        """
        if sfacility not in _FACILITIES:
            log.error("KSR.xlog.xlog_facility expects a facility such as LOG_LOCAL0, got %r", sfacility)
            return -1
        return self._log(run, _LEVELS.get(slevel, logging.ERROR), lmsg)
