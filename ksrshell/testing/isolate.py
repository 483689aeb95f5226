"""Nothing of one test's script is left for the next: its modules, its additions to sys.path, the log's settings."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from .steps import Log

__all__ = ["Imports", "LogTap", "script_files"]

__tracebackhide__ = True

_MISSING = object()


def script_files(path: Path) -> Callable[[str], bool]:
    """Whether a file is the script, or a module of its folder (or below) that is no test and not installed there."""
    folder = f"{path.parent}/"
    script = str(path)
    known: dict[str, bool] = {}

    def is_script(filename: str) -> bool:
        found = known.get(filename)
        if found is None:
            name = filename.rpartition("/")[2]
            found = known[filename] = filename == script or (
                filename.startswith(folder)
                and filename.endswith(".py")
                and "/site-packages/" not in filename
                and not name.startswith(("test_", "conftest."))
                and not name.endswith("_test.py")
            )
        return found

    return is_script


class Imports:
    """What Python had imported before a script was loaded; :meth:`restore` makes it so again.

    Modules of the script's own folder are forgotten, so that the next load runs them anew, with their globals and with
    the KSR of then. Others, such as the standard library's, stay.
    """

    def __init__(self, path: Path) -> None:
        self._is_script = script_files(path)
        self._before = set(sys.modules)
        self._saved: dict[str, ModuleType | object] = {
            name: sys.modules.get(name, _MISSING) for name in ("KSR", path.stem)
        }
        self._path = list(sys.path)
        self._added: list[str] = []

    def loaded(self) -> None:
        """The script has been loaded: what it put into sys.path is its own."""
        self._added = [entry for entry in sys.path if entry not in self._path]

    def restore(self) -> None:
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if name not in self._before and isinstance(file, str) and self._is_script(file):
                del sys.modules[name]
        for name, saved in self._saved.items():
            if isinstance(saved, ModuleType):
                sys.modules[name] = saved
            else:
                sys.modules.pop(name, None)
        for entry in self._added:
            if entry in sys.path:
                sys.path.remove(entry)


class LogTap(logging.Handler):
    """Takes what the proxy and the script log, all levels, while it is open."""

    def __init__(self, take: Callable[[Log, logging.LogRecord], None]) -> None:
        super().__init__(logging.DEBUG)
        self._take = take
        self._log = logging.getLogger("ksrcore")
        self._levels = (self._log.level, logging.getLogger().level)

    def open(self) -> None:
        self._log.addHandler(self)
        self._log.setLevel(logging.DEBUG)

    def close(self) -> None:
        self._log.removeHandler(self)
        self._log.setLevel(self._levels[0])
        # The parameter core:debug sets it.
        logging.getLogger().setLevel(self._levels[1])
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        self._take(Log(record.levelname, record.getMessage(), record.name), record)
