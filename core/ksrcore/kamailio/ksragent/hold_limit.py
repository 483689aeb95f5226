"""A limit for what a user types: it runs in the worker's own thread, and nothing else does meanwhile."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from .step import StepError

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds of CPU that an expression may take.
LIMIT = 2.0


class Overtime(BaseException):
    """The time is up. No code of a user catches it: it is no :class:`Exception`."""


def _over(number: int, frame: Any) -> None:
    raise Overtime


def within(seconds: float, fn: Callable[[], Any]) -> Any:
    """``fn()``, ended after so many seconds of CPU wherever it is in Python code or in a search of the module re.

    By a timer that Kamailio has no use for (SIGVTALRM); what waits for something else is not ended. Raises
    :class:`StepError` then, and what ``fn`` raises.
    """
    try:
        before = signal.signal(signal.SIGVTALRM, _over)
    except ValueError:
        return fn()  # not in the thread that gets signals: there is no limit
    try:
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
            return fn()
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except Overtime:
        raise StepError(f"it was ended after {seconds:g} s: this worker does nothing else meanwhile") from None
    finally:
        signal.signal(signal.SIGVTALRM, before if before is not None else signal.SIG_DFL)
