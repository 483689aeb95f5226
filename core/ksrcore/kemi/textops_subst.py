"""The ``subst`` functions of textops: sed-like substitutions, ``/regex/replacement/flags``.

Any character may take the slash's place. Flags: i any case, g every match, s ``.`` and ``^ $`` do not stop at line
ends. In the replacement ``\\0`` to ``\\9`` are the match and its groups, ``\\u`` is the Request-URI, ``\\n \\r \\t``
are control characters, and pseudo-variables are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from ..posixre import PosixError, compile_posix
from ..pv.errors import PvError
from ..pv.format import compile_format
from ..sip.errors import SipError
from ..sip.uri import parse_uri
from .core import set_user
from .core_log import log
from .declare import export

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import Header, SipMessage

_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}


class Subst:
    """One compiled expression: the pattern, whether it is global, and what makes a replacement."""

    __slots__ = ("every", "parts", "pattern")

    def __init__(self, text: str) -> None:
        parts = _split(text)
        if len(parts) != 3:
            raise PosixError(f"expected /regex/replacement/flags, got {text!r}")
        regex, replacement, flags = parts
        if flags.strip("igs"):
            raise PosixError(f"expected the flags i, g or s, got {flags!r}")
        self.pattern = compile_posix(regex, ignore_case="i" in flags, newline="s" not in flags)
        self.every = "g" in flags
        self.parts = _replacement(replacement)

    def replacement(self, run: Run, found: re.Match[str]) -> str:
        out = []
        for part in self.parts:
            if isinstance(part, int):
                out.append((found[part] or "") if part <= found.re.groups else "")
            else:
                out.append(part(run))
        return "".join(out)

    def matches(self, text: str, start: int = 0, stop: int | None = None) -> list[re.Match[str]]:
        found = self.pattern.finditer(text, start, len(text) if stop is None else stop)
        if self.every:
            return [match for match in found if match.end() > match.start()]
        first = next(found, None)
        return [first] if first is not None else []

    def apply(self, run: Run, text: str) -> str | None:
        """``text`` with the substitutions done, None when nothing matched."""
        matches = self.matches(text)
        if not matches:
            return None
        out = []
        at = 0
        for match in matches:
            out += [text[at : match.start()], self.replacement(run, match)]
            at = match.end()
        return "".join(out) + text[at:]


def _split(text: str) -> list[str]:
    """Regex, replacement and flags; a backslash protects the delimiter."""
    if not text:
        return []
    delimiter = text[0]
    parts = [""]
    at = 1
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            parts[-1] += delimiter if text[at + 1] == delimiter else text[at : at + 2]
            at += 2
            continue
        if char == delimiter and len(parts) < 3:
            parts.append("")
        else:
            parts[-1] += char
        at += 1
    return parts


def _replacement(text: str) -> list[int | Callable[[Run], str]]:
    parts: list[int | Callable[[Run], str]] = []
    literal = ""

    def flush() -> None:
        nonlocal literal
        if literal:
            parts.append(compile_format(literal))
            literal = ""

    at = 0
    while at < len(text):
        char = text[at]
        following = text[at + 1 : at + 2]
        if char != "\\" or not following:
            literal += char
            at += 1
            continue
        at += 2
        if following.isdigit():
            flush()
            parts.append(int(following))
        elif following == "u":
            flush()
            parts.append(lambda run: run.msg.uri)
        else:
            literal += _CONTROLS.get(following, following)
    flush()
    return parts


@lru_cache(maxsize=512)
def _compile(text: str) -> Subst | str:
    try:
        return Subst(text)
    except (PosixError, PvError) as error:
        return str(error)


def compile_subst(text: str) -> Subst | None:
    """The compiled expression, None (and an error in the log) when it cannot be compiled."""
    found = _compile(text)
    if isinstance(found, str):
        log.error("subst: %s", found)
        return None
    return found


class SubstFunctions:
    """``subst`` and its kin: 1 when something was replaced, else -1."""

    @staticmethod
    def _edit(run: Run, expression: str, start: int, stop: int) -> int:
        subst = compile_subst(expression)
        if subst is None:
            return -1
        msg = run.msg
        matches = subst.matches(msg.buf, start, stop)
        for match in matches:
            kind = "body" if match.start() >= msg.body_at else "text"
            msg.lumps.replace(match.start(), match.end() - match.start(), subst.replacement(run, match), kind)
        return 1 if matches else -1

    @export
    def subst(self, run: Run, expression: str) -> int:
        """Substitute in header fields and body: ``/regex/replacement/flags``."""
        return self._edit(run, expression, run.msg.head_at, len(run.msg.buf))

    @export
    def subst_body(self, run: Run, expression: str) -> int:
        """Substitute in the body."""
        return self._edit(run, expression, run.msg.body_at, len(run.msg.buf))

    @export
    def subst_uri(self, run: Run, expression: str) -> int:
        """Substitute in the Request-URI."""
        subst = compile_subst(expression)
        if subst is None or not run.msg.is_request:
            return -1
        new = subst.apply(run, run.msg.uri)
        if new is None:
            return -1
        run.msg.new_uri = new
        return 1

    @export
    def subst_user(self, run: Run, expression: str) -> int:
        """Substitute in the user part of the Request-URI; -1 also when it has none."""
        subst = compile_subst(expression)
        if subst is None or not run.msg.is_request:
            return -1
        try:
            user = parse_uri(run.msg.uri).user
        except SipError:
            return -1
        new = subst.apply(run, user) if user else None
        return 1 if new is not None and set_user(run.msg, new) else -1

    @export
    def subst_v(self, run: Run, text: str, expression: str, name: str) -> int:
        """Substitute in ``text`` and put the result into the pseudo-variable ``name``."""
        from ..pv.accessor import assign, compile_spec

        subst = compile_subst(expression)
        if subst is None:
            return -1
        try:
            accessor = compile_spec(name)
        except PvError as error:
            log.error("subst_v: %s", error)
            return -1
        new = subst.apply(run, text)
        if new is None:
            return -1
        return assign(accessor, run, new, "subst_v")

    @export
    def subst_hf(self, run: Run, name: str, expression: str, which: str) -> int:
        """Substitute in the bodies of the fields called ``name``; ``which``: a all, f the first, l the last."""
        subst = compile_subst(expression)
        if subst is None or not name:
            return -1
        msg = run.msg
        done = -1
        for offset, header in fields(msg, name, which):
            body_at = offset + header.body_start
            for match in subst.matches(header.body):
                length = match.end() - match.start()
                msg.lumps.replace(body_at + match.start(), length, subst.replacement(run, match), header.key)
                done = 1
        return done


def fields(msg: SipMessage, name: str, which: str) -> list[tuple[int, Header]]:
    """The fields called ``name`` with their offsets; ``which``: f the first, l the last, anything else all."""
    from .hdr import header_key

    key = header_key(name)
    offsets = msg.offsets
    found = [(offsets[n], header) for n, header in enumerate(msg.headers) if header.key == key]
    if which[:1] in ("f", "F"):
        return found[:1]
    return found[-1:] if which[:1] in ("l", "L") else found
