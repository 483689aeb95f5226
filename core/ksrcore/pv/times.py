"""Time: ``$Ts $TS $Tf $TF $TV(...) $Tb $time(...) $utime(...) $timef(...) $utimef(...)``.

The proxy's clock stands still while a message is processed, so the cached and the current variants differ only for a
message that is held.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import PvError
from .format import compile_format
from .registry import Accessor, Value, pv, pv_class
from .spec import Spec

if TYPE_CHECKING:
    from ..run import Run


@pv("Ts")
def message_time(run: Run) -> Value:
    """Unix time when the message came, in seconds."""
    return int(run.record.time)


@pv("TS")
def now(run: Run) -> Value:
    """Unix time in seconds."""
    return int(run.proxy.wall())


@pv("Tf")
def message_time_text(run: Run) -> Value:
    return time.ctime(run.record.time)


@pv("TF")
def now_text(run: Run) -> Value:
    return time.ctime(run.proxy.wall())


@pv("Tb")
def boot_time(run: Run) -> Value:
    return int(run.proxy.started)


def _seconds(at: float) -> int:
    return int(at)


def _microseconds(at: float) -> int:
    return int(at * 1_000_000) % 1_000_000


def _both(at: float) -> str:
    return f"{int(at)}.{_microseconds(at):06d}"


_TV: dict[str, Callable[[Run], Value]] = {
    "s": lambda run: _seconds(run.record.time),
    "u": lambda run: _microseconds(run.record.time),
    "sn": lambda run: _seconds(run.proxy.wall()),
    "un": lambda run: _microseconds(run.proxy.wall()),
    "Sn": lambda run: _both(run.proxy.wall()),
}


@pv_class("TV")
def _tv(spec: Spec) -> Accessor:
    """``$TV(s)`` and ``$TV(u)``: seconds and microseconds of the message; with n of now; ``$TV(Sn)`` both as text."""
    getter = _TV.get(spec.inner or "")
    if getter is None:
        raise PvError(f"expected one of {', '.join(_TV)} in the parentheses, got {spec.inner!r}", str(spec))
    return Accessor(spec, getter)


_BROKEN_DOWN: dict[str, Callable[[time.struct_time], int]] = {
    "sec": lambda t: t.tm_sec,
    "min": lambda t: t.tm_min,
    "hour": lambda t: t.tm_hour,
    "mday": lambda t: t.tm_mday,
    "mon": lambda t: t.tm_mon,
    "year": lambda t: t.tm_year,
    # Sunday is 1.
    "wday": lambda t: (t.tm_wday + 1) % 7 + 1,
    "yday": lambda t: t.tm_yday,
    "isdst": lambda t: max(t.tm_isdst, 0),
}


def _times(name: str, format_name: str, convert: Callable[[float], time.struct_time]) -> None:
    @pv_class(name)
    def part(spec: Spec) -> Accessor:
        read = _BROKEN_DOWN.get(spec.inner or "")
        if read is None:
            names = ", ".join(_BROKEN_DOWN)
            raise PvError(f"expected one of {names} in the parentheses, got {spec.inner!r}", str(spec))
        return Accessor(spec, lambda run: read(convert(run.proxy.wall())))

    @pv_class(format_name)
    def formatted(spec: Spec) -> Accessor:
        if not spec.inner:
            raise PvError("expected a strftime format in the parentheses", str(spec))
        layout = compile_format(spec.inner)
        return Accessor(spec, lambda run: time.strftime(layout(run).partition("\0")[0], convert(run.proxy.wall())))


_times("time", "timef", time.localtime)
_times("utime", "utimef", time.gmtime)
