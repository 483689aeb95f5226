"""Where a hold is: a function, a line, a KSR function, an exception, or the beginning of the first callback."""

from __future__ import annotations

import difflib
import os.path
import re
from typing import TYPE_CHECKING

from ..kemi import known
from .errors import DebugError
from .states import check_line, code_lines

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..script.engine import Script

__all__ = ["ENTRY", "EXCEPTION", "FUNCTION", "KSR_CALL", "LINE", "Place"]

ENTRY = "entry"
FUNCTION = "function"
LINE = "line"
KSR_CALL = "call"
EXCEPTION = "exception"

_RELATIVE = re.compile(r"(\w+)\s*:\s*\+\s*(\d{1,6})")
_FILE_LINE = re.compile(r"(.+\.\w+|<.+>):\s*(\d{1,9})")


class Place:
    """``kind`` is one of the names above; ``name``: of the function or KSR function; ``file`` and ``line`` of a line.

    ``<function>:+3`` follows its function: :meth:`refresh` finds it again when the script has changed. ``lost`` says
    why it is nowhere at the moment, '' usually.
    """

    def __init__(self, where: str, proxy: Proxy) -> None:
        """Raises :class:`DebugError` or :class:`~ksrcore.script.engine.ScriptError` naming what there is."""
        self.where = where = where.strip()
        self.kind = ENTRY
        self.name = ""
        self.file = ""
        self.line = 0
        self.lost = ""
        self._offset = 0
        script = proxy.script
        if script is None:
            raise DebugError("this proxy runs no script: there is no place to hold at")
        self._generation = script.generation
        if not where:
            return
        if where == EXCEPTION:
            self.kind = EXCEPTION
        elif where == "KSR" or where.startswith("KSR."):
            self.kind, self.name = KSR_CALL, _ksr_name(where, proxy)
        elif where.isdigit():
            self.kind, self.file = LINE, _main_file(script)
            self.line = _line(self.file, int(where))
        elif match := _RELATIVE.fullmatch(where):
            self.kind, self.name, self._offset = LINE, match[1], int(match[2])
            self._relative(script)
        elif match := _FILE_LINE.fullmatch(where):
            self.kind, self.file = LINE, _file(script, match[1])
            self.line = _line(self.file, int(match[2]))
        else:
            self.kind, self.name = FUNCTION, where.rpartition(".")[2].removesuffix("()")
            if not self.name.isidentifier():
                raise DebugError(
                    f"{where!r} is no place: name a function, a line (42, 'route.py:42', 'function:+3'), a KSR "
                    "function ('KSR.tm.t_relay') or 'exception'"
                )
            script.route(self.name)

    def _relative(self, script: Script) -> None:
        version = script.route(self.name).version
        self.file = version.filename
        self.line = version.firstline + self._offset
        last = version.firstline + max(0, len(version.source.splitlines()) - 1)
        lines = [n for n in code_lines(self.file) if version.firstline < n <= last]
        # A function that was swapped in may have no source to compile by itself: its code knows its lines.
        code = getattr(version.function, "__code__", None)
        if code is not None:
            lines = sorted({n for _, _, n in code.co_lines() if n and n > version.firstline}) or lines
        if lines and self.line not in lines:
            near = min(lines, key=lambda n: abs(n - self.line))
            raise DebugError(
                f"{self.name}:+{self._offset} is line {self.line} of {self.file}, which has no code; the nearest with "
                f"code is {self.name}:+{near - version.firstline}"
            )

    def refresh(self, script: Script) -> None:
        """The script may have changed: find a line that follows its function again."""
        if script.generation == self._generation:
            return
        self._generation = script.generation
        self.lost = ""
        try:
            if self._offset:
                self._relative(script)
            elif self.kind == FUNCTION:
                script.route(self.name)
        except Exception as error:  # whatever the engine says of it: the place is gone for now
            self.lost = str(error)

    def __str__(self) -> str:
        if self.kind == ENTRY:
            return "the first callback"
        if self.kind == LINE and not self._offset:
            return f"{os.path.basename(self.file)}:{self.line}"
        return self.where


def _main_file(script: Script) -> str:
    return next((r.version.filename for r in script.routes() if not r.version.filename.startswith("<")), script.path)


def _line(file: str, line: int) -> int:
    try:
        check_line(file, line)
    except DebugError as error:
        raise DebugError(str(error).replace("step.to(line)", "a line")) from None
    return line


def _file(script: Script, name: str) -> str:
    files = {version.filename for route in script.routes() for version in route.versions}
    files.add(_main_file(script))
    found = [file for file in sorted(files) if file == name or file.endswith(f"/{name.lstrip('./')}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise DebugError(f"{name!r} could be {' or '.join(found)}: say more of its path")
    names = ", ".join(sorted(os.path.basename(file) for file in files))
    raise DebugError(f"no file {name!r} in the script; there is {names}")


def _ksr_name(path: str, proxy: Proxy) -> str:
    path = path.removesuffix("()")
    module, _, name = path.removeprefix("KSR").removeprefix(".").rpartition(".")
    found = proxy.modules.get(module)
    if found is not None and name in found.exports:
        return found.exports[name].path
    if any(decl.path == path for decl in known()):
        raise DebugError(f"{path}: ksrshell does not implement this function yet, no call of it comes through")
    names = [decl.path for each in proxy.modules.values() for decl in each.exports.values()]
    near = difflib.get_close_matches(path, names, 3)
    raise DebugError(f"{path} is no KSR function{'; nearest: ' + ', '.join(near) if near else ''}")
