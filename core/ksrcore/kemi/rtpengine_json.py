"""What rtpengine tells as JSON, laid out as Kamailio's srjson does it."""

from __future__ import annotations

from collections.abc import Mapping

from ..net.ng import Dictionary, NgValue

__all__ = ["to_json"]

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = str.maketrans({**{chr(code): f"\\u{code:04x}" for code in range(32)}, **_ESCAPES})


def to_json(value: NgValue, pretty: bool = False) -> str:
    """On one line without spaces, or ``pretty``: an entry a line, tabs before it and after its colon."""
    parts: list[str] = []
    _write(value, parts, pretty, 0)
    return "".join(parts)


def _write(value: NgValue, parts: list[str], pretty: bool, depth: int) -> None:
    if isinstance(value, str):
        parts.append(f'"{value.translate(_ESCAPED)}"')
    elif isinstance(value, int):
        parts.append(str(value))
    elif isinstance(value, (Dictionary, Mapping)):
        items = value.items if isinstance(value, Dictionary) else list(value.items())
        inner = "\n" + "\t" * (depth + 1) if pretty else ""
        parts.append("{")
        for number, (key, item) in enumerate(items):
            parts.append(f'{"," if number else ""}{inner}"{key.translate(_ESCAPED)}":' + ("\t" if pretty else ""))
            _write(item, parts, pretty, depth + 1)
        parts.append("\n" + "\t" * depth + "}" if pretty else "}")
    else:
        parts.append("[")
        for number, item in enumerate(value):
            parts.append((", " if pretty else ",") if number else "")
            _write(item, parts, pretty, depth + 1)
        parts.append("]")
