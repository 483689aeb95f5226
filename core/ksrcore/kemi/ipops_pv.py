"""The variables of ipops: ``$dns $srvquery $naptrquery $ptrquery``, as ``$name(id=>key)`` or ``$name(id=>key[n])``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..net.dnsbackend import Naptr, Srv
from ..pv.errors import PvError
from ..pv.registry import Accessor, Value, pv_class
from ..pv.spec import Spec
from ..pv.transformations.registry import int_param

if TYPE_CHECKING:
    from ..run import Run
    from .ipops import Ipops


def _module(run: Run) -> Ipops:
    module: Ipops = run.proxy.modules["ipops"]  # type: ignore[assignment]
    return module


def _parts(spec: Spec, keys: Mapping[str, bool]) -> tuple[str, str, str]:
    """(id, key, text of the index): ``keys`` says of each whether it may have one. Raises PvError."""
    name, arrow, rest = (spec.inner or "").partition("=>")
    key, bracket, index = rest.strip().partition("[")
    name = name.strip()
    if not arrow or not name or key not in keys or (bracket and (not keys[key] or index[-1:] != "]")):
        listed = ", ".join(f"{key}[n]" if indexed else key for key, indexed in keys.items())
        raise PvError(f"expected ${spec.name}(id=>key) with one of the keys {listed}, got ({spec.inner})", str(spec))
    return name, key, index[:-1].strip()


@pv_class("dns")
def _dns(spec: Spec) -> Accessor:
    """``$dns(id=>addr[n])``: of a dns_query; a negative n counts from the end."""
    keys = {"count": False, "ipv4": False, "ipv6": False, "addr": True, "type": True}
    name, key, text = _parts(spec, keys)
    index_of = int_param(str(spec), text or "0")

    def get(run: Run) -> Value:
        found = _module(run).dns.get(name)
        if found is None:
            return None
        if key == "count":
            return len(found)
        if key in ("ipv4", "ipv6"):
            return int(any((":" in address) == (key == "ipv6") for address in found))
        index = index_of(run) or 0
        if not -len(found) <= index < len(found):
            return None
        return found[index] if key == "addr" else 6 if ":" in found[index] else 4

    return Accessor(spec, get)


def _records(
    pv_name: str, records: Callable[[Ipops], Mapping[str, list[Any]]], fields: Mapping[str, Callable[[Any], Value]]
) -> None:
    """Declare ``$pv_name(id=>count)`` and ``$pv_name(id=>field[n])``."""
    keys = {"count": False} | dict.fromkeys(fields, True)

    @pv_class(pv_name)
    def build(spec: Spec) -> Accessor:
        name, key, text = _parts(spec, keys)
        if key == "count":
            return Accessor(spec, lambda run: len(records(_module(run)).get(name, ())))
        if not text or text[0] == "-":
            raise PvError(f"expected an index from 0, such as ${pv_name}({name}=>{key}[0])", str(spec))
        index_of = int_param(str(spec), text)
        field = fields[key]

        def get(run: Run) -> Value:
            found = records(_module(run)).get(name, ())
            index = index_of(run) or 0
            return field(found[index]) if 0 <= index < len(found) else None

        return Accessor(spec, get)


_SRV: dict[str, Callable[[Srv], Value]] = {
    "port": lambda record: record.port,
    "priority": lambda record: record.priority,
    "target": lambda record: record.target,
    "weight": lambda record: record.weight,
}
_NAPTR: dict[str, Callable[[Naptr], Value]] = {
    "order": lambda record: record.order,
    "pref": lambda record: record.preference,
    "flags": lambda record: record.flags,
    "services": lambda record: record.service,
    "regex": lambda record: record.regexp,
    "replace": lambda record: record.replacement,
}
_records("srvquery", lambda module: module.srv, _SRV)
_records("naptrquery", lambda module: module.naptr, _NAPTR)


@pv_class("ptrquery")
def _ptrquery(spec: Spec) -> Accessor:
    """``$ptrquery(id=>ptr)``: of a ptr_query."""
    name, _, _ = _parts(spec, {"ptr": False})
    return Accessor(spec, lambda run: _module(run).ptr.get(name))
