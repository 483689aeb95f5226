"""``{s.*}``: whole-value string operations of Kamailio's pv module."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..errors import PvError
from ..format import compile_format
from .registry import Step, Value, build, int_param, plain, split_params, text, text_param, to_int

if TYPE_CHECKING:
    from ...run import Run

_WS = " \t\r\n"
#: The longest result: Kamailio's buffer. It matters where a result grows with the square of the value.
_MAX_RESULT = 65536
_LOWER = str.maketrans({chr(c): chr(c + 32) for c in range(65, 91)})
_UPPER = str.maketrans({chr(c): chr(c - 32) for c in range(97, 123)})
_NO_WS = str.maketrans("", "", _WS)
_NUMERIC = str.maketrans("", "", "".join(chr(c) for c in range(256) if not 48 <= c <= 57))


@text("s.len")
def _len(value: str) -> Value:
    return len(value)


@plain("s.int")
def _int(value: Value) -> Value:
    """The number; null when the text is no decimal number of 32 bits."""
    return to_int(value) if isinstance(value, str) else value


@plain("s.intv")
def _intv(value: Value) -> Value:
    """The number, 0 when the text is none."""
    return (to_int(value) or 0) if isinstance(value, str) else value


@text("s.tolower")
def _tolower(value: str) -> Value:
    return value.translate(_LOWER)


@text("s.toupper")
def _toupper(value: str) -> Value:
    return value.translate(_UPPER)


@text("s.numeric")
def _numeric(value: str) -> Value:
    return value.translate(_NUMERIC)


@text("s.trim")
def _trim(value: str) -> Value:
    return value.strip(_WS)


@text("s.ltrim")
def _ltrim(value: str) -> Value:
    return value.lstrip(_WS)


@text("s.rtrim")
def _rtrim(value: str) -> Value:
    return value.rstrip(_WS)


@text("s.rmws")
def _rmws(value: str) -> Value:
    return value.translate(_NO_WS)


def _unfold(value: str, joiner: str) -> str:
    """``value`` with each line end that white space follows, and that white space, replaced by ``joiner``."""
    out = []
    pos = 0
    while (at := value.find("\n", pos)) >= 0:
        end = at + 1
        while end < len(value) and value[end] in " \t":
            end += 1
        if end == at + 1:
            out.append(value[pos:end])
        else:
            out.append(value[pos : at - 1 if at > pos and value[at - 1] == "\r" else at] + joiner)
        pos = end
    return "".join(out) + value[pos:]


@text("s.rmhdws")
def _rmhdws(value: str) -> Value:
    """Folds of a header value become one space."""
    return _unfold(value, " ")


@text("s.rmhlws")
def _rmhlws(value: str) -> Value:
    """Folds of a header value are removed."""
    return _unfold(value, "")


def _peeled(name: str, closing: dict[str, str]) -> None:
    @plain(name)
    def peel(value: Value) -> Value:
        """A value of less than two characters stays as it is; other numbers become text, as in Kamailio."""
        subject = str(value)
        if len(subject) < 2:
            return value
        return subject[1:-1] if closing.get(subject[0]) == subject[-1] else subject


_peeled("s.unquote", {"'": "'", '"': '"'})
_peeled("s.unbracket", {"(": ")", "[": "]", "{": "}", "<": ">"})


@build("s.replace")
def _replace(params: str | None) -> Step:
    match, replacement = map(text_param, split_params("s.replace", params, 2, 2))

    def step(run: Run, value: Value) -> Value:
        old, new = match(run), replacement(run)
        if value is None or old is None or new is None:
            return None
        return str(value).replace(old, new) if old else str(value)

    return step


@build("s.rm")
def _rm(params: str | None) -> Step:
    match = text_param(split_params("s.rm", params, 1, 1)[0])

    def step(run: Run, value: Value) -> Value:
        old = match(run)
        if value is None or old is None:
            return None
        return str(value).replace(old, "") if old else str(value)

    return step


@build("s.ftime")
def _ftime(params: str | None) -> Step:
    layout = split_params("s.ftime", params, 1, 1)[0]
    strftime = compile_format(layout)

    def step(run: Run, value: Value) -> Value:
        if isinstance(value, str):
            value = to_int(value)
        if value is None:
            return None
        try:
            return time.strftime(strftime(run), time.localtime(value))
        except (OverflowError, OSError, ValueError):
            # A time beyond what the C library counts, or a format with a zero byte.
            return None

    return step


def _prefixes(name: str, quote: str) -> None:
    @build(name)
    def builder(params: str | None) -> Step:
        parts = split_params(name, params, 0, 1)
        limit = int_param(name, parts[0]) if parts else None

        def step(run: Run, value: Value) -> Value:
            count = limit(run) if limit is not None else 0
            if value is None or count is None:
                return None
            subject = str(value)
            size = min(count, len(subject)) if count > 0 else len(subject)
            if size * (size + 1) // 2 > _MAX_RESULT:
                return None
            return ",".join([quote + subject[:n] + quote for n in range(1, size + 1)])

        return step


_prefixes("s.prefixes", "")
_prefixes("s.prefixes.quoted", "'")


def _fmtlines(name: str, indent: str) -> None:
    @build(name)
    def builder(params: str | None) -> Step:
        width_of, indent_of = [int_param(name, p) for p in split_params(name, params, 2, 2)]
        for param in split_params(name, params, 2, 2):
            if param.strip()[:1] == "-":
                raise PvError(f"{name} expects numbers from 0", "{" + name + "," + str(params) + "}")

        def step(run: Run, value: Value) -> Value:
            width, depth = width_of(run), indent_of(run)
            if value is None or width is None or depth is None or width <= 0 or depth < 0:
                return None
            subject = str(value)
            return ("\r\n" + indent * depth).join([subject[n : n + width] for n in range(0, len(subject), width)])

        return step


# Kamailio 5.6.3 breaks the lines at wrong places (it counts the indent while it writes over it): the documented
# result is given here.
_fmtlines("s.fmtlines", " ")
_fmtlines("s.fmtlinet", "\t")
