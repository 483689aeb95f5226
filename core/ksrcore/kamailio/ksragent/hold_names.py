"""What a hold's condition and a logpoint's text are about: the names of the filter language, read with ``KSR.pv``.

The node has checked and split the texts (``ksrcore.capture.where``, ``ksrcore.debug.filters``); here they are compiled
once and evaluated on the message that the worker has.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from .hold_limit import within
from .step import StepError, short_repr

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import CodeType

#: Pseudo-variables that a script changes, and those that tell what the message brought along.
AS_IT_CAME = {"ru": "ou", "ruri": "ou", "rU": "oU", "rd": "od", "rp": "op"}

#: No names but those of the message.
_GLOBALS: dict[str, Any] = {"__builtins__": {}}

#: Characters of a text that ``re`` looks at, and seconds of CPU that it may take for one: a worker has other things to
#: do. A pattern that once took longer matches nothing from then on.
_RE_TEXT = 4096
RE_LIMIT = 0.05
#: Such patterns, and those of them that nobody was told of yet.
_slow: set[str] = set()
untold: list[str] = []


class Names:
    """The names of the message in a callback, looked up as the expression asks for them.

    ``get``: ``KSR.pv.get``; ``came``: as the message came, whatever the script has made of it since; ``request``: of
    the request of the reply's transaction; ``values`` come first (local variables), ``calls`` are the paths of the
    KSR calls made.
    """

    __slots__ = ("get", "is_request", "came", "request", "values", "calls", "callbacks")

    def __init__(
        self,
        get: Callable[[str], Any],
        is_request: bool = True,
        came: bool = False,
        request: bool = False,
        values: Mapping[str, Any] | None = None,
        calls: Sequence[str] = (),
        callbacks: Sequence[str] = (),
    ) -> None:
        self.get = get
        self.is_request = is_request
        self.came = came
        self.request = request
        self.values = values
        self.calls = calls
        self.callbacks = callbacks

    def __getitem__(self, name: str) -> Any:
        values = self.values
        if values is not None and name in values:
            return values[name]
        reader = FIELDS.get(name)
        if reader is not None:
            return reader(self)
        if name in FUNCTIONS:
            return getattr(self, "fn_" + name)
        if self.came:
            name = AS_IT_CAME.get(name, name)
        return self.pv("$" + name)

    def pv(self, spec: str) -> Any:
        if self.request:
            spec = f"$T_req({spec})"
        return read(self.get, spec)

    def fn_pv(self, spec: str) -> Any:
        return self.pv(spec)

    def fn_hdr(self, name: str) -> Any:
        return self.pv(f"$hdr({name})")

    def fn_called(self, name: str) -> bool:
        full = name if name.startswith("KSR.") else "KSR." + name
        return any(path == full or path.rpartition(".")[2] == name for path in self.calls)

    @staticmethod
    def fn_re(pattern: str, text: Any) -> bool:
        if text is None or pattern in _slow:
            return False
        wanted = str(text)[:_RE_TEXT]
        try:
            return within(RE_LIMIT, lambda: re.search(pattern, wanted)) is not None
        except StepError:
            if len(_slow) < 1000:
                _slow.add(pattern)
                untold.append(pattern)
            return False

    @staticmethod
    def fn_len(value: Any) -> int:
        return len(value) if value is not None else 0

    @staticmethod
    def fn_lower(value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @staticmethod
    def fn__mod(left: Any, right: Any) -> Any:
        if not isinstance(left, (int, float)) or right == 0:
            raise TypeError("% is the remainder of numbers")
        return left % right


#: ``_mod(a, b)`` is what the node writes for ``a % b``: a text on its left is no format.
FUNCTIONS = ("hdr", "pv", "called", "re", "len", "lower", "_mod")


def read(get: Callable[[str], Any], spec: str) -> Any:
    """A pseudo-variable's value: str, int or None. Bytes that are no UTF-8 become one character each."""
    try:
        return get(spec)
    except UnicodeDecodeError as error:
        return bytes(error.object).decode("latin-1")


