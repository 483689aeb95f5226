"""Kamailio's diversion: the Diversion field (RFC 5806)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sip.lumps import Lump
from .declare import Module, Param, export

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["Diversion"]


class Diversion(Module):
    name = "diversion"

    suffix = Param("", "no effect, as in Kamailio: str")

    @export
    def add_diversion(self, run: Run, reason: str) -> int:
        """Add a Diversion field with the Request-URI as it came and a reason, before those there are: 1."""
        return self.add_diversion_uri(run, reason, run.msg.ruri)

    @export
    def add_diversion_uri(self, run: Run, reason: str, uri: str) -> int:
        """Add a Diversion field with a URI and a reason (no-answer ...), before those there are: 1."""
        msg = run.msg
        header = msg.index.get("diversion")
        at = msg.headers_end if header is None else msg.offset_of(header)
        # The latest comes first (RFC 5806 4), also before those added here and now.
        msg.lumps.items.insert(0, Lump(at, 0, f"Diversion: <{uri}>;reason={reason}\r\n", "diversion"))
        return 1
