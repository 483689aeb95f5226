"""``{val.*}``: defaults for null, and JSON (Kamailio's pv module, 5.7 and later)."""

from __future__ import annotations

from .registry import Value, plain

_JSON = {chr(c): f"\\u{c:04x}" for c in range(32)} | {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_JSON_TABLE = str.maketrans(_JSON)


@plain("val.n0", null=True)
def _n0(value: Value) -> Value:
    return 0 if value is None else value


@plain("val.ne", null=True)
def _ne(value: Value) -> Value:
    return "" if value is None else value


@plain("val.json", null=True)
def _json(value: Value) -> Value:
    """Text escaped for a JSON string, without the quotes around it; null is ''."""
    return "" if value is None else value.translate(_JSON_TABLE) if isinstance(value, str) else value


@plain("val.jsonqe", null=True)
def _jsonqe(value: Value) -> Value:
    """A JSON value: text in quotes, numbers as they are, null as ``""``."""
    if isinstance(value, int):
        return value
    return '"' + (value or "").translate(_JSON_TABLE) + '"'