def wire(get: Callable[[str], Any], spec: str) -> Any:
    """Likewise, with one character for each byte of a text."""
    try:
        value = get(spec)
    except UnicodeDecodeError as error:
        return bytes(error.object).decode("latin-1")
    return value.encode("utf-8", "surrogateescape").decode("latin-1") if isinstance(value, str) else value


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _text(names: Names, spec: str) -> str:
    value = names.pv(spec)
    return "" if value is None else str(value)


def _address(names: Names, ip: str, port: str) -> str:
    host = _text(names, ip)
    bracketed = f"[{host}]" if ":" in host and host[:1] != "[" else host
    return f"{bracketed}:{_text(names, port)}"


FIELDS: dict[str, Callable[[Names], Any]] = {
    "id": lambda n: 0,
    "time": lambda n: time.time(),
    "out": lambda n: False,
    "proto": lambda n: _text(n, "$pr").lower(),
    "src": lambda n: _address(n, "$si", "$sp"),
    "src_ip": lambda n: _text(n, "$si"),
    "src_port": lambda n: _number(n.pv("$sp")),
    "dst": lambda n: _address(n, "$Ri", "$Rp"),
    "dst_ip": lambda n: _text(n, "$Ri"),
    "dst_port": lambda n: _number(n.pv("$Rp")),
    "size": lambda n: _number(n.pv("$ml")),
    "error": lambda n: "",
    "cause": lambda n: 0,
    "origin": lambda n: "",
    "callbacks": lambda n: list(n.callbacks),
    "exception": lambda n: "",
    "is_request": lambda n: n.is_request or n.request,
    "method": lambda n: _text(n, "$rm"),
    # Also where the request of a reply is asked for: of a reply that is all there is to tell apart.
    "status": lambda n: 0 if n.is_request else _number(read(n.get, "$rs")),
    "reason": lambda n: "" if n.is_request else str(read(n.get, "$rr") or ""),
    "ruri": lambda n: _text(n, "$ou") if n.is_request or n.request else "",
    "callid": lambda n: _text(n, "$ci"),
    "cseq": lambda n: _text(n, "$cs") + " " + _text(n, "$rm"),
    "body": lambda n: _text(n, "$rb"),
}


def compiled(text: str) -> CodeType | None:
    """What :func:`value` evaluates; None for no condition. Raises :class:`SyntaxError` and its kin."""
    return compile(text, "<hold>", "eval") if text else None


def value(code: CodeType, names: Names) -> Any:
    """The value of an expression; None where it is about what the message has not."""
    try:
        return eval(code, _GLOBALS, names)  # type: ignore[arg-type]
    except (TypeError, ArithmeticError, ValueError, LookupError, re.error):
        return None


def matches(code: CodeType | None, names: Names) -> bool:
    return code is None or bool(value(code, names))


class LogText:
    """The text of a logpoint, in parts: ``["text", ...]``, ``["pv", "$ru"]``, ``["name", "user"]`` (a local variable, a
    field or a pseudo-variable without its ``$``), ``["expr", 'hdr("User-Agent")']``."""

    def __init__(self, parts: Sequence[Sequence[str]]) -> None:
        self._parts = [(kind, text, compiled(text) if kind == "expr" else None) for kind, text in parts]

    def format(self, names: Names) -> str:
        return "".join(
            text if kind == "text" else self._shown(kind, text, code, names) for kind, text, code in self._parts
        )

    @staticmethod
    def _shown(kind: str, text: str, code: CodeType | None, names: Names) -> str:
        if kind == "pv":
            found = names.pv(text)
        elif code is not None:
            found = value(code, names)
        else:
            found = names[text]
        if isinstance(found, str):
            return found
        return "<null>" if found is None else short_repr(found)
