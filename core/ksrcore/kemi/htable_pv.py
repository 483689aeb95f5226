"""The variables of htable: ``$sht $shtex $shtcn $shtcv $shtinc $shtdec $shtrecord $shtitkey $shtitval``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..pv.errors import PvError
from ..pv.format import Format, compile_format
from ..pv.registry import Accessor, Value, pv_class
from ..pv.spec import Spec
from .htable_table import BadMatch, Table, regex

if TYPE_CHECKING:
    from ..run import Run
    from .htable import Htable

__all__ = ["counter"]


def _module(run: Run) -> Htable:
    return run.proxy.modules["htable"]  # type: ignore[return-value]


def _parts(spec: Spec) -> tuple[str, str]:
    name, arrow, key = (spec.inner or "").partition("=>")
    name = name.strip()
    if not arrow or not name or not key:
        raise PvError(f"${spec.name} expects table=>key such as ${spec.name}(ipban=>$si)", str(spec))
    return name, key


def _key(text: str) -> Format:
    return compile_format(text)


def _missing(name: str, spec: Spec) -> PvError:
    return PvError(f"there is no hash table {name!r}: define it with modparam htable:htable", str(spec))


@pv_class("sht")
def _sht(spec: Spec) -> Accessor:
    """The value of an item; null removes it."""
    name, text = _parts(spec)
    key = _key(text)

    def get(run: Run) -> Value:
        table = _module(run).tables.get(name)
        return None if table is None else table.get(key(run), run.proxy.wall())

    def put(run: Run, value: Value) -> None:
        table = _module(run).tables.get(name)
        if table is None:
            raise _missing(name, spec)
        if value is None:
            table.items.pop(key(run), None)
        else:
            table.set(key(run), value, run.proxy.wall())

    return Accessor(spec, get, put)


@pv_class("shtex")
def _shtex(spec: Spec) -> Accessor:
    """The seconds until an item expires; a number sets them."""
    name, text = _parts(spec)
    key = _key(text)

    def get(run: Run) -> Value:
        table = _module(run).tables.get(name)
        return None if table is None else table.expires_in(key(run), run.proxy.wall())

    def put(run: Run, value: Value) -> None:
        table = _module(run).tables.get(name)
        if table is None:
            raise _missing(name, spec)
        if value is not None and not isinstance(value, int):
            raise PvError(f"expected a number of seconds, got {value!r}", str(spec))
        table.set_expire(key(run), value or 0, run.proxy.wall())

    return Accessor(spec, get, put)


def _stepper(pv_name: str, by: int) -> None:
    @pv_class(pv_name)
    def build(spec: Spec) -> Accessor:
        name, text = _parts(spec)
        key = _key(text)

        def get(run: Run) -> Value:
            table = _module(run).tables.get(name)
            return None if table is None else table.add(key(run), by, run.proxy.wall())

        return Accessor(spec, get)


_stepper("shtinc", 1)
_stepper("shtdec", -1)


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
        key = _key(text)

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
        name = _key(spec.inner or "")
        if not spec.inner:
            raise PvError(f"expected the name of an iterator: ${pv_name}(name)", str(spec))

        def get(run: Run) -> Value:
            item = _module(run).iterated(name(run))
            return None if item is None else item[at]

        return Accessor(spec, get)


_iterated("shtitkey", 0)
_iterated("shtitval", 1)
