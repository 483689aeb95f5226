"""The module sipdump of the server: with it the workers see every message that leaves, byte for byte.

That is what no callback of the script sees: replies of the server's own, and what its timers send again. It is switched
on when the node comes and off when it goes, unless somebody had it on already; when the node is killed, the workers
switch it off.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from .cfg import Config
from .info import Info
from .rpcclient import RpcError, Unreachable

log = logging.getLogger("ksrcore.kamailio")

#: Bits of sipdump's parameter ``mode``: it runs a callback; it writes files.
CALLBACK, FILES = 2, 1 | 4
#: What the agent answers to when the script has no callback of its own.
NAME = "ksr_sipdump_event"
MARK = "sipdump"
#: What is to be in a kamailio.cfg.
LINES = f'loadmodule "sipdump.so"; modparam("sipdump", "mode", 2); modparam("sipdump", "event_callback", "{NAME}")'


def hindrance(config: Config) -> tuple[str, str]:
    """Why that server's sipdump does not tell the agent what leaves, and what to do; '' twice when it does."""
    if not config.loads("sipdump"):
        return (
            "sipdump is not loaded: replies that the server makes itself (sl, t_reply) and what its timers send again "
            "are not among msgs",
            f"add: {LINES}",
        )
    mode = config.param("sipdump", "mode")
    mode = mode if isinstance(mode, int) else 1
    if not mode & CALLBACK:
        return f"sipdump has mode {mode}: it runs no callback", 'write modparam("sipdump", "mode", 2)'
    if not config.param("sipdump", "event_callback"):
        return "sipdump has no callback in the script", f'add: modparam("sipdump", "event_callback", "{NAME}")'
    if mode & FILES and not config.param("sipdump", "enable"):
        return (
            f"sipdump has mode {mode}: it is not switched on, because it would write files too",
            'write modparam("sipdump", "mode", 2), or switch it on yourself: modparam("sipdump", "enable", 1)',
        )
    return "", ""


class Dumping:
    """``ours``: we have switched it on, this node or one of this server's that was killed: a file in the server's
    folder, which is the current one, says so."""

    def __init__(self, info: Info, generation: int) -> None:
        self.info = info
        self.ours = False
        self._mark = str(generation)

    def start(self) -> None:
        """Switch it on where that helps. Blocks; never raises."""
        config = self.info.config
        if config is None:
            return
        why, remedy = hindrance(config)
        if why:
            log.info("%s; %s", why, remedy)
            return
        before = self._enable(1)
        mark = Path(MARK)
        try:
            self.ours = before == 0 or (before == 1 and mark.read_text() == self._mark)
            if before == 0:
                mark.write_text(self._mark)
        except OSError as error:
            if before == 0:
                log.warning("%s cannot be written: %s", MARK, error.strerror)

    def stop(self) -> None:
        """As it was before. Blocks; never raises."""
        if self.ours:
            self.ours = False
            self._enable(0)
        with suppress(OSError):
            os.unlink(MARK)

    def _enable(self, on: int) -> int:
        """What it was before; -1 when the server cannot be asked."""
        try:
            answer: Any = self.info.call("sipdump.enable", [on], 1.0)
            return int(answer["oldval"])
        except (RpcError, Unreachable, OSError, LookupError, TypeError, ValueError) as error:
            log.warning("sipdump.enable: %s", error)
            return -1
