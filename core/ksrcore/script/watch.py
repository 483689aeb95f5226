"""Following the script's file: what an editor saves is swapped in, function by function."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from .engine import ScriptError

if TYPE_CHECKING:
    from .python import PythonScript
    from .swap import Swapped

log = logging.getLogger("ksrcore.script")

#: Seconds between two looks. A file counts as saved when two looks in a row find it the same: half of it may be there
#: at the first.
LOOK = 0.5
#: Who swaps, in the versions.
WHO = "file"

#: Device, inode, size, time of change: editors write into the file or put another in its place.
_Seen = tuple[int, int, int, int]


class Watcher:
    """Looks at the file of one script. ``report(text, done)`` is told what became of each save; ``done`` is None when
    it was not taken."""

    def __init__(self, script: PythonScript, report: Callable[[str, Swapped | None], None]) -> None:
        self.script = script
        self.report = report
        self._taken = self._last = self._see()

    def _see(self) -> _Seen | None:
        try:
            found = os.stat(self.script.path)
        except OSError:
            return None  # an editor is about to put a new one there
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def look(self) -> None:
        """Take over what was saved since the last look."""
        seen = self._see()
        last, self._last = self._last, seen
        if seen is None or seen == self._taken or seen != last:
            return
        self._taken = seen
        try:
            done = self.script.swaps.file_changed(WHO)
        except ScriptError as error:
            text = f"the saved script was not taken, the old one runs on: {error}"
            log.warning("%s", text)
            self.report(text, None)
            return
        if not done.numbers:
            return
        text = "taken over from the file: " + ", ".join(
            f"{name} version {number}" if number else f"{name} removed" for name, number in done.numbers.items()
        )
        log.info("%s", text)
        self.report(text, done)
