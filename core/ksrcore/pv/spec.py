"""The names of pseudo-variables: ``$ru``, ``$(ru)``, ``$hdr(X)``, ``$(hdr(X)[1]{s.len})``.

Grammar (as Kamailio's core reads it)::

    spec   = "$" name [ "(" inner ")" ]
           | "$(" name [ "(" inner ")" ] [ "[" index "]" ] *( "{" class "." operation [ "," params ] "}" ) ")"
           | "$$"
    name   = 1*( letter | digit | "_" | "." | "?" )

Parentheses, brackets and braces nest. ``inner``, ``index`` and ``params`` are kept as text: each may contain
pseudo-variables, and what they mean is for the variable or the transformation to say.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import PvError

__all__ = ["Spec", "Transformation", "parse_at", "parse_spec"]

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.?")
_WS = " \t\r\n"
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Transformation:
    """One ``{name,params}``: name is ``class.operation``; params is None without a comma."""

    name: str
    params: str | None = None

    def __str__(self) -> str:
        return "{" + self.name + ("" if self.params is None else "," + self.params) + "}"


@dataclass(frozen=True, slots=True)
class Spec:
    """A parsed pseudo-variable name. ``inner`` and ``index`` are None when absent; ``$$`` has the name ``$``."""

    name: str
    inner: str | None = None
    index: str | None = None
    transformations: tuple[Transformation, ...] = ()

    def __str__(self) -> str:
        base = self.name if self.inner is None else f"{self.name}({self.inner})"
        if self.index is None and not self.transformations:
            return "$" + base
        index = "" if self.index is None else f"[{self.index}]"
        return f"$({base}{index}{''.join(map(str, self.transformations))})"


def parse_spec(text: str) -> Spec:
    """Parse the whole of ``text``. Raises :class:`PvError` that names what came and where."""
    spec, end = parse_at(text, 0)
    if end != len(text):
        raise PvError(f"unexpected {text[end]!r} after the pseudo-variable", text, end)
    return spec


def parse_at(text: str, start: int) -> tuple[Spec, int]:
    """The pseudo-variable that begins at ``text[start]`` and the offset after it. Raises :class:`PvError`."""
    size = len(text)
    if start >= size or text[start] != "$":
        raise PvError("expected a pseudo-variable such as $ru or $(ru{s.len})", text, min(start, size))
    pos = start + 1
    if pos >= size:
        raise PvError("expected a name after '$'", text, pos)
    if text[pos] == "$":
        return Spec("$"), pos + 1
    if text[pos] != "(":
        name, pos = _name(text, pos)
        if pos < size and text[pos] == "(":
            end = _balanced(text, pos)
            return Spec(name, text[pos + 1 : end]), end + 1
        return Spec(name), pos
    return _long(text, pos + 1)


def _long(text: str, pos: int) -> tuple[Spec, int]:
    size = len(text)
    name, pos = _name(text, pos)
    inner = index = None
    if pos < size and text[pos] == "(":
        end = _balanced(text, pos)
        inner = text[pos + 1 : end]
        pos = end + 1
    if pos < size and text[pos] == "[":
        end = _balanced(text, pos)
        index = text[pos + 1 : end].strip(_WS)
        if not index:
            raise PvError("expected an index between '[' and ']'", text, pos)
        pos = end + 1
    found: list[Transformation] = []
    while True:
        while pos < size and text[pos] in _WS:
            pos += 1
        if pos >= size:
            raise PvError("expected ')' at the end of the pseudo-variable", text, pos)
        if text[pos] == ")":
            return Spec(name, inner, index, tuple(found)), pos + 1
        if text[pos] != "{":
            raise PvError(f"expected '{{', '[' or ')', got {text[pos]!r}", text, pos)
        end = _balanced(text, pos)
        operation, comma, params = text[pos + 1 : end].partition(",")
        operation = operation.rstrip(_WS)
        head, dot, tail = operation.partition(".")
        if not head or not dot or not tail or not _NAME.issuperset(operation):
            raise PvError(f"expected a transformation {{class.operation}}, got {text[pos : end + 1]!r}", text, pos)
        found.append(Transformation(operation, params if comma else None))
        pos = end + 1


def _name(text: str, pos: int) -> tuple[str, int]:
    end = pos
    size = len(text)
    while end < size and text[end] in _NAME:
        end += 1
    if end == pos:
        got = repr(text[pos]) if pos < size else "the end"
        raise PvError(f"expected the name of a pseudo-variable, got {got}", text, pos)
    return text[pos:end], end


def _balanced(text: str, start: int) -> int:
    """Offset of the bracket that closes the one at ``start``; brackets of the same kind nest."""
    opening = text[start]
    closing = _CLOSING[opening]
    depth = 0
    for pos in range(start, len(text)):
        char = text[pos]
        if char == opening:
            depth += 1
        elif char == closing:
            depth -= 1
            if not depth:
                return pos
    raise PvError(f"expected {closing!r} to close {opening!r}", text, start)
