"""What the prompt shows: values that render themselves, in the terminal with colours, elsewhere as plain text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType


class View(ABC):
    """A value with a rich rendering. ``repr`` and ``print`` give the same as plain text.

    The terminal shell prints :meth:`__rich__` in colour; :meth:`to_json` is what ``attach --json`` prints.
    """

    @abstractmethod
    def __rich__(self) -> RenderableType:
        """What the terminal prints."""

    @abstractmethod
    def to_json(self) -> Any:
        """What ``--json`` prints: numbers, text, lists, dicts, other views."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What notebooks show: HTML, and what the terminal shows for all others."""
        from .render.html import html

        made = {"text/plain": repr(self)}
        if (not include or "text/html" in include) and "text/html" not in (exclude or ()):
            made["text/html"] = html(self)
        return made

    def __repr__(self) -> str:
        from .render.console import plain

        return plain(self)


def to_json(value: Any) -> Any:
    """``value`` as JSON has it: views by their own ``to_json``, bytes as text (a character a byte), times as ISO 8601.

    Raises :class:`UsageError` for what has no such form.
    """
    if isinstance(value, View):
        return to_json(value.to_json())
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes | bytearray):
        return value.decode("latin-1")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    raise UsageError(f"a {type(value).__name__} has no JSON form: make it a string, number, list or dict")


def unwire(text: str) -> str:
    """Text of the wire, where each character is a byte, as UTF-8 has it; unchanged where it is not UTF-8."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
