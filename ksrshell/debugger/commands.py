"""What can be told to the debugger, in pdb's and gdb's words. No terminal here: screen and plain text share it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import KsrShellError, UsageError

if TYPE_CHECKING:
    from ..stepper import Step
    from ..trace import Replay

#: Words of a command, and what ``?`` says about it: (words, parameters, text).
HELP: tuple[tuple[str, str, str], ...] = (
    ("n next", "", "next line of this function"),
    ("s step into", "", "into functions, too"),
    ("r return out", "", "back in the caller"),
    ("c continue", "", "to a breakpoint or the end"),
    ("k call", "", "to the next KSR call"),
    ("- back", "[N]", "a line back (left)"),
    ("+ forward", "[N]", "a line on (right)"),
    ("K callback", "", "to the KSR call before"),
    ("first", "", "to the first step (home)"),
    ("last", "", "to the last one (end)"),
    ("g goto", "N", "to step N"),
    ("b break", "[LINE]", "a breakpoint, on or off"),
    ("t until to", "LINE", "run to that line"),
    ("u up", "", "look at the caller"),
    ("d down", "", "and back"),
    ("w watch", "$PV", "show it at each step"),
    ("unwatch", "$PV", "not any more"),
    ("when", "$PV | NAME", "steps that changed it (W)"),
    ("p", "EXPR", "its value; also of $PV"),
    ("NAME =", "EXPR", "set a variable or $PV"),
    ("h ?", "", "this help"),
    ("q quit", "", "leave the view"),
)

_ASSIGN = re.compile(r"\s*([A-Za-z_]\w*|\$[^=\s]+)\s*=(?!=)\s*(.+)\Z", re.S)


class Commands:
    """One step, and how it is told what to do.

    ``note`` is the answer to the last command, ``failed`` whether it is an error; ``frame``: how many callers up the
    source pane looks; ``breaks``: lines by file at which ``continue`` stops; ``finished``: the view is to be left.
    """

    def __init__(self, step: Step | Replay) -> None:
        self.step = step
        self.note = ""
        self.failed = False
        self.frame = 0
        self.finished = False
        self.breaks: set[tuple[str, int]] = set()
        self._table: dict[str, Callable[[str], None]] = {}
        for names, function in (
            ("n next", self._move(step.next)),
            ("s step into", self._move(step.into)),
            ("r return out", self._move(step.out)),
            ("c continue", self._move(self._continue)),
            ("k call next_call", self._move(step.next_call)),
            ("K callback back_call", self._move(step.back_call)),
            ("first", self._move(step.first)),
            ("last", self._move(step.last)),
            ("- back", self._count(step.back)),
            ("+ forward", self._forward),
            ("g goto", self._goto),
            ("b break", self._break),
            ("t until to", self._to),
            ("u up", self._up),
            ("d down", self._down),
            ("w watch", self._watch),
            ("unwatch", self._unwatch),
            ("when", self._when),
            ("p print", self._print),
            ("h ? help", self._help),
            ("q quit exit", self._quit),
        ):
            for name in names.split():
                self._table[name] = function

    def run(self, line: str) -> None:
        """Do what a line says; never raises for what the user typed."""
        line = line.strip()
        self.note, self.failed = "", False
        if not line:
            return
        try:
            word, _, rest = line.partition(" ")
            assigned = _ASSIGN.match(line)
            if word in self._table and not (assigned and rest.lstrip().startswith("=")):
                self._table[word](rest.strip())
            elif assigned is not None:
                self.note = f"{assigned[1]} = {self.step.set(assigned[1], assigned[2])}"
            else:
                self._print(line)
        except KsrShellError as error:
            self.note, self.failed = str(error), True

    # -- moving ---------------------------------------------------------------------------------------------------

    def _moved(self) -> None:
        self.frame = 0

    def _move(self, function: Callable[[], object]) -> Callable[[str], None]:
        def command(rest: str) -> None:
            if rest:
                raise UsageError(f"this takes nothing more, got {rest!r}")
            function()
            self._moved()

        return command

    def _count(self, function: Callable[[int], object]) -> Callable[[str], None]:
        def command(rest: str) -> None:
            function(_number(rest, "how many lines") if rest else 1)
            self._moved()

        return command

    def _forward(self, rest: str) -> None:
        """A line on, into functions too: what ``back`` undoes."""
        for _ in range(_number(rest, "how many lines") if rest else 1):
            self.step.into()
        self._moved()

    def _goto(self, rest: str) -> None:
        self.step.goto(_number(rest, "goto N, the number of a step"))
        self._moved()

    def _to(self, rest: str) -> None:
        self.step.to(_number(rest, "to LINE, a line of the script"))
        self._moved()

    def _continue(self) -> None:
        """To the next line with a breakpoint, or the end."""
        step = self.step
        if not self.breaks:
            step.finish()
            return
        while not step.done:
            step.into()
            where = step.where
            if (where.file, where.line) in self.breaks and step.event == "line":
                return

    def _break(self, rest: str) -> None:
        where = self.step.where
        line = _number(rest, "break LINE, a line of the script") if rest else where.line
        lines = self.step.code_lines
        if line not in lines:
            after = next((n for n in lines if n > line), None)
            raise UsageError(f"line {line} has no code" + (f"; the next with code is {after}" if after else ""))
        self.breaks ^= {(where.file, line)}
        self.note = f"breakpoint at line {line} {'set' if (where.file, line) in self.breaks else 'cleared'}"

    def _up(self, rest: str) -> None:
        if self.frame + 1 >= len(self.step.stack):
            raise UsageError("this is the outermost function of the script")
        self.frame += 1

    def _down(self, rest: str) -> None:
        if not self.frame:
            raise UsageError("this is the innermost function")
        self.frame -= 1

    # -- looking --------------------------------------------------------------------------------------------------

    def _watch(self, rest: str) -> None:
        if not rest:
            raise UsageError("watch what? A pseudo-variable, such as w $du")
        self.step.watch(rest)

    def _unwatch(self, rest: str) -> None:
        self.step.unwatch(rest)

    def _when(self, rest: str) -> None:
        if not rest:
            raise UsageError("when what? A pseudo-variable or the name of a local variable, such as when $du")
        from ..render.console import plain

        word, _, name = rest.partition(" ")
        found = self.step.when(header=name.strip()) if word == "header" and name else self.step.when(rest)
        self.note = plain(found)

    def _print(self, rest: str) -> None:
        if not rest:
            raise UsageError("print what? An expression or a pseudo-variable, such as p $ru")
        value = self.step.pv(rest) if rest.startswith("$") else self.step.eval(rest)
        self.note = "<null>" if value is None else str(value)

    def _help(self, rest: str) -> None:
        self.note = "\n".join(
            f"{f'{words.split()[0]} {parameters}'.strip():<11} {text}" for words, parameters, text in HELP
        )

    def _quit(self, rest: str) -> None:
        self.finished = True


def _number(text: str, usage: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"expected {usage}, got {text!r}") from None
