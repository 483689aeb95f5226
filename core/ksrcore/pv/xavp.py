"""``$xavp(a[0]=>b[1])``, ``$xavi(...)`` and ``$xavu(...)``: structured values that travel with the transaction.

``$xavp(a)`` is the newest of that name, ``$xavp(a=>b)`` its child. Writing ``$xavp(a=>b)`` puts a new ``a`` on the
stack, writing ``$xavp(a[0]=>b)`` adds a child to an existing one, ``$xavp(a[0]=>b[0])`` replaces that child's value.
Null removes: one, or all at ``[*]``. The names of XAVIs ignore case. An XAVU has one value: writing replaces it.

Names are taken as written; an index may be a variable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import PvError
from .registry import Accessor, Value, pv_class
from .spec import Spec
from .state import XAvp, XList
from .transformations.registry import int_param

if TYPE_CHECKING:
    from ..run import Run

Index = Callable[["Run"], int | None]


@dataclass(frozen=True, slots=True)
class Part:
    """``name[index]``: ``index`` is None when absent; ``every`` for ``[*]``."""

    name: str
    index: Index | None = None
    every: bool = False


def parse_path(spec: Spec) -> tuple[Part, Part | None]:
    """The root and the child of ``root[i]=>child[j]``. Raises :class:`PvError`."""
    if spec.index is not None:
        raise PvError(f"the index belongs into the parentheses: ${spec.name}(name[{spec.index}])", str(spec))
    root, arrow, child = (spec.inner or "").partition("=>")
    return _part(root, spec), _part(child, spec) if arrow else None


def _part(text: str, spec: Spec) -> Part:
    name, bracket, index = text.strip().partition("[")
    name = name.strip()
    if not name:
        raise PvError(f"expected ${spec.name}(name) or ${spec.name}(name[0]=>child)", str(spec))
    if not bracket:
        return Part(name)
    if index[-1:] != "]":
        raise PvError("expected ']' after the index", str(spec))
    inner = index[:-1].strip()
    if inner == "*":
        return Part(name, None, True)
    return Part(name, int_param(str(spec), inner))


def shown(item: XAvp | None) -> Value:
    """The value as scripts see it; of one with children a text that only says so."""
    if item is None:
        return None
    value = item.value
    return f"<<xavp:{id(value):#x}>>" if isinstance(value, XList) else value


def _find(run: Run, items: XList, part: Part) -> XAvp | None:
    if part.index is None:
        return items.get(part.name)
    index = part.index(run)
    return items.get(part.name, index) if index is not None else None


def _lists(name: str, of: Callable[[Run], XList]) -> None:
    """``$xavp`` and ``$xavi``: stacks."""

    @pv_class(name)
    def build(spec: Spec) -> Accessor:
        root, child = parse_path(spec)

        def get(run: Run) -> Value:
            found = _find(run, of(run), root)
            if child is None:
                return shown(found)
            if found is None or not isinstance(found.value, XList):
                return None
            return shown(_find(run, found.value, child))

        def put(run: Run, value: Value) -> None:
            items = of(run)
            if child is None:
                _put_root(run, items, root, value, spec)
            elif value is None:
                _remove_child(run, items, root, child)
            elif root.index is None and not root.every:
                children = XList(items.fold)
                children.add(child.name, value)
                items.add(root.name, children)
            else:
                _put_child(run, items, root, child, value)

        return Accessor(spec, get, put)


def _put_root(run: Run, items: XList, root: Part, value: Value, spec: Spec) -> None:
    if value is None:
        if root.every:
            items.remove_all(root.name)
        else:
            found = _find(run, items, root)
            if found is not None:
                items.remove(found)
        return
    if root.index is None and not root.every:
        items.add(root.name, value)
        return
    index = root.index(run) if root.index is not None else None
    found = items.get(root.name, index) if index is not None and index >= 0 else None
    if found is None:
        raise PvError("there is none at that index", str(spec))
    found.value = value


def _put_child(run: Run, items: XList, root: Part, child: Part, value: Value) -> None:
    """What the path does not lead to is left alone, as in Kamailio."""
    found = None if root.every else _find(run, items, root)
    if found is None or not isinstance(found.value, XList) or child.every:
        return
    if child.index is None:
        found.value.add(child.name, value)
        return
    item = _find(run, found.value, child)
    if item is not None:
        item.value = value


def _remove_child(run: Run, items: XList, root: Part, child: Part) -> None:
    found = _find(run, items, root)
    if found is None or not isinstance(found.value, XList):
        return
    if child.every:
        found.value.remove_all(child.name)
        return
    item = _find(run, found.value, child)
    if item is not None:
        found.value.remove(item)


_lists("xavp", lambda run: run.avps.xavps)
_lists("xavi", lambda run: run.avps.xavis)


@pv_class("xavu")
def _xavu(spec: Spec) -> Accessor:
    root, arrow, child = (spec.inner or "").partition("=>")
    root, child = root.strip(), child.strip()
    if not root or (arrow and not child):
        raise PvError("expected $xavu(name) or $xavu(name=>child)", str(spec))

    def get(run: Run) -> Value:
        found = run.avps.xavus.get(root)
        if not arrow:
            return shown(found)
        if found is None or not isinstance(found.value, XList):
            return None
        return shown(found.value.get(child))

    def put(run: Run, value: Value) -> None:
        items = run.avps.xavus
        if not arrow:
            if value is None:
                items.remove_all(root)
            else:
                items.set(root, value)
            return
        set_xavu_child(items, root, child, value)

    return Accessor(spec, get, put)


def set_xavu_child(items: XList, root: str, child: str, value: Value) -> None:
    """Set ``root=>child``, making what is missing; null removes the child."""
    found = items.get(root)
    children = found.value if found is not None else None
    if not isinstance(children, XList):
        if value is None:
            return
        children = XList()
        items.set(root, children)
    if value is None:
        children.remove_all(child)
    else:
        children.set(child, value)


def count(spec: Spec) -> Callable[[Run], int]:
    """``$cnt($xavp(...))`` and ``$cnt($xavi(...))``: an index that is missing means all of them."""
    root, child = parse_path(spec)
    fold = spec.name == "xavi"

    def select(run: Run, items: XList, part: Part) -> list[XAvp]:
        if part.index is None:
            return items.all(part.name)
        found = _find(run, items, part)
        return [found] if found is not None else []

    def number(run: Run) -> int:
        roots = select(run, run.avps.xavis if fold else run.avps.xavps, root)
        if child is None:
            return len(roots)
        return sum(len(select(run, item.value, child)) for item in roots if isinstance(item.value, XList))

    return number
