"""``{num.*}``: digits of a number (Kamailio's pv module, 5.8 and later). Text and null give 0."""

from __future__ import annotations

from .registry import Value, plain


@plain("num.fdigit", null=True)
def _fdigit(value: Value) -> Value:
    return int(str(abs(value))[0]) if isinstance(value, int) else 0


@plain("num.ldigit", null=True)
def _ldigit(value: Value) -> Value:
    return abs(value) % 10 if isinstance(value, int) else 0
