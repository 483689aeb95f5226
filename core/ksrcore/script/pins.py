"""Transactions that end on the version of the script they began with.

Nothing is asked and nothing is stored in a transaction while nothing is pinned: a pin puts a ``call`` of its own before
the script's, and goes when the last of its transactions has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .overlay import call_in

if TYPE_CHECKING:
    from ..run import Run
    from .python import PythonScript

#: Seconds between two looks at which of the pinned transactions live.
LOOK = 1.0


class Pins:
    """The pins of one script. ``overlays``: the script as it was, by generation."""

    def __init__(self, script: PythonScript) -> None:
        self.script = script
        self.overlays: dict[int, PythonScript] = {}
        self._began: dict[Any, int] = {}
        self._timer: Any = None

    def __len__(self) -> int:
        """How many transactions are pinned."""
        self._look()
        return len(self._began)

    def add(self, old: PythonScript) -> int:
        """Keep the transactions that live now, and have no older pin, on ``old``; how many these are."""
        self._look()
        script = self.script
        tm: Any = script.proxy.modules.get("tm")
        fresh = [t for t in tm.engine.clients.values() if t not in self._began] if tm is not None else []
        if not fresh:
            return 0
        self._began.update(dict.fromkeys(fresh, old.generation))
        self.overlays[old.generation] = old
        vars(script)["call"] = self._call
        if self._timer is None:
            self._timer = script.proxy.after(LOOK, self._look, every=LOOK)
        return len(fresh)

    def clear(self) -> int:
        """Everything goes on with what the script is now; how many transactions were pinned."""
        self._look()
        count = len(self._began)
        self._began.clear()
        self._look()
        return count

    def _look(self) -> None:
        """Forget the transactions that have ended; without any left the script is as if there had been no pin."""
        for t in [t for t in self._began if t.engine is None]:
            del self._began[t]
        for generation in set(self.overlays) - set(self._began.values()):
            del self.overlays[generation]
        if not self._began:
            vars(self.script).pop("call", None)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _call(self, run: Run, name: str, *args: Any) -> int:
        t = run.t
        began = self._began.get(t) if t is not None else None
        if began is None and t is not None and t.record.runs:
            # A request that was held while its script changed made its transaction afterwards.
            began = t.record.runs[0].version
        old = self.overlays.get(began) if began is not None else None
        if old is None:
            return type(self.script).call(self.script, run, name, *args)
        if not old.has(name):
            return 1  # a callback that there was not when it began
        return call_in(old, run, name, *args)
