"""One hash table of the htable module, and how its definition is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from ..corehash import core_hash
from ..posixre import compile_posix
from .declare import ParamError

__all__ = ["BadMatch", "Item", "Table", "item_hash", "matcher", "parse_definition"]

#: A value and the unix time at which it expires, 0 for never.
Item = tuple[int | str, int]

_KEYS: Final = ("size", "autoexpire", "dbtable", "cols", "dbmode", "initval", "updateexpire", "dmqreplicate")
_NAME: Final = re.compile(r"[A-Za-z0-9_]+\Z")


class BadMatch(Exception):
    """An operator that is not supported, or a regular expression that is none."""


def item_hash(key: str) -> int:
    """Kamailio's hash of a key: it says in which slot an item is and so in which order items are listed."""
    return core_hash(key)


class Table:
    """Items by key. Times are unix seconds. Without ``autoexpire`` items never expire, as in Kamailio."""

    __slots__ = (
        "name", "items", "slots", "autoexpire", "dbtable", "cols", "dbmode", "initval", "updateexpire", "dmqreplicate",
        "tell",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        *,
        size: int = 3,
        autoexpire: int = 0,
        dbtable: str = "",
        cols: tuple[str, ...] = (),
        dbmode: int = 0,
        initval: int | None = None,
        updateexpire: int = 1,
        dmqreplicate: int = 0,
    ) -> None:
        self.name = name
        self.dmqreplicate = dmqreplicate
        #: Told of each change, with action, key, value and mode (htable_dmq.py); None: nobody is.
        self.tell: Callable[[Table, int, str, int | str | None, int], None] | None = None
        self.items: dict[str, Item] = {}
        self.slots = 1 << (3 if size < 2 else min(size, 14))
        self.autoexpire = autoexpire
        self.dbtable = dbtable
        self.cols = cols
        self.dbmode = dbmode
        self.initval = initval
        self.updateexpire = updateexpire

    def copy(self) -> Table:
        new = Table.__new__(Table)
        for name in Table.__slots__:
            setattr(new, name, getattr(self, name))
        new.items = dict(self.items)
        new.tell = None
        return new

    def find(self, key: str, now: float) -> int | str | None:
        """The value of an item, None without one; the initial value does not count."""
        item = self.items.get(key)
        if item is None or (item[1] and item[1] <= now):
            return None
        return item[0]

    def get(self, key: str, now: float) -> int | str | None:
        """The value of an item, the initial value without one."""
        value = self.find(key, now)
        return self.initval if value is None else value

    def set(self, key: str, value: int | str, now: float, expire: int | None = None) -> None:
        """Set a value, and with ``expire`` the seconds until it expires."""
        if self.tell is not None:
            self.tell(self, 2, key, value, 1)
            if expire is not None:
                self.tell(self, 3, key, expire, 0)
        if not self.autoexpire:
            self.items[key] = (value, 0)
            return
        old = self.items.get(key)
        if expire is not None:
            until = int(now) + expire if expire else 0
        elif old is not None and not self.updateexpire and old[1] > now:
            until = old[1]
        else:
            until = int(now) + self.autoexpire
        self.items[key] = (value, until)

    def set_expire(self, key: str, seconds: int, now: float) -> bool:
        """Let an item expire in ``seconds``; whether it is there. No effect in a table without ``autoexpire``."""
        if self.tell is not None:
            self.tell(self, 3, key, seconds, 0)
        item = self.items.get(key)
        if item is None:
            return False
        if self.autoexpire:
            self.items[key] = (item[0], int(now) + seconds if seconds else 0)
        return True

    def remove(self, key: str) -> None:
        """Remove an item, if it is there."""
        if self.tell is not None:
            self.tell(self, 4, key, None, 0)
        self.items.pop(key, None)

    def expires_in(self, key: str, now: float) -> int:
        """Seconds until an item expires, 0 when it does not or is not there."""
        item = self.items.get(key)
        return max(0, item[1] - int(now)) if item is not None and item[1] else 0

    def add(self, key: str, by: int, now: float) -> int | None:
        """Add to a number, or to the initial value; None when there is neither."""
        value = self.get(key, now)
        if not isinstance(value, int):
            return None
        value += by
        self.set(key, value, now)
        return value

    def expire(self, now: float) -> list[tuple[str, int | str]]:
        """Remove and return what has expired."""
        if not self.autoexpire:
            return []
        gone = [(key, value) for key, (value, until) in self.items.items() if until and until <= now]
        for key, _ in gone:
            del self.items[key]
        return gone

    def ordered(self) -> list[str]:
        """The keys in Kamailio's order: by slot, then by hash."""
        mask = self.slots - 1
        hashes = {key: item_hash(key) for key in self.items}
        return sorted(hashes, key=lambda key: (hashes[key] & mask, hashes[key]))


def matcher(op: str, value: str, allowed: tuple[str, ...]) -> Callable[[str], bool]:
    """The test ``op`` (eq, ne, re, sw) with ``value``. Raises :class:`BadMatch`."""
    if op not in allowed:
        raise BadMatch(f"operator {op!r} is not supported, expected one of {', '.join(allowed)}")
    if op == "eq":
        return value.__eq__
    if op == "ne":
        return value.__ne__
    if op == "sw":
        return lambda text: text.startswith(value)
    return regex(value)


def regex(text: str) -> Callable[[str], bool]:
    """A POSIX extended regular expression as a test. Raises :class:`BadMatch`."""
    try:
        pattern = compile_posix(text)
    except ValueError as error:
        raise BadMatch(f"{text!r} is not a regular expression ({error})") from None
    return lambda value: pattern.search(value) is not None


def parse_definition(text: str) -> Table:
    """A table from ``name=>size=8;autoexpire=300;...``. Raises :class:`ParamError`."""
    name, arrow, rest = text.partition("=>")
    name = name.strip()
    if not arrow or not _NAME.match(name):
        raise ParamError(f"modparam htable:htable expects name=>size=8;autoexpire=300, got {text!r}")
    values: dict[str, str] = {}
    for part in rest.split(";"):
        key, equals, value = part.partition("=")
        key = key.strip().lower()
        if not key:
            continue
        if not equals or key not in _KEYS:
            raise ParamError(f"modparam htable:htable, table {name}: expects {', '.join(_KEYS)}, got {part.strip()!r}")
        values[key] = value.strip().strip("\"'")
    numbers: dict[str, int] = {}
    for key in ("size", "autoexpire", "dbmode", "initval", "updateexpire", "dmqreplicate"):
        if key in values:
            try:
                numbers[key] = int(values[key])
            except ValueError:
                raise ParamError(
                    f"modparam htable:htable, table {name}: {key} expects a number, got {values[key]!r}"
                ) from None
    cols = tuple(column.strip() for column in values.get("cols", "").split(",") if column.strip())
    if cols and len(cols) < 2:
        raise ParamError(f"modparam htable:htable, table {name}: cols expects at least two columns, got {cols[0]!r}")
    return Table(name, dbtable=values.get("dbtable", ""), cols=cols, **numbers)
