"""What a test's proxy is made of: from the marker, the ini file and ``ksr.load``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from .errors import UsageError

__all__ = ["NAMES", "Options"]

__tracebackhide__ = True

#: The time at which a test begins when nothing says otherwise: a Monday.
START = datetime(2024, 1, 1, 12, 0, 0, tzinfo=UTC).timestamp()

_LISTS = ("modparams", "aliases", "listen")


@dataclass(frozen=True)
class Options:
    """``modparams``: ``MODULE:NAME=VALUE``, as on the command line. ``aliases``: domains that are the proxy's own.

    ``listen``: sockets, ``udp:127.0.0.1:5060``; empty: that and the same over TCP. ``defines``: what ``#!define`` or
    -A would. ``now``: unix time at the beginning. ``allow_exceptions``: an exception in the script ends no test.
    """

    modparams: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()
    defines: Mapping[str, str] = field(default_factory=dict)
    now: float = START
    allow_exceptions: bool = False

    def with_(self, given: Mapping[str, Any], where: str) -> Options:
        """These and the given ones: lists and defines add up, others replace. ``where`` names the place for errors."""
        changes: dict[str, Any] = {}
        for name, value in given.items():
            if name not in NAMES:
                raise UsageError(f"{where} takes the path of a script and {', '.join(NAMES)}; got {name}")
            if name in _LISTS:
                changes[name] = (*getattr(self, name), *_texts(name, value, where))
            elif name == "defines":
                changes[name] = {**self.defines, **_defines(value, where)}
            elif name == "now":
                changes[name] = unix_time(value, where)
            else:
                changes[name] = bool(value)
        return replace(self, **changes)


NAMES = tuple(each.name for each in fields(Options))


def _texts(name: str, value: Any, where: str) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise UsageError(f"{where}: {name} expects a list of texts, got {value!r}; write {name}=[{value!r}]")
    texts = list(value)
    for text in texts:
        if not isinstance(text, str):
            raise UsageError(f"{where}: {name} expects a list of texts, got {text!r} in it")
    return texts


def _defines(value: Any, where: str) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {str(name): str(text) for name, text in value.items()}
    found: dict[str, str] = {}
    for text in _texts("defines", value, where):
        name, _, rest = text.partition("=")
        found[name] = rest
    return found


def unix_time(value: Any, where: str) -> float:
    """Of a number of seconds or a datetime (without a zone: UTC)."""
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise UsageError(f"{where}: now expects a datetime or unix time in seconds, got {value!r}")
