"""``KSR.pvx.xavu_*``: structured values with one value a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..pv.format import NULL
from ..pv.state import Pointer, XAvp, XList
from ..pv.transformations.param import scan_params
from ..pv.xavp import set_xavu_child, shown
from .declare import Value, export
from .pv import put_result

if TYPE_CHECKING:
    from ..run import Run


def _child(items: XList, rname: str, cname: str) -> XAvp | None:
    root = items.get(rname)
    return root.value.get(cname) if root is not None and isinstance(root.value, XList) else None


def _or(item: XAvp | None, instead: str) -> Value:
    value = shown(item)
    return instead if value is None else value


def implode(item: XAvp | None, quoted: bool = False) -> str | None:
    """The children as ``name=value;`` in a row, numbers unsigned, texts ``quoted`` or not; None without any."""
    if item is None or not isinstance(item.value, XList):
        return None
    out = []
    for child in item.value:
        value = child.value
        if not isinstance(value, (XList, Pointer)) and value is not None:
            text = value & 0xFFFFFFFF if isinstance(value, int) else f'"{value}"' if quoted else value
            out.append(f"{child.name}={text};")
    return "".join(out)


class XavuFunctions:
    """``KSR.pvx.xavu_*``."""

    @export
    def xavu_get(self, run: Run, rname: str) -> Value:
        """The value of $xavu(rname)."""
        return shown(run.avps.xavus.get(rname))

    @export
    def xavu_gete(self, run: Run, rname: str) -> Value:
        """The value of $xavu(rname), '' for null."""
        return _or(run.avps.xavus.get(rname), "")

    @export
    def xavu_getw(self, run: Run, rname: str) -> Value:
        """The value of $xavu(rname), ``<null>`` for null."""
        return _or(run.avps.xavus.get(rname), NULL)

    @export
    def xavu_is_null(self, run: Run, rname: str) -> int:
        """1 when $xavu(rname) is null, else -1."""
        return 1 if run.avps.xavus.get(rname) is None else -1

    @export
    def xavu_rm(self, run: Run, rname: str) -> int:
        """Remove $xavu(rname). Always 1."""
        run.avps.xavus.remove_all(rname)
        return 1

    @export
    def xavu_seti(self, run: Run, rname: str, ival: int) -> int:
        """Set $xavu(rname) to a number."""
        run.avps.xavus.set(rname, ival)
        return 1

    @export
    def xavu_sets(self, run: Run, rname: str, sval: str) -> int:
        """Set $xavu(rname) to text."""
        run.avps.xavus.set(rname, sval)
        return 1

    @export
    def xavu_child_get(self, run: Run, rname: str, cname: str) -> Value:
        """The value of $xavu(rname=>cname)."""
        return shown(_child(run.avps.xavus, rname, cname))

    @export
    def xavu_child_gete(self, run: Run, rname: str, cname: str) -> Value:
        """The value of $xavu(rname=>cname), '' for null."""
        return _or(_child(run.avps.xavus, rname, cname), "")

    @export
    def xavu_child_getw(self, run: Run, rname: str, cname: str) -> Value:
        """The value of $xavu(rname=>cname), ``<null>`` for null."""
        return _or(_child(run.avps.xavus, rname, cname), NULL)

    @export
    def xavu_child_is_null(self, run: Run, rname: str, cname: str) -> int:
        """1 when $xavu(rname=>cname) is null, else -1."""
        return 1 if _child(run.avps.xavus, rname, cname) is None else -1

    @export
    def xavu_child_rm(self, run: Run, rname: str, cname: str) -> int:
        """Remove $xavu(rname=>cname). Always 1."""
        set_xavu_child(run.avps.xavus, rname, cname, None)
        return 1

    @export
    def xavu_child_seti(self, run: Run, rname: str, cname: str, ival: int) -> int:
        """Set $xavu(rname=>cname) to a number."""
        set_xavu_child(run.avps.xavus, rname, cname, ival)
        return 1

    @export
    def xavu_child_sets(self, run: Run, rname: str, cname: str, sval: str) -> int:
        """Set $xavu(rname=>cname) to text."""
        set_xavu_child(run.avps.xavus, rname, cname, sval)
        return 1

    @export
    def xavu_params_explode(self, run: Run, sparams: str, xname: str) -> int:
        """Set a child of $xavu(xname) for each ``name=value`` of a parameter list; -1 when it is none."""
        params = scan_params(sparams, ";")
        if not params or not xname:
            return -1
        for name, value in params:
            set_xavu_child(run.avps.xavus, xname, name, value)
        return 1

    @export
    def xavu_params_implode(self, run: Run, xname: str, pvname: str) -> int:
        """Write the children of $xavu(xname) to the variable pvname as ``name=value;...``; -1 when there are none."""
        return put_result("KSR.pvx.xavu_params_implode", run, pvname, implode(run.avps.xavus.get(xname)))
