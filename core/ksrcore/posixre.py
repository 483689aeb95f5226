"""POSIX extended regular expressions, as Kamailio's regcomp() takes them, translated to :mod:`re`.

Differences that matter: a backslash inside a bracket expression is an ordinary character, ``[:alpha:]`` and its kin
are classes, ``\\d`` and other letters of Perl mean the letter itself, ``{`` that opens no bound is an ordinary
character, ``$`` matches only at the very end. POSIX takes the longest of several alternatives, :mod:`re` the first;
for a test (does it match?) that makes no difference. GNU's ``\\w \\W \\s \\S \\b \\B \\< \\>`` are kept, as glibc does.
"""

from __future__ import annotations

import re
from functools import lru_cache

_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r" \t\n\r\f\v",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "print": " -~",
    "graph": "!-~",
    "cntrl": r"\x00-\x1f\x7f",
    "xdigit": "0-9A-Fa-f",
}
_GNU = {
    "w": "[a-zA-Z0-9_]",
    "W": "[^a-zA-Z0-9_]",
    "s": r"[ \t\n\r\f\v]",
    "S": r"[^ \t\n\r\f\v]",
    "b": r"\b",
    "B": r"\B",
    "<": r"\b(?=\w)",
    ">": r"\b(?<=\w)",
}
_BOUND = re.compile(r"\{(\d+)(,?)(\d*)\}")


class PosixError(ValueError):
    """A pattern that regcomp() refuses: one line with the pattern."""


@lru_cache(maxsize=512)
def compile_posix(pattern: str, *, ignore_case: bool = False, newline: bool = False) -> re.Pattern[str]:
    """The compiled pattern. ``newline``: REG_NEWLINE, ``.`` and ``[^x]`` stop at line ends, ``^ $`` match at them.

    Raises :class:`PosixError`.
    """
    flags = (re.IGNORECASE if ignore_case else 0) | (re.MULTILINE if newline else re.DOTALL) | re.ASCII
    try:
        return re.compile(translate(pattern, newline=newline), flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise PosixError(f"bad regular expression {pattern!r}: {error}") from None


def translate(pattern: str, *, newline: bool = False) -> str:
    """The pattern in :mod:`re`'s syntax. Raises :class:`PosixError`."""
    out: list[str] = []
    at = 0
    depth = 0
    # Whether something that can be repeated precedes.
    atom = False
    size = len(pattern)
    while at < size:
        char = pattern[at]
        if char == "[":
            text, at = _bracket(pattern, at, newline)
            out.append(text)
            atom = True
            continue
        if char == "\\":
            if at + 1 >= size:
                raise PosixError(f"bad regular expression {pattern!r}: it ends with a backslash")
            following = pattern[at + 1]
            if following.isdigit() and following != "0":
                out.append(f"(?:\\{following})")
            else:
                out.append(_GNU.get(following) or re.escape(following))
            at += 2
            atom = True
            continue
        if char == "{":
            bound = _BOUND.match(pattern, at)
            if bound is not None and atom:
                low, comma, high = bound.groups()
                out.append(f"{{{low}{comma}{high}}}")
                at = bound.end()
                _no_possessive(out)
                continue
            out.append(r"\{")
            atom = True
        elif char in "*+?":
            if not atom:
                # glibc takes a repetition of nothing as the character itself.
                out.append(re.escape(char))
                atom = True
            else:
                out.append(char)
                _no_possessive(out)
        elif char == "(":
            depth += 1
            out.append("(")
            atom = False
        elif char == ")":
            if depth:
                depth -= 1
                out.append(")")
            else:
                out.append(r"\)")
            atom = True
        elif char == "|":
            out.append("|")
            atom = False
        elif char == "^":
            out.append("^")
            atom = False
        elif char == "$":
            out.append("$" if newline else r"\Z")
            atom = True
        else:
            out.append("." if char == "." else re.escape(char))
            atom = True
        at += 1
    if depth:
        raise PosixError(f"bad regular expression {pattern!r}: a '(' is not closed")
    return "".join(out)


def _no_possessive(out: list[str]) -> None:
    """``a*?`` and ``a++`` repeat a repetition in POSIX; in re they would be lazy and possessive: group the first."""
    if len(out) >= 2 and out[-2] in ("*", "+", "?") or len(out) >= 2 and out[-2].startswith("{"):
        repeat = out.pop()
        previous = out.pop()
        # The atom before is one item, or a group's items back to its parenthesis.
        start = len(out) - 1
        if out[start] == ")":
            depth = 0
            while start >= 0:
                depth += (out[start] == ")") - (out[start] == "(")
                if depth == 0:
                    break
                start -= 1
        atom = "".join(out[start:])
        del out[start:]
        out.append(f"(?:{atom}{previous})")
        out.append(repeat)


def _bracket(pattern: str, at: int, newline: bool) -> tuple[str, int]:
    start = at
    at += 1
    negate = pattern[at : at + 1] == "^"
    if negate:
        at += 1
    out: list[str] = []
    first = True
    while True:
        if at >= len(pattern):
            raise PosixError(f"bad regular expression {pattern!r}: a '[' is not closed")
        char = pattern[at]
        if char == "]" and not first:
            break
        first = False
        if char == "[" and pattern[at + 1 : at + 2] in (":", ".", "="):
            kind = pattern[at + 1]
            end = pattern.find(kind + "]", at + 2)
            if end < 0:
                raise PosixError(f"bad regular expression {pattern!r}: a '[{kind}' is not closed")
            name = pattern[at + 2 : end]
            if kind == ":":
                if name not in _CLASSES:
                    raise PosixError(f"bad regular expression {pattern!r}: no character class {name!r}")
                out.append(_CLASSES[name])
            elif len(name) == 1:
                out.append(re.escape(name))
            else:
                raise PosixError(f"bad regular expression {pattern!r}: unknown collating element {name!r}")
            at = end + 2
            continue
        if char == "-" and out and pattern[at + 1 : at + 2] not in ("]", ""):
            out.append("-")
        elif char in "\\[]^-&~|":
            out.append("\\" + char)
        else:
            out.append(char)
        at += 1
    inside = "".join(out)
    if negate and newline:
        inside += "\\n"
    text = f"[{'^' if negate else ''}{inside}]"
    try:
        re.compile(text)
    except re.error as error:
        raise PosixError(f"bad regular expression {pattern!r}: {pattern[start : at + 1]}: {error}") from None
    return text, at + 1
