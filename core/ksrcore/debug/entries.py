"""Noticing that a function of the script is entered, without tracing.

Functions of a script count their calls (script/instrument.py). While something is armed the list of counters is of a
kind that also tells who counts: that costs a call for each function entered, where tracing costs one for each Python
function that runs, the proxy's own included.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import get_ident
from types import FrameType
from typing import TYPE_CHECKING, Any, SupportsIndex

from ..script.instrument import HITS

if TYPE_CHECKING:
    from ..proxy import Proxy


class _Telling(list[int]):
    """The counters; ``entered(frame)`` is called in the thread ``thread`` (0: in none)."""

    thread = 0
    entered: Callable[[FrameType], None]

    def __setitem__(self, index: SupportsIndex | slice, value: Any) -> None:
        list.__setitem__(self, index, value)
        if self.thread == get_ident():
            self.entered(sys._getframe(1))


class Entries:
    """The counters of a proxy's script, plain or telling. Without counters nothing is told: ``able`` is False."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self._telling: _Telling | None = None

    @property
    def able(self) -> bool:
        return self._telling is not None

    def arm(self) -> None:
        """Be ready to tell. Called again after a reload, too: cheap when nothing is to be done."""
        script: Any = self.proxy.script
        hits = getattr(script, "hits", None)
        if not isinstance(hits, list) or HITS not in vars(script.module):
            self._telling = None
        elif not isinstance(hits, _Telling):
            self._telling = _Telling(hits)
            script.hits = vars(script.module)[HITS] = self._telling
        else:
            self._telling = hits

    def disarm(self) -> None:
        """Count only."""
        script: Any = self.proxy.script
        telling = self._telling
        self._telling = None
        if telling is not None and script is not None and script.hits is telling:
            script.hits = vars(script.module)[HITS] = list(telling)

    def tell(self, entered: Callable[[FrameType], None]) -> None:
        """This thread's entries go to ``entered`` until :meth:`hush`."""
        if self._telling is not None:
            self._telling.entered = entered
            self._telling.thread = get_ident()

    def hush(self) -> None:
        if self._telling is not None:
            self._telling.thread = 0
