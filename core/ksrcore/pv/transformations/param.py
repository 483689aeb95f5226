"""``{param.*}``: lists like ``a=1;b="x y";c`` (Kamailio's pv module)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import PvError
from .registry import Step, Value, build, int_param, split_params, text_param

if TYPE_CHECKING:
    from ...run import Run

_WS = " \t\r\n"
_NAME_END = frozenset(" \t\r\n;,=")

Params = list[tuple[str, str]]


def scan_params(text: str, sep: str) -> Params | None:
    """The list as (name, value) with quotes removed and '' for a flag, as Kamailio's parser reads it.

    A comma ends the list, so does a semicolon after a flag when ``sep`` is another. None when the text is no such list:
    empty, beginning with white space, an open quote, a second word where a separator should be.
    """
    if not text or text[0] in _WS:
        return None
    found: Params = []
    pos = 0
    size = len(text)
    while pos < size:
        start = pos
        while pos < size and text[pos] not in _NAME_END and text[pos] != sep:
            pos += 1
        name = text[start:pos]
        value = ""
        pos = _skip(text, pos)
        flag = pos >= size or text[pos] != "="
        if not flag:
            pos = _skip(text, pos + 1)
            if pos < size:
                end = _value_end(text, pos, sep)
                if end < 0:
                    return None
                value = text[pos + 1 : end - 1] if text[pos] in "\"'" else text[pos:end]
                pos = _skip(text, end)
        found.append((name, value))
        if pos >= size or text[pos] == ",":
            break
        if text[pos] != sep:
            if text[pos] == ";" and flag:
                break
            return None
        pos = _skip(text, pos + 1)
    return found


def _skip(text: str, pos: int) -> int:
    while pos < len(text) and text[pos] in _WS:
        pos += 1
    return pos


def _value_end(text: str, start: int, sep: str) -> int:
    """Offset after the value at ``start``, or -1 when it is empty before a semicolon or its quote stays open."""
    if text[start] in "\"'":
        end = text.find(text[start], start + 1)
        return end + 1
    if text[start] == ";" and sep == ";":
        return -1
    end = start + 1 if text[start] == sep else start
    while end < len(text) and text[end] not in _WS and text[end] != sep and text[end] != ",":
        end += 1
    return end


def _declare(name: str, fixed: int, make: Callable[[list[str]], Callable[[Run, Params], Value]]) -> None:
    """``name`` takes ``fixed`` parameters and an optional separator character."""

    @build(name)
    def builder(params: str | None) -> Step:
        # The separator may be any character: only the parameters before it are split.
        parts = split_params(name, params, fixed, fixed + 1)
        sep = parts[fixed] if len(parts) > fixed else ";"
        if len(sep) != 1:
            raise PvError(f"{name} expects one separator character, got {sep!r}", "{" + name + "," + str(params) + "}")
        read = make(parts[:fixed])

        def step(run: Run, value: Value) -> Value:
            if value is None:
                return None
            found = scan_params(str(value), sep)
            return None if found is None else read(run, found)

        return step


def _value(parts: list[str]) -> Callable[[Run, Params], Value]:
    """The value of the last parameter of that name, '' when there is none."""
    name_of = text_param(parts[0])

    def read(run: Run, params: Params) -> Value:
        name = name_of(run)
        if name is None:
            return None
        return next((value for key, value in reversed(params) if key.lower() == name.lower()), "")

    return read


def _in(parts: list[str]) -> Callable[[Run, Params], Value]:
    name_of = text_param(parts[0])

    def read(run: Run, params: Params) -> Value:
        name = name_of(run)
        return None if name is None else int(any(key.lower() == name.lower() for key, _ in params))

    return read


def _at(name: str, item: int) -> Callable[[list[str]], Callable[[Run, Params], Value]]:
    def make(parts: list[str]) -> Callable[[Run, Params], Value]:
        index_of = int_param(name, parts[0])

        def read(run: Run, params: Params) -> Value:
            index = index_of(run)
            if index is None:
                return None
            return params[index][item] if -len(params) <= index < len(params) else ""

        return read

    return make


_declare("param.value", 1, _value)
_declare("param.in", 1, _in)
_declare("param.valueat", 1, _at("param.valueat", 1))
_declare("param.name", 1, _at("param.name", 0))
_declare("param.count", 0, lambda parts: lambda run, params: len(params))
