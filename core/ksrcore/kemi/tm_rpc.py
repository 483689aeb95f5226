"""The RPC commands of tm: what transactions there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..tm.timers import NEVER
from ..tm.transaction import RELEASED
from .declare import Module, RpcError, rpc

if TYPE_CHECKING:
    from ..tm.engine import Engine

__all__ = ["TmRpc"]


class TmRpc(Module):
    """A part of the tm module."""

    engine: Engine

    @rpc("tm.stats")
    def rpc_stats(self, params: list[Any]) -> dict[str, int]:
        """Numbers of current and past transactions."""
        count = self.proxy.counters.get
        numbers = self.engine.stats()
        result = {key: numbers[key] for key in ("current", "waiting", "total", "total_local")}
        for key in ("received", "generated", "sent"):
            result[f"rpl_{key}"] = count(f"tmx:rpl_{key}", 0)
        for kind in (6, 5, 4, 3, 2):
            result[f"{kind}xx"] = count(f"tmx:{kind}xx_transactions", 0)
        result["created"] = numbers["created"]
        result["freed"] = numbers["freed"]
        result["delayed_free"] = 0
        return result

    @rpc("tm.clean")
    def clean(self, params: list[Any]) -> None:
        """Free transactions that are active far beyond their lifetime."""
        engine = self.engine
        limit = self.proxy.now - engine.fr - engine.wait - 5.0
        for t in [t for t in engine.clients.values() if t.expires < limit]:
            if t.kept & RELEASED:
                engine.waiting -= 1
            engine.free(t)

    @rpc("tm.hash_stats")
    def rpc_hash_stats(self, params: list[Any]) -> None:
        """Refused as by a Kamailio that is not built for it."""
        raise RpcError(500, "Hash statistics not supported (tryrecompiling with -DTM_HASH_STATS)")

    @rpc("tm.list")
    def list_transactions(self, params: list[Any]) -> list[dict[str, Any]]:
        """The transactions there are."""
        found = []
        for t in self.engine.clients.values():
            msg = t.msg
            from_, to = msg.get("from"), msg.get("to")
            found.append(
                {
                    "tindex": t.id_index,
                    "tlabel": t.id_label,
                    "method": t.method,
                    "from": from_.body if from_ is not None else "",
                    "to": to.body if to is not None else "",
                    "callid": msg.callid,
                    "cseq": msg.cseq.number_text if msg.cseq is not None else "",
                    "uas_request": "no" if t.local else "yes",
                    "tflags": t.flags,
                    "outgoings": len(t.branches),
                    "ref_count": 1,
                    "lifetime": max(0, int((t.expires - self.proxy.now) * 1000)) if t.expires < NEVER else 0,
                }
            )
        return found
