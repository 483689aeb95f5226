"""Code typed by a user that runs where the traffic waits for it: it has a limit."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

from .errors import DebugError

T = TypeVar("T")

#: Seconds an expression on a held message may take: no other message is routed meanwhile.
LIMIT = 2.0


class Overtime(BaseException):
    """Raised in the thread whose time is up. No code of a user catches it: it is no :class:`Exception`."""


def within(seconds: float, fn: Callable[[], T]) -> T:
    """``fn()``, ended after ``seconds`` wherever it is in Python code; a call that waits in C is ended when it returns.

    Raises :class:`DebugError` then, and what ``fn`` raises.
    """
    thread = threading.get_ident()
    lock = threading.Lock()
    running = True

    def end() -> None:
        with lock:
            if running:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Overtime))

    watch = threading.Timer(seconds, end)
    watch.daemon = True
    try:
        try:
            watch.start()  # here too the time may be up: it waits until the other thread runs
            return fn()
        finally:
            # Whoever raises has the lock: it comes out here, not in what follows.
            with lock:
                running = False
            watch.cancel()
    except Overtime:
        raise DebugError(f"it was ended after {seconds:g} s: no message is routed while it runs") from None
