"""``$dsv(code)``, ``$dsv(reason)``, ``$dsv(flags)``: the probe's reply, in dispatcher's event callback (Kamailio 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..pv.errors import PvError
from ..pv.registry import Accessor, Value, pv_class
from ..pv.spec import Spec

if TYPE_CHECKING:
    from ..run import Run

_NAMES = ("code", "reason", "flags")


@pv_class("dsv")
def _dsv(spec: Spec) -> Accessor:
    name = (spec.inner or "").strip()
    if name not in _NAMES:
        raise PvError("expected $dsv(code), $dsv(reason) or $dsv(flags)", str(spec))

    def get(run: Run) -> Value:
        told = run.local.get("dispatcher.probe")
        return told[name] if isinstance(told, dict) else None

    return Accessor(spec, get)
