"""Script variables: ``$var(x)``, ``$vz(x)``, ``$vn(x)`` of the proxy, ``$shv(x)`` shared, ``$def(X)`` and their kin.

``$var`` (the same as ``$vz``) and ``$shv`` are 0 until set, ``$vn`` is null. All outlive the message. The values are
kept by the pv module, so that a sandbox has its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import PvError
from .format import is_static
from .registry import Accessor, Value, pv_class
from .spec import Spec

if TYPE_CHECKING:
    from ..run import Run


def _private(*names: str) -> None:
    """Variables of the process with 0 for unset; null and removal give 0 again."""

    @pv_class(*names)
    def build(spec: Spec) -> Accessor:
        # The name is taken as written: Kamailio does not evaluate variables in it.
        name = spec.inner or ""
        if not name:
            raise PvError(f"expected a name: ${spec.name}(name)", str(spec))

        def get(run: Run) -> Value:
            return run.proxy.modules.pv.vars.get(name, 0)

        def put(run: Run, value: Value) -> None:
            run.proxy.modules.pv.vars[name] = 0 if value is None else value

        return Accessor(spec, get, put)


_private("var", "vz")


@pv_class("vn")
def _vn(spec: Spec) -> Accessor:
    name = spec.inner or ""
    if not name:
        raise PvError("expected a name: $vn(name)", str(spec))

    def get(run: Run) -> Value:
        return run.proxy.modules.pv.null_vars.get(name)

    def put(run: Run, value: Value) -> None:
        variables = run.proxy.modules.pv.null_vars
        if value is None:
            variables.pop(name, None)
        else:
            variables[name] = value

    return Accessor(spec, get, put)


@pv_class("shv")
def _shv(spec: Spec) -> Accessor:
    """Null makes it the empty string, as in Kamailio."""
    name = spec.inner or ""
    if not name:
        raise PvError("expected a name: $shv(name)", str(spec))

    def get(run: Run) -> Value:
        return run.proxy.modules.pv.shared.get(name, 0)

    def put(run: Run, value: Value) -> None:
        run.proxy.modules.pv.shared[name] = "" if value is None else value

    return Accessor(spec, get, put)


@pv_class("shvinc")
def _shvinc(spec: Spec) -> Accessor:
    """Add one to a shared variable that holds a number, and give the result; null for one that holds text."""
    name = spec.inner or ""
    if not name:
        raise PvError("expected a name: $shvinc(name)", str(spec))

    def get(run: Run) -> Value:
        shared = run.proxy.modules.pv.shared
        value = shared.get(name, 0)
        if not isinstance(value, int):
            return None
        shared[name] = value + 1
        return value + 1

    return Accessor(spec, get)


def _number(text: str | None) -> int:
    """As C's strtol: the digits in front, 0 without any."""
    digits = ""
    for n, char in enumerate((text or "").strip()):
        if char.isascii() and (char.isdigit() or (n == 0 and char in "+-")):
            digits += char
        else:
            break
    return int(digits[:19]) if digits.strip("+-") else 0


def _named(name: str, read: Callable[[Run, str], Value]) -> None:
    @pv_class(name)
    def build(spec: Spec) -> Accessor:
        if not (spec.inner and is_static(spec.inner)):
            raise PvError(f"expected a name: ${name}(NAME)", str(spec))
        inner = spec.inner.strip()
        return Accessor(spec, lambda run: read(run, inner))


def _define(run: Run, name: str) -> str | None:
    return run.proxy.defines.get(name)


_named("def", _define)
_named("defn", lambda run, name: _number(_define(run, name)))
_named("ccp", lambda run, name: run.proxy.modules.pv.custom.get(name))
