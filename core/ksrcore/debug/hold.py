"""An armed hold: where, for which messages, what is done there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import DebugError
from .filters import Condition, LiveNames, LogText
from .places import Place
from .watches import Watch

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..tm.transaction import Transaction

#: Seconds until a hold lets its message go, unless it says otherwise (and fr_timer allows).
TIMEOUT = 20.0
#: How much of fr_timer is taken at most where nobody says how long.
SHARE = 0.8
#: Verdicts about requests that a condition remembers.
_KEPT = 10_000


class Hold:
    """An armed hold. ``hits``: how often a message came to its place and its condition was true; ``holds``: how many it
    held; ``missed``: how many flowed because too many were held already."""

    def __init__(
        self,
        proxy: Proxy,
        number: int,
        where: str,
        if_: str = "",
        hits: int = 1,
        once: bool = False,
        timeout: float = 0.0,
        log: str = "",
        watch: str = "",
        keep: bool = False,
        owner: object = None,
    ) -> None:
        """Raises :class:`DebugError`, :class:`WhereError` or :class:`ScriptError`."""
        self.id = number
        self.watch = Watch(watch) if watch else None
        if watch and where:
            raise DebugError("a watch is everywhere in the script: leave its where empty")
        self.place = self.make_place(where, proxy)
        self.condition = Condition(if_)
        if hits < 1:
            raise DebugError(f"hits is 1 or more (hold at that hit and at each later one), got {hits}")
        self.wanted = hits
        self.once = once
        self.timeout = _timeout(proxy, timeout)
        self.log = LogText(log) if log else None
        self.keep = keep
        self.owner = owner
        self.hits = 0
        self.holds = 0
        self.missed = 0
        self.armed = True
        self._verdicts: dict[int, bool] = {}

    def make_place(self, where: str, proxy: Proxy) -> Place:
        """Raises what :class:`Place` raises."""
        return Place(where, proxy)

    def wants(self, names: LiveNames) -> bool:
        """Whether a message is its business, by what is known when it comes in."""
        return self.condition.early(names)

    def wants_transaction(self, t: Transaction, proxy: Proxy) -> bool:
        """Likewise, of the request that a reply or timer belongs to: asked again and again, so it is remembered."""
        if not self.condition.decides_early:
            return True
        verdict = self._verdicts.get(t.record.id)
        if verdict is None:
            if len(self._verdicts) >= _KEPT:
                self._verdicts.clear()
            # The request as it came: the script may have changed t.msg.
            verdict = self._verdicts[t.record.id] = self.wants(LiveNames(t.record, proxy))
        return verdict

    def view(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "where": self.place.where,
            "at": str(self.place) if self.watch is None else f"a change of {self.watch.name}",
            "if": self.condition.text,
            "wanted": self.wanted,
            "once": self.once,
            "timeout": self.timeout,
            "log": self.log.text if self.log is not None else "",
            "watch": self.watch.name if self.watch is not None else "",
            "keep": self.keep,
            "hits": self.hits,
            "held": self.holds,
            "missed": self.missed,
            "lost": self.place.lost,
        }


def _timeout(proxy: Proxy, timeout: float) -> float:
    tm: Any = proxy.modules.get("tm")
    longest: float = tm.engine.fr if tm is not None else 30.0
    if timeout < 0:
        raise DebugError(f"timeout is in seconds, got {timeout:g}")
    if timeout > longest:
        raise DebugError(
            f"timeout {timeout:g} s is longer than tm's fr_timer, {longest:g} s: whoever sent the message would have "
            "given up by then"
        )
    return timeout or min(TIMEOUT, SHARE * longest)
