"""Format strings: text with pseudo-variables in it, as ``xlog`` and most function parameters take them.

``$$`` gives ``$``; a null gives ``<null>``; an integer its decimal digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import PvError
from .spec import parse_at

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["NULL", "Format", "compile_format", "is_static"]

Format = Callable[["Run"], str]

#: What a null pseudo-variable prints as.
NULL = "<null>"

_LIMIT = 4096
_cache: dict[str, Format] = {}


def is_static(text: str) -> bool:
    """True when ``text`` has no pseudo-variable: it means itself."""
    return "$" not in text


def compile_format(text: str) -> Format:
    """``text`` as a function of the run. Results are cached by text.

    Raises :class:`PvError` when a pseudo-variable in it cannot be understood.
    """
    found = _cache.get(text)
    if found is None:
        found = _compile(text)
        if len(_cache) >= _LIMIT:
            _cache.clear()
        _cache[text] = found
    return found


def _compile(text: str) -> Format:
    # Imported here: a variable's inner name is itself a format.
    from .accessor import compile_parsed

    if "$" not in text:
        return lambda run: text
    parts: list[str | Callable[[Run], str | int | None]] = []
    pos = 0
    while (at := text.find("$", pos)) >= 0:
        if at > pos:
            parts.append(text[pos:at])
        if text[at : at + 2] == "$$":
            parts.append("$")
            pos = at + 2
            continue
        spec, pos = parse_at(text, at)
        try:
            parts.append(compile_parsed(spec).get)
        except PvError as error:
            raise PvError(f"in a format: {error}", text, at) from error
    if pos < len(text):
        parts.append(text[pos:])
    if len(parts) == 1 and not isinstance(parts[0], str):
        return _single(parts[0])
    return _join(tuple(parts))


def _single(get: Callable[[Run], str | int | None]) -> Format:
    def single(run: Run) -> str:
        value = get(run)
        return value if type(value) is str else NULL if value is None else str(value)

    return single


def _join(parts: tuple[str | Callable[[Run], str | int | None], ...]) -> Format:
    def join(run: Run) -> str:
        out = []
        for part in parts:
            if type(part) is str:
                out.append(part)
            else:
                value = part(run)  # type: ignore[operator]
                out.append(value if type(value) is str else NULL if value is None else str(value))
        return "".join(out)

    return join
