"""``{line.*}``: lines of a text (Kamailio's pv module). A line ends with LF or CRLF; the empty text has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .registry import Step, Value, build, int_param, split_params, text, text_param

if TYPE_CHECKING:
    from ...run import Run


def _lines(value: str) -> list[str]:
    lines = value.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line[:-1] if line[-1:] == "\r" else line for line in lines]


@text("line.count")
def _count(value: str) -> Value:
    """The count as text, as Kamailio has it."""
    return str(len(_lines(value))) if value else None


@build("line.at")
def _at(params: str | None) -> Step:
    index_of = int_param("line.at", split_params("line.at", params, 1, 1)[0])

    def step(run: Run, value: Value) -> Value:
        index = index_of(run)
        if value is None or value == "" or index is None:
            return None
        lines = _lines(str(value))
        return lines[index] if -len(lines) <= index < len(lines) else ""

    return step


@build("line.sw")
def _sw(params: str | None) -> Step:
    prefix_of = text_param(split_params("line.sw", params, 1, 1)[0])

    def step(run: Run, value: Value) -> Value:
        prefix = prefix_of(run)
        if value is None or value == "" or prefix is None:
            return None
        return next((line for line in _lines(str(value)) if line.startswith(prefix)), "")

    return step
