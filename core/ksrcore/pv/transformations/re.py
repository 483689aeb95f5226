"""``{re.subst,/match/replacement/flags}``: POSIX extended regular expressions (Kamailio's textops module).

``i`` ignores case, ``s`` lets ``.`` and ``[^...]`` match line ends and ``^ $`` only the ends of the text, ``g``
replaces all matches. In the replacement ``\\0`` to ``\\9`` are the groups, ``\\t \\n \\r`` the characters, and
pseudo-variables are evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...posixre import PosixError, compile_posix
from ..errors import PvError
from ..format import compile_format
from .registry import Step, Value, build

if TYPE_CHECKING:
    from ...run import Run

_CHARS = {"t": "\t", "n": "\n", "r": "\r"}


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
                    raise PosixError(f"the match has no group {following}")
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
    except PosixError as error:
        raise PvError(str(error), shown) from None
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
