"""The variables of htable: ``$sht $shtex $shtcn $shtcv $shtinc $shtdec $shtrecord $shtitkey $shtitval``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..pv.errors import PvError
from ..pv.format import compile_format
from ..pv.registry import Accessor, Value, pv_class
from ..pv.spec import Spec
from .htable_table import BadMatch, Table, regex

if TYPE_CHECKING:
    from ..run import Run
    from .htable import Htable

__all__ = ["counter"]


def _module(run: Run) -> Htable:
    return run.proxy.modules.htable


def _parts(spec: Spec) -> tuple[str, str]:
    name, arrow, key = (spec.inner or "").partition("=>")
    name = name.strip()
    if not arrow or not name or not key:
        raise PvError(f"${spec.name} expects table=>key such as ${spec.name}(ipban=>$si)", str(spec))
    return name, key


def _item(
    pv_name: str,
    read: Callable[[Table, str, float], Value],
    write: Callable[[Table, str, Value, float], None] | None = None,
) -> None:
    """Declare ``$name(table=>key)``: ``read`` and ``write`` are given the table, the key and the time."""

    @pv_class(pv_name)
    def build(spec: Spec) -> Accessor:
        name, text = _parts(spec)
        key = compile_format(text)

        def get(run: Run) -> Value:
            table = _module(run).tables.get(name)
            return None if table is None else read(table, key(run), run.proxy.wall())

        if write is None:
            return Accessor(spec, get)

        def put(run: Run, value: Value) -> None:
            table = _module(run).tables.get(name)
            if table is None:
                raise PvError(f"there is no hash table {name!r}: define it with modparam htable:htable", str(spec))
            write(table, key(run), value, run.proxy.wall())

        return Accessor(spec, get, put)


def _set(table: Table, key: str, value: Value, now: float) -> None:
    """Null removes the item."""
    if value is None:
        table.remove(key)
    else:
        table.set(key, value, now)


def _set_expire(table: Table, key: str, value: Value, now: float) -> None:
    if value is not None and not isinstance(value, int):
        raise PvError(f"expected a number of seconds, got {value!r}", "$shtex")
    table.set_expire(key, value or 0, now)


_item("sht", lambda table, key, now: table.get(key, now), _set)
_item("shtex", lambda table, key, now: table.expires_in(key, now), _set_expire)
_item("shtinc", lambda table, key, now: table.add(key, 1, now))
_item("shtdec", lambda table, key, now: table.add(key, -1, now))


def counter(expression: str) -> tuple[Callable[[str], bool], Callable[[int], bool]]:
    """Tests of texts and of numbers for ``$shtcn`` and ``$shtcv``.

    ``**`` all, ``==`` equal text, ``%~`` begins with, ``~%`` ends with, ``eq`` equal number, ``~~`` or nothing a
    regular expression. Raises :class:`BadMatch`.
    """
    op, rest = expression[:2], expression[2:]
    if op == "**":
        return (lambda text: True), (lambda number: True)
    if op == "==":
        return rest.__eq__, (lambda number: False)
    if op == "%~":
        return (lambda text: text.startswith(rest)), (lambda number: False)
    if op == "~%":
        return (lambda text: text.endswith(rest)), (lambda number: False)
    if op == "eq":
        sign = -1 if rest[:1] == "-" else 1
        digits = rest.lstrip("+-")
        end = next((n for n, char in enumerate(digits) if char not in "0123456789"), len(digits))
        wanted = sign * int(digits[:end] or "0")
        return (lambda text: False), wanted.__eq__
    return regex(rest if op == "~~" else expression), (lambda number: False)


def _counted(pv_name: str, count: Callable[[Table, str], int]) -> None:
    @pv_class(pv_name)
    def build(spec: Spec) -> Accessor:
        name, text = _parts(spec)
        key = compile_format(text)

        def get(run: Run) -> Value:
            table = _module(run).tables.get(name)
            if table is None:
                return None
            try:
                return count(table, key(run))
            except BadMatch:
                return 0

        return Accessor(spec, get)


def _names(table: Table, expression: str) -> int:
    test, _ = counter(expression)
    return sum(map(test, table.items))


def _values(table: Table, expression: str) -> int:
    text, number = counter(expression)
    return sum(text(v) if isinstance(v, str) else number(v) for v, _ in table.items.values())


_counted("shtcn", _names)
_counted("shtcv", _values)


@pv_class("shtrecord")
def _shtrecord(spec: Spec) -> Accessor:
    """``key`` or ``value`` of the item that expired, in the event callback."""
    which = (spec.inner or "").strip()
    if which not in ("key", "value"):
        raise PvError("expected $shtrecord(key) or $shtrecord(value)", str(spec))
    at = 0 if which == "key" else 1

    def get(run: Run) -> Value:
        record = _module(run).record
        return None if record is None else record[at]

    return Accessor(spec, get)


def _iterated(pv_name: str, at: int) -> None:
    @pv_class(pv_name)
    def build(spec: Spec) -> Accessor:
        name = compile_format(spec.inner or "")
        if not spec.inner:
            raise PvError(f"expected the name of an iterator: ${pv_name}(name)", str(spec))

        def get(run: Run) -> Value:
            item = _module(run).iterated(name(run))
            return None if item is None else item[at]

        return Accessor(spec, get)


_iterated("shtitkey", 0)
_iterated("shtitval", 1)
