"""``KSR.pvx.xavp_*`` and ``KSR.pvx.xavi_*``: the stacks of structured values, by plain names."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..pv.format import NULL
from ..pv.state import XAvp, XList
from ..pv.xavp import shown
from .declare import Value, export

if TYPE_CHECKING:
    from ..run import Run

log = logging.getLogger("ksrcore.pv")


def _or(item: XAvp | None, instead: str) -> Value:
    value = shown(item)
    return instead if value is None else value


def _unsupported(function: str) -> Value:
    log.error("KSR.pvx.%s: lists and dictionaries are not handed to Python scripts (as in Kamailio 5.6.3)", function)
    return None


def _child(items: XList, rname: str, cname: str) -> XAvp | None:
    root = items.get(rname)
    return root.value.get(cname) if root is not None and isinstance(root.value, XList) else None


def _add(items: XList, rname: str, value: str | int) -> int:
    items.add(rname, value)
    return 1


def _remove(items: XList, rname: str) -> int:
    found = items.get(rname)
    if found is not None:
        items.remove(found)
    return 1


def _remove_child(items: XList, rname: str, cname: str) -> int:
    root = items.get(rname)
    if root is not None and isinstance(root.value, XList):
        _remove(root.value, cname)
    return 1


def _set_child(items: XList, rname: str, cname: str, value: str | int) -> int:
    root = items.get(rname)
    if root is None or not isinstance(root.value, XList):
        root = items.add(rname, XList(items.fold))
    assert isinstance(root.value, XList)
    root.value.set(cname, value)
    return 1


class XavpFunctions:
    """``KSR.pvx.xavp_*``."""

    @export
    def xavp_get(self, run: Run, rname: str) -> Value:
        """The newest $xavp(rname); None when there is none."""
        return shown(run.avps.xavps.get(rname))

    @export
    def xavp_gete(self, run: Run, rname: str) -> Value:
        """The newest $xavp(rname), '' for null."""
        return _or(run.avps.xavps.get(rname), "")

    @export
    def xavp_getw(self, run: Run, rname: str) -> Value:
        """The newest $xavp(rname), ``<null>`` for null."""
        return _or(run.avps.xavps.get(rname), NULL)

    @export
    def xavp_getd(self, run: Run, rname: str) -> Value:
        """None: a script gets no dictionary from Kamailio 5.6.3 either; it logs that."""
        return _unsupported("xavp_getd")

    @export
    def xavp_getd_p1(self, run: Run, rname: str, idx: int) -> Value:
        """None, like xavp_getd."""
        return _unsupported("xavp_getd_p1")

    @export
    def xavp_get_keys(self, run: Run, rname: str, idx: int) -> Value:
        """None, like xavp_getd."""
        return _unsupported("xavp_get_keys")

    @export
    def xavp_is_null(self, run: Run, rname: str) -> int:
        """1 when there is none of that name, else -1."""
        return 1 if run.avps.xavps.get(rname) is None else -1

    @export
    def xavp_rm(self, run: Run, rname: str) -> int:
        """Remove the newest of that name. Always 1."""
        return _remove(run.avps.xavps, rname)

    @export
    def xavp_seti(self, run: Run, rname: str, ival: int) -> int:
        """Put a new one with a number on the stack."""
        return _add(run.avps.xavps, rname, ival)

    @export
    def xavp_sets(self, run: Run, rname: str, sval: str) -> int:
        """Put a new one with text on the stack."""
        return _add(run.avps.xavps, rname, sval)

    @export
    def xavp_child_get(self, run: Run, rname: str, cname: str) -> Value:
        """The value of $xavp(rname=>cname)."""
        return shown(_child(run.avps.xavps, rname, cname))

    @export
    def xavp_child_gete(self, run: Run, rname: str, cname: str) -> Value:
        """The value of $xavp(rname=>cname), '' for null."""
        return _or(_child(run.avps.xavps, rname, cname), "")

    @export
    def xavp_child_getw(self, run: Run, rname: str, cname: str) -> Value:
        """The value of $xavp(rname=>cname), ``<null>`` for null."""
        return _or(_child(run.avps.xavps, rname, cname), NULL)

    @export
    def xavp_child_is_null(self, run: Run, rname: str, cname: str) -> int:
        """1 when $xavp(rname=>cname) is null, else -1."""
        return 1 if _child(run.avps.xavps, rname, cname) is None else -1

    @export
    def xavp_child_rm(self, run: Run, rname: str, cname: str) -> int:
        """Remove that child of the newest rname. Always 1."""
        return _remove_child(run.avps.xavps, rname, cname)

    @export
    def xavp_child_seti(self, run: Run, rname: str, cname: str, ival: int) -> int:
        """Set that child of the newest rname to a number, making what is missing."""
        return _set_child(run.avps.xavps, rname, cname, ival)

    @export
    def xavp_child_sets(self, run: Run, rname: str, cname: str, sval: str) -> int:
        """Set that child of the newest rname to text, making what is missing."""
        return _set_child(run.avps.xavps, rname, cname, sval)


class XaviFunctions:
    """``KSR.pvx.xavi_*``."""

    @export
    def xavi_get(self, run: Run, rname: str) -> Value:
        """The newest $xavi(rname); None when there is none."""
        return shown(run.avps.xavis.get(rname))

    @export
    def xavi_gete(self, run: Run, rname: str) -> Value:
        """The newest $xavi(rname), '' for null."""
        return _or(run.avps.xavis.get(rname), "")

    @export
    def xavi_getw(self, run: Run, rname: str) -> Value:
        """The newest $xavi(rname), ``<null>`` for null."""
        return _or(run.avps.xavis.get(rname), NULL)

    @export
    def xavi_getd(self, run: Run, rname: str) -> Value:
        """None: a script gets no dictionary from Kamailio 5.6.3 either; it logs that."""
        return _unsupported("xavi_getd")

    @export
    def xavi_getd_p1(self, run: Run, rname: str, idx: int) -> Value:
        """None, like xavi_getd."""
        return _unsupported("xavi_getd_p1")

    @export
    def xavi_get_keys(self, run: Run, rname: str, idx: int) -> Value:
        """None, like xavi_getd."""
        return _unsupported("xavi_get_keys")

    @export
    def xavi_is_null(self, run: Run, rname: str) -> int:
        """1 when there is none of that name, else -1."""
        return 1 if run.avps.xavis.get(rname) is None else -1

    @export
    def xavi_rm(self, run: Run, rname: str) -> int:
        """Remove the newest of that name. Always 1."""
        return _remove(run.avps.xavis, rname)

    @export
    def xavi_seti(self, run: Run, rname: str, ival: int) -> int:
        """Put a new one with a number on the stack."""
        return _add(run.avps.xavis, rname, ival)

    @export
    def xavi_sets(self, run: Run, rname: str, sval: str) -> int:
        """Put a new one with text on the stack."""
        return _add(run.avps.xavis, rname, sval)

    @export
    def xavi_child_get(self, run: Run, rname: str, cname: str) -> Value:
        """The value of $xavi(rname=>cname)."""
        return shown(_child(run.avps.xavis, rname, cname))

    @export
    def xavi_child_gete(self, run: Run, rname: str, cname: str) -> Value:
        """The value of $xavi(rname=>cname), '' for null."""
        return _or(_child(run.avps.xavis, rname, cname), "")

    @export
    def xavi_child_getw(self, run: Run, rname: str, cname: str) -> Value:
        """The value of $xavi(rname=>cname), ``<null>`` for null."""
        return _or(_child(run.avps.xavis, rname, cname), NULL)

    @export
    def xavi_child_is_null(self, run: Run, rname: str, cname: str) -> int:
        """1 when $xavi(rname=>cname) is null, else -1."""
        return 1 if _child(run.avps.xavis, rname, cname) is None else -1

    @export
    def xavi_child_rm(self, run: Run, rname: str, cname: str) -> int:
        """Remove that child of the newest rname. Always 1."""
        return _remove_child(run.avps.xavis, rname, cname)

    @export
    def xavi_child_seti(self, run: Run, rname: str, cname: str, ival: int) -> int:
        """Set that child of the newest rname to a number, making what is missing."""
        return _set_child(run.avps.xavis, rname, cname, ival)

    @export
    def xavi_child_sets(self, run: Run, rname: str, cname: str, sval: str) -> int:
        """Set that child of the newest rname to text, making what is missing."""
        return _set_child(run.avps.xavis, rname, cname, sval)
