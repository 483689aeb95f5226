"""JSON-RPC as Kamailio's module jsonrpcs speaks it: what a document asks for, and the bytes of the answer.

It is lenient where Kamailio is: a request without an id is answered, too (without one), whatever is no string or number
as an id becomes a number, one that names no version gets an empty result. Text is latin-1 (a character a byte).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from ..kemi.declare import RpcError

__all__ = ["Answer", "dumps", "from_text", "run", "to_text"]

log = logging.getLogger("ksrcore.jsonrpcs")

Command = Callable[[list[Any]], Any]

_SPECIAL = re.compile(r'["\\\x00-\x1f]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True)
class Answer:
    """``code`` and ``reason``: 200 OK, or the command's error; ``body``: the document, latin-1."""

    code: int
    reason: str
    body: str
    #: ``reply_name`` of the request: the fifo to answer to.
    reply_name: str = ""


def run(commands: Mapping[str, Command], document: str, pretty: bool = True) -> Answer | None:
    """Carry out the command of a document (latin-1 text); None when it is no JSON, which Kamailio does not answer."""
    try:
        # Bytes that are no UTF-8 go through as they are. What stands behind the document does not count.
        text = document.encode("latin-1").decode("utf-8", "surrogateescape").lstrip()
        request, _ = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        log.error("no JSON document: %.200r", document)
        return None
    fields = request if isinstance(request, dict) else {}
    code, reason = 200, "OK"
    answer: dict[str, Any] = {}
    if fields.get("jsonrpc") != "2.0":
        log.error("the request says version %r, expected jsonrpc 2.0", fields.get("jsonrpc"))
        answer["result"] = {}
    elif not isinstance(method := fields.get("method"), str):
        log.error("the request names no method: %.200r", document)
        answer["result"] = {}
    else:
        try:
            answer["result"] = call(commands, method, fields.get("params"))
        except RpcError as error:
            code, reason = error.code, error.reason
            answer["error"] = {"code": code, "message": reason}
    if "id" in fields:
        answer["id"] = _id(fields["id"])
    reply_name = fields.get("reply_name")
    body = dumps({"jsonrpc": "2.0", **answer}, pretty)
    return Answer(code, reason, body, reply_name if isinstance(reply_name, str) else "")


def call(commands: Mapping[str, Command], method: str, params: Any) -> Any:
    """The result of a command, or :class:`RpcError`. Parameters are a list, or an object whose names do not count."""
    command = commands.get(method)
    if command is None:
        raise RpcError(500, "Method Not Found")
    if isinstance(params, dict):
        params = list(params.values())
    if not isinstance(params, list):
        params = []
    try:
        result = command([to_text(value) for value in takewhile(_scalar, params)])
    except RpcError:
        raise
    except Exception as error:
        log.exception("command %s failed", method)
        raise RpcError(500, f"{type(error).__name__}: {error}") from None
    return {} if result is None else result


def _scalar(value: Any) -> bool:
    """Whether Kamailio reads it as a parameter: one that it does not is the end of them."""
    return isinstance(value, str | float | int) and not isinstance(value, bool)


def _id(value: Any) -> Any:
    if isinstance(value, str):
        return to_text(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else int(value is True)


def to_text(value: Any) -> Any:
    """Strings of a JSON value as the core has text: the bytes of their UTF-8, one character each."""
    if isinstance(value, str):
        try:
            return value.encode("utf-8", "surrogateescape").decode("latin-1")
        except UnicodeEncodeError:  # half of a surrogate pair, from \\ud800
            return value.encode("utf-8", "replace").decode("latin-1")
    if isinstance(value, list):
        return [to_text(item) for item in value]
    if isinstance(value, dict):
        return {name: to_text(item) for name, item in value.items()}
    return value


def from_text(value: Any) -> Any:
    """The reverse of :func:`to_text`; text that is none of the core's (a path, a name) stays as it is."""
    if isinstance(value, str):
        try:
            return value if value.isascii() else value.encode("latin-1").decode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return value
    if isinstance(value, list | tuple):
        return [from_text(item) for item in value]
    if isinstance(value, dict):
        return {name: from_text(item) for name, item in value.items()}
    return value


# -- the bytes --------------------------------------------------------------------------------------------------------


def dumps(value: Any, pretty: bool = True) -> str:
    """JSON with the blanks of Kamailio's printer: tabs, an object's member a line, a list in one. Latin-1 text."""
    return _object(value, 1, pretty) if isinstance(value, dict) else _value(value, 1, pretty)


def _value(value: Any, depth: int, pretty: bool) -> str:
    if isinstance(value, str):
        return _string(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _double(value)
    if isinstance(value, dict):
        return _object(value, depth + 1, pretty)
    if isinstance(value, list | tuple):
        return "[" + (", " if pretty else ",").join(_value(item, depth + 1, pretty) for item in value) + "]"
    return _string(str(value))


def _object(members: dict[str, Any], depth: int, pretty: bool) -> str:
    if not pretty:
        return "{" + ",".join(f"{_string(n)}:{_value(v, depth, pretty)}" for n, v in members.items()) + "}"
    tabs = "\t" * depth
    lines = ",\n".join(f"{tabs}{_string(name)}:\t{_value(value, depth, pretty)}" for name, value in members.items())
    return "{\n" + lines + ("\n" if lines else "") + "\t" * (depth - 1) + "}"


def _double(value: float) -> str:
    """As C's printf writes it there: whole numbers whole, six places, or with an exponent."""
    if value != value or value in (float("inf"), float("-inf")):
        return "null"
    if abs(value) < 1e60 and value == int(value):
        return f"{value:.0f}"
    return f"{value:e}" if abs(value) < 1e-6 or abs(value) > 1e9 else f"{value:f}"


def _string(text: str) -> str:
    text = str(text)
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        text = text.encode("utf-8", "surrogateescape").decode("latin-1")
    return '"' + _SPECIAL.sub(lambda m: _SHORT.get(m[0]) or f"\\u{ord(m[0]):04x}", text) + '"'
