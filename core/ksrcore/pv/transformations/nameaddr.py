"""``{nameaddr.*}``: display name and URI of ``["name"] <uri>`` (Kamailio's pv module). Without ``<`` all is the URI."""

from __future__ import annotations

from ...sip.params import find_outside
from .registry import Value, text


def _split(value: str) -> tuple[str, str, int] | None:
    """Name (with the white space after it), URI, length of both; None when empty or ``>`` is missing."""
    left = find_outside(value, "<")
    if left < 0:
        return ("", value, len(value)) if value else None
    right = value.find(">", left)
    return (value[:left], value[left + 1 : right], right + 1) if right >= 0 else None


@text("nameaddr.name")
def _name(value: str) -> Value:
    parts = _split(value)
    return parts[0] if parts else None


@text("nameaddr.uri")
def _uri(value: str) -> Value:
    parts = _split(value)
    return parts[1] if parts else None


@text("nameaddr.len")
def _len(value: str) -> Value:
    parts = _split(value)
    return parts[2] if parts else None
