"""Kamailio's uuid: identifiers that are unique (RFC 9562)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from ..pv.errors import PvError
from ..pv.registry import Accessor, pv_class
from ..pv.registry import Value as PvValue
from ..pv.spec import Spec
from .declare import Module, Value, export

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["Uuid"]

#: 100 ns from 1582-10-15 to 1970-01-01.
_GREGORIAN = 0x01B21DD213814000


def random_uuid(run: Run) -> str:
    """Version 4."""
    return str(uuid.UUID(int=run.proxy.random.getrandbits(128), version=4))


def time_uuid(run: Run) -> str:
    """Version 1: by the time and this machine; what tells two of one moment apart is left to chance."""
    ticks = int(run.proxy.wall() * 10_000_000) + _GREGORIAN
    clock = run.proxy.random.getrandbits(14)
    fields = (
        ticks & 0xFFFFFFFF,
        (ticks >> 32) & 0xFFFF,
        ticks >> 48 & 0x0FFF,
        clock >> 8,
        clock & 0xFF,
        uuid.getnode(),
    )
    return str(uuid.UUID(fields=fields, version=1))


class Uuid(Module):
    name = "uuid"

    @export
    def get(self, run: Run) -> Value:
        """A UUID by chance."""
        return random_uuid(run)

    @export
    def rget(self, run: Run) -> Value:
        """A UUID by chance."""
        return random_uuid(run)

    @export
    def tget(self, run: Run) -> Value:
        """A UUID by the time."""
        return time_uuid(run)


@pv_class("uuid")
def _uuid(spec: Spec) -> Accessor:
    """``g`` and ``r`` by chance, ``t`` by the time; ``s``, by the time and safe for sure, is null without a daemon."""
    inner = (spec.inner or "").strip()
    if not inner:
        raise PvError("expected $uuid(g), $uuid(r) or $uuid(t)", str(spec))

    def null(run: Run) -> PvValue:
        return None

    return Accessor(spec, {"t": time_uuid, "s": null}.get(inner[0], random_uuid))
