"""``{re.subst,/match/replacement/flags}``: POSIX extended regular expressions (Kamailio's textops module).

``i`` ignores case, ``s`` lets ``.`` and ``[^...]`` match line ends and ``^ $`` only the ends of the text, ``g``
replaces all matches. In the replacement ``\\0`` to ``\\9`` are the groups, ``\\t \\n \\r`` the characters, and
pseudo-variables are evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import PvError
from ..format import compile_format
from .registry import Step, Value, build

if TYPE_CHECKING:
    from ...run import Run

_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r" \t\r\n\x0b\x0c",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9a-fA-F",
    "cntrl": r"\x00-\x1f\x7f",
    "print": " -~",
    "graph": "!-~",
}
_CHARS = {"t": "\t", "n": "\n", "r": "\r"}
# What glibc understands after a backslash beside the characters that mean themselves.
_GLIBC = {"<": r"\b(?=\w)", ">": r"\b(?<=\w)", "`": r"\A", "'": r"\Z"}


def posix_to_python(pattern: str, *, newline: bool = True) -> str:
    """A POSIX extended expression in Python's syntax. With ``newline`` ``[^...]`` does not match line ends."""
    out: list[str] = []
    pos = 0
    size = len(pattern)
    while pos < size:
        char = pattern[pos]
        if char == "\\" and pos + 1 < size:
            following = pattern[pos + 1]
            if following in "123456789wWsSbB":
                out.append(char + following)
            else:
                out.append(_GLIBC.get(following) or re.escape(following))
            pos += 2
        elif char == "[":
            piece, pos = _bracket(pattern, pos, newline)
            out.append(piece)
        elif char == "(" and pattern[pos + 1 : pos + 2] == "?":
            out.append("(")
            pos += 1
        elif char in "*+?" and out and pattern[pos - 1] in "*+?" and pos:
            # Python takes a second quantifier as "lazy" or "possessive": POSIX as a repetition of the whole.
            if char != "?" or out[-1] != "?":
                out[-1] = "*"
            pos += 1
        else:
            out.append(char)
            pos += 1
    return "".join(out)


def _bracket(pattern: str, start: int, newline: bool) -> tuple[str, int]:
    """The bracket expression at ``start`` in Python's syntax, and the offset after it."""
    pos = start + 1
    negated = pattern[pos : pos + 1] == "^"
    if negated:
        pos += 1
    out: list[str] = []
    first = True
    while pos < len(pattern):
        char = pattern[pos]
        if char == "]" and not first:
            body = "".join(out)
            return ("[^" + body + ("\\n" if newline else "") + "]" if negated else "[" + body + "]"), pos + 1
        if char == "[" and pattern[pos + 1 : pos + 2] == ":":
            end = pattern.find(":]", pos)
            name = pattern[pos + 2 : end] if end >= 0 else ""
            if name not in _CLASSES:
                raise re.error(f"unknown character class [:{name}:]", pattern, pos)
            out.append(_CLASSES[name])
            pos = end + 2
        else:
            out.append("\\" + char if char in "\\[]^&~|" else char)
            pos += 1
        first = False
    raise re.error("missing ] at the end of a bracket expression", pattern, start)


def compile_posix(pattern: str, *, ignore_case: bool = False, newline: bool = True) -> re.Pattern[str]:
    """Compile a POSIX extended expression; with ``newline`` lines match by themselves (``REG_NEWLINE``).

    Raises ``re.error``.
    """
    flags = (re.IGNORECASE if ignore_case else 0) | (re.MULTILINE if newline else re.DOTALL) | re.ASCII
    return re.compile(posix_to_python(pattern, newline=newline), flags)


def _template(text: str, groups: int) -> list[int | Callable[[Run], str]]:
    """The replacement as group numbers and text."""
    parts: list[int | Callable[[Run], str]] = []
    literal = ""
    pos = 0
    while pos < len(text):
        char = text[pos]
        following = text[pos + 1 : pos + 2]
        if char == "\\" and following:
            pos += 2
            if following.isdigit() and following.isascii():
                if literal:
                    parts.append(compile_format(literal))
                    literal = ""
                if int(following) <= groups:
                    parts.append(int(following))
                else:
                    raise re.error(f"no group {following}")
            else:
                literal += _CHARS.get(following, following)
        else:
            literal += char
            pos += 1
    if literal:
        parts.append(compile_format(literal))
    return parts


@build("re.subst")
def _subst(params: str | None) -> Step:
    shown = "{re.subst" + ("" if params is None else "," + params) + "}"
    parts = _delimited(params or "")
    if parts is None or not set(parts[2]) <= set("igs"):
        raise PvError("re.subst expects /match/replacement/flags with flags of i, g and s", shown)
    match, replacement, flags = parts
    try:
        pattern = compile_posix(match, ignore_case="i" in flags, newline="s" not in flags)
        template = _template(replacement, pattern.groups)
    except (re.error, OverflowError) as error:
        raise PvError(f"bad regular expression: {error}", shown) from None
    everywhere = "g" in flags

    def step(run: Run, value: Value) -> Value:
        if value is None or value == "":
            return None
        subject = str(value)
        out = []
        pos = 0
        for found in pattern.finditer(subject):
            if found.end() == found.start():
                # Kamailio gives up on a match of nothing.
                return None
            out.append(subject[pos : found.start()])
            for part in template:
                out.append((found[part] or "") if isinstance(part, int) else part(run))
            pos = found.end()
            if not everywhere:
                break
        return "".join(out) + subject[pos:] if pos else value

    return step


def _delimited(text: str) -> tuple[str, str, str] | None:
    """``/a/b/c`` at its first character, which a backslash protects."""
    if len(text) < 3:
        return None
    delimiter = text[0]
    parts = [""]
    pos = 1
    while pos < len(text):
        char = text[pos]
        if char == "\\" and text[pos + 1 : pos + 2] == delimiter and len(parts) < 3:
            parts[-1] += delimiter
            pos += 2
        elif char == "\\" and len(parts) < 3:
            parts[-1] += text[pos : pos + 2]
            pos += 2
        elif char == delimiter and len(parts) < 3:
            parts.append("")
            pos += 1
        else:
            parts[-1] += char
            pos += 1
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None
