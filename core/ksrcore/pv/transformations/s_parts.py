"""``{s.*}`` operations that pick a part of the value: substr, select, strip, before ... (Kamailio's pv module)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import PvError
from .registry import Step, Value, build, int_param, split_params, text_param

if TYPE_CHECKING:
    from ...run import Run

_WS = " \t\r\n"
_ESCAPED = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r", "\\s": _WS}


def _error(name: str, problem: str, params: str | None) -> PvError:
    return PvError(f"{name} {problem}", "{" + name + ("" if params is None else "," + params) + "}")


@build("s.substr")
def _substr(params: str | None) -> Step:
    """Null when the offset lies outside; a length beyond the end is cut."""
    offset_text, length_text = split_params("s.substr", params, 2, 2)
    offset_of = int_param("s.substr", offset_text)
    length_of = int_param("s.substr", length_text)
    if length_text.strip()[:1] == "-":
        raise _error("s.substr", f"expects a length from 0, got {length_text.strip()}", params)

    def step(run: Run, value: Value) -> Value:
        offset, length = offset_of(run), length_of(run)
        if value is None or offset is None or length is None or length < 0:
            return None
        subject = str(value)
        if offset < 0:
            offset += len(subject)
        if not 0 <= offset < len(subject):
            return None
        return subject[offset : offset + length] if length else subject[offset:]

    return step


def _pick(parts: list[str], index: int) -> str:
    return parts[index] if -len(parts) <= index < len(parts) else ""


@build("s.select")
def _select(params: str | None) -> Step:
    """The separator is one character, or one of ``\\\\ \\t \\n \\r`` and ``\\s`` (any white space)."""
    index_text, comma, separator = (params or "").partition(",")
    if index_text[:1] == "$" and params is not None:
        # The index may be a variable with commas in its own name: the separator is the last character.
        cut = params.rfind(",", 0, len(params) - 1)
        index_text, separator = params[:cut], params[cut + 1 :]
    separator = _ESCAPED.get(separator, separator)
    if not comma or (len(separator) != 1 and separator != _WS):
        raise _error("s.select", "expects an index and one separator character", params)
    index_of = int_param("s.select", index_text)

    def step(run: Run, value: Value) -> Value:
        index = index_of(run)
        if value is None or index is None:
            return None
        subject = str(value)
        if separator == _WS:
            subject = subject.translate(_SPACES)
            return _pick(subject.split(" "), index)
        return _pick(subject.split(separator), index)

    return step


_SPACES = str.maketrans("\t\r\n", "   ")


def _by_number(name: str, apply: Callable[[str, int], Value]) -> None:
    """An operation on the number that is its parameter."""

    @build(name)
    def builder(params: str | None) -> Step:
        number_of = int_param(name, split_params(name, params, 1, 1)[0])

        def step(run: Run, value: Value) -> Value:
            number = number_of(run)
            return None if value is None or number is None else apply(str(value), number)

        return step


def _selectws(subject: str, index: int) -> Value:
    return _pick(subject.translate(_SPACES).split(), index)


# Kamailio's documentation says selectws, its tables selectsw.
_by_number("s.selectws", _selectws)
_by_number("s.selectsw", _selectws)
_by_number("s.strip", lambda subject, count: subject[max(count, 0) :])
_by_number("s.striptail", lambda subject, count: subject[: max(len(subject) - count, 0)] if count > 0 else subject)


def _by_char(name: str, apply: Callable[[str, str], Value], *, comma: bool = True) -> None:
    """An operation on the first character of its parameter ('' when that is empty)."""

    @build(name)
    def builder(params: str | None) -> Step:
        if params is None:
            raise _error(name, "takes a character", params)
        if params != "," or not comma:
            params = split_params(name, params, 1, 1)[0]
        param = text_param(params)

        def step(run: Run, value: Value) -> Value:
            char = param(run)
            return None if value is None or char is None else apply(str(value), char[:1])

        return step


def _stripto(subject: str, char: str) -> Value:
    at = subject.find(char) if char else -1
    return subject[at:] if at >= 0 else ""


def _count(subject: str, char: str) -> Value:
    return subject.count(char) if char else 0


def _before(subject: str, char: str) -> Value:
    return subject.partition(char)[0] if char else subject


def _after(subject: str, char: str) -> Value:
    return subject.partition(char)[2] if char else ""


def _rbefore(subject: str, char: str) -> Value:
    return subject.rpartition(char)[0] if char and char in subject else subject


def _rafter(subject: str, char: str) -> Value:
    return subject.rpartition(char)[2] if char and char in subject else ""


_by_char("s.stripto", _stripto, comma=False)
_by_char("s.count", _count)
_by_char("s.before", _before)
_by_char("s.after", _after)
# Of these two Kamailio 5.6.3 reads beyond the value: the documented results are given here.
_by_char("s.rbefore", _rbefore)
_by_char("s.rafter", _rafter)


def _at(name: str, convert: Callable[[str], Value]) -> None:
    @build(name)
    def builder(params: str | None) -> Step:
        index_of = int_param(name, split_params(name, params, 1, 1)[0])

        def step(run: Run, value: Value) -> Value:
            index = index_of(run)
            if value is None or index is None:
                return None
            subject = str(value)
            return convert(subject[index]) if -len(subject) <= index < len(subject) else None

        return step


_at("s.charat", lambda char: char)
_at("s.byteat", ord)
