"""Kamailio's ``KSR.pvx``: AVPs, XAVPs, script and shared variables by plain names, the static branch."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Self

from ..pv.errors import PvError
from ..pv.format import NULL, compile_format
from ..pv.state import XList
from ..pv.transformations.param import scan_params
from ..pv.xavp import shown
from .core_log import write
from .declare import Module, Value, export
from .dispatcher_list import find_socket
from .pv import put_result
from .pvx_lists import XaviFunctions, XavpFunctions
from .pvx_xavu import XavuFunctions, implode

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run
    from .pv import Pv

log = logging.getLogger("ksrcore.pv")


class Pvx(XavpFunctions, XaviFunctions, XavuFunctions, Module):
    """The functions of ``KSR.pvx``. An AVP's name is taken as it is: neither ``i:5`` nor an alias means anything."""

    name = "pvx"

    def _pv(self) -> Pv:
        return self.proxy.modules.pv

    # -- AVPs -----------------------------------------------------------------------------------------------------

    @export
    def avp_get(self, run: Run, xname: str) -> Value:
        """The newest $avp(xname)."""
        return run.avps.get(xname)

    @export
    def avp_gete(self, run: Run, xname: str) -> Value:
        """The newest $avp(xname), '' for null."""
        value = run.avps.get(xname)
        return "" if value is None else value

    @export
    def avp_getw(self, run: Run, xname: str) -> Value:
        """The newest $avp(xname), ``<null>`` for null."""
        value = run.avps.get(xname)
        return NULL if value is None else value

    @export
    def avp_is_null(self, run: Run, xname: str) -> int:
        """1 when $avp(xname) is null, else -1."""
        return 1 if run.avps.get(xname) is None else -1

    @export
    def avp_rm(self, run: Run, xname: str) -> int:
        """Remove the newest $avp(xname). Always 1."""
        run.avps.remove(xname)
        return 1

    @export
    def avp_seti(self, run: Run, xname: str, vn: int) -> int:
        """Add a number to $avp(xname)."""
        run.avps.add(xname, vn)
        return 1

    @export
    def avp_sets(self, run: Run, xname: str, vs: str) -> int:
        """Add text to $avp(xname)."""
        run.avps.add(xname, vs)
        return 1

    # -- script and shared variables ----------------------------------------------------------------------------------

    @export
    def var_get(self, run: Run, varname: str) -> Value:
        """The value of $var(varname), 0 until it is set."""
        return self._pv().vars.get(varname, 0)

    @export
    def var_seti(self, run: Run, varname: str, ival: int) -> int:
        """Set $var(varname) to a number."""
        self._pv().vars[varname] = ival
        return 1

    @export
    def var_sets(self, run: Run, varname: str, sval: str) -> int:
        """Set $var(varname) to text."""
        self._pv().vars[varname] = sval
        return 1

    @export
    def shv_get(self, run: Run, varname: str) -> Value:
        """The value of $shv(varname), 0 until it is set."""
        return self._pv().shared.get(varname, 0)

    @export
    def shv_seti(self, run: Run, varname: str, ival: int) -> int:
        """Set $shv(varname) to a number."""
        self._pv().shared[varname] = ival
        return 1

    @export
    def shv_sets(self, run: Run, varname: str, sval: str) -> int:
        """Set $shv(varname) to text."""
        self._pv().shared[varname] = sval
        return 1

    @export
    def shvinc_get(self, run: Run, varname: str) -> Value:
        """Add one to $shv(varname) and give the result; None when it holds text (Kamailio 5.7 and later)."""
        shared = self._pv().shared
        value = shared.get(varname, 0)
        if not isinstance(value, int):
            return None
        shared[varname] = value + 1
        return value + 1

    @export
    def evalx(self, run: Run, dst: str, fmt: str) -> int:
        """Write the evaluated format to the variable dst. -1 when the format or the variable cannot be used."""
        try:
            text = compile_format(fmt)(run)
        except PvError as error:
            log.error("KSR.pvx.evalx: %s", error)
            return -1
        return put_result("KSR.pvx.evalx", run, dst, text)

    # -- XAVPs as a whole ---------------------------------------------------------------------------------------------

    @export
    def xavp_copy(self, run: Run, src_name: str, src_idx: int, dst_name: str) -> int:
        """Append a copy of $xavp(src_name[src_idx]) below those called dst_name; -1 when there is none to copy."""
        found = run.avps.xavps.get(src_name, src_idx)
        if found is None or not dst_name:
            return -1
        copy = found.copy()
        run.avps.xavps.append(dst_name, copy.value)
        return 1

    @export
    def xavp_copy_dst(self, run: Run, src_name: str, src_idx: int, dst_name: str, dst_idx: int) -> int:
        """Put a copy of $xavp(src_name[src_idx]) in the place of $xavp(dst_name[dst_idx]); -1 when one is missing.

        (The documented effect: Kamailio 5.6.3 appends the copy instead.)
        """
        source = run.avps.xavps.get(src_name, src_idx)
        target = run.avps.xavps.get(dst_name, dst_idx)
        if source is None or target is None:
            return -1
        target.value = source.copy().value
        return 1

    @export
    def xavp_rm_all(self, run: Run, rname: str) -> int:
        """Remove every $xavp(rname). Always 1 (Kamailio 5.8 and later)."""
        run.avps.xavps.remove_all(rname)
        return 1

    @export
    def xavi_rm_all(self, run: Run, rname: str) -> int:
        """Remove every $xavi(rname). Always 1 (Kamailio 5.8 and later)."""
        run.avps.xavis.remove_all(rname)
        return 1

    @export
    def xavp_params_explode(self, run: Run, sparams: str, xname: str) -> int:
        """Put an $xavp(xname) on the stack with a child for each ``name=value`` of a list; -1 if it is none."""
        params = scan_params(sparams, ";")
        if not params or not xname:
            return -1
        children = XList()
        for name, value in params:
            children.append(name, value)
        run.avps.xavps.add(xname, children)
        return 1

    @export
    def xavp_params_implode(self, run: Run, xname: str, pvname: str) -> int:
        """Write the children of $xavp(xname) to the variable pvname as ``name=value;...``; -1 when there are none."""
        return put_result("KSR.pvx.xavp_params_implode", run, pvname, implode(run.avps.xavps.get(xname)))

    @export
    def xavp_params_implode_qval(self, run: Run, xname: str, pvname: str) -> int:
        """``xavp_params_implode`` with quotes around texts: ``name="value";...`` (Kamailio 5.8 and later)."""
        return put_result(
            "KSR.pvx.xavp_params_implode_qval", run, pvname, implode(run.avps.xavps.get(xname), quoted=True)
        )

    @export
    def xavp_xparams_explode(self, run: Run, sparams: str, sep: str, xname: str) -> int:
        """``xavp_params_explode`` of a list whose separator is the first character of sep.

        Kamailio 6.0 and later.
        """
        if not sep:
            return -1
        # A comma and a semicolon end such lists: the separator changes places with the semicolon.
        swap = str.maketrans(f"{sep[0]};", f";{sep[0]}") if sep[0] != ";" else {}
        params = scan_params(sparams.translate(swap), ";")
        if not params or not xname:
            return -1
        children = XList()
        for name, value in params:
            children.append(name.translate(swap), value.translate(swap))
        run.avps.xavps.add(xname, children)
        return 1

    @export
    def xavp_lshift(self, run: Run, xname: str, idx: int) -> int:
        """Rotate those called xname so that the one at index idx is the first: 1, -1 without any.

        A negative index counts from the end.

        Kamailio 5.7 and later.
        """
        items = run.avps.xavps
        found = items.all(xname)
        if not found:
            return -1
        turned = iter(found[idx % len(found) :] + found[: idx % len(found)])
        members = {id(item) for item in found}
        items.items = [next(turned) if id(item) in members else item for item in items.items]
        return 1

    @export
    def xavp_push_dst(self, run: Run, xname: str) -> int:
        """Take Request-URI, destination and socket from ``uri``, ``dsturi``, ``socket`` of $xavp(xname): 1, or -1.

        What is not there stays. -1, and nothing is changed, without such an xavp or for a socket that is none of ours
        (Kamailio 5.7 and later).
        """
        found = run.avps.xavps.get(xname)
        if found is None or not isinstance(found.value, XList):
            return -1
        uri, dsturi, socket = (shown(found.value.get(name)) for name in ("uri", "dsturi", "socket"))
        listen = None
        if isinstance(socket, str) and socket:
            listen = find_socket(self.proxy, socket)
            if listen is None:
                log.error("KSR.pvx.xavp_push_dst: %s is none of the listen sockets", socket)
                return -1
        if isinstance(uri, str) and uri:
            run.msg.new_uri = uri
        if isinstance(dsturi, str) and dsturi:
            run.msg.dst_uri = dsturi
        if listen is not None:
            run.msg.force_socket = listen
        return 1

    @export
    def xavp_slist_explode(self, run: Run, slist: str, sep: str, mode: str, xname: str) -> int:
        """Put an $xavp(xname) on the stack with the parts of slist as children ``v``; -1 when there is nothing to part.

        Any character of sep separates; empty parts are left out; mode ``t`` trims white space.
        """
        if not slist or not sep or not xname:
            return -1
        for char in sep[1:]:
            slist = slist.replace(char, sep[0])
        children = XList()
        for part in slist.split(sep[0]):
            token = part.strip(" \t\r\n") if "t" in mode.lower() else part
            if token:
                children.append("v", token)
        run.avps.xavps.add(xname, children)
        return 1

    @export
    def pv_var_to_xavp(self, run: Run, varname: str, xname: str) -> int:
        """Make $xavp(xname) anew with $var(varname) as a child; ``*`` is all variables. -1 when there is no such."""
        run.avps.xavps.remove_all(xname)
        variables = self._pv().vars
        names = list(variables) if varname == "*" else [varname] if varname in variables else []
        if not names:
            return -1
        children = XList()
        for name in names:
            children.add(name, variables[name])
        run.avps.xavps.add(xname, children)
        return 1

    @export
    def pv_xavp_to_var(self, run: Run, xname: str) -> int:
        """Set a $var for each child of $xavp(xname); -1 when there are none."""
        found = run.avps.xavps.get(xname)
        if found is None or not isinstance(found.value, XList):
            return -1
        for child in reversed(found.value.items):
            if isinstance(child.value, str | int):
                self._pv().vars[child.name] = child.value
        return 1

    @export
    def pv_xavp_print(self, run: Run) -> int:
        """Log all XAVPs at level INFO."""
        return _print("XAVP", run.avps.xavps)

    @export
    def pv_xavi_print(self, run: Run) -> int:
        """Log all XAVIs at level INFO."""
        return _print("XAVI", run.avps.xavis)

    @export
    def pv_xavu_print(self, run: Run) -> int:
        """Log all XAVUs at level INFO."""
        return _print("XAVU", run.avps.xavus)

    # -- the static branch --------------------------------------------------------------------------------------------

    @export
    def sbranch_append(self, run: Run) -> int:
        """Add the static branch ($sbranch) to the destination set; -1 when it has no URI."""
        branch = self._pv().static_branch
        if branch is None or not branch.uri:
            return -1
        run.msg.branches.append(branch.copy())
        return 1

    @export
    def sbranch_set_ruri(self, run: Run) -> int:
        """Make the static branch ($sbranch) the main one: Request-URI, destination and so on; -1 without a URI."""
        branch = self._pv().static_branch
        if branch is None or not branch.uri:
            return -1
        msg = run.msg
        msg.new_uri = branch.uri
        msg.dst_uri = branch.dst_uri
        msg.path = branch.path
        msg.q = branch.q
        msg.bflags = branch.flags
        if branch.socket is not None:
            msg.force_socket = branch.socket
        return 1

    @export
    def sbranch_reset(self, run: Run) -> int:
        """Empty the static branch."""
        self._pv().static_branch = None
        return 1

    def fork(self, proxy: Proxy) -> Self:
        return type(self)(proxy)


def _print(kind: str, items: XList, depth: int = 0) -> int:
    for item in items:
        pad = "  " * depth
        if isinstance(item.value, XList):
            write(logging.INFO, f"{pad}{kind} name: {item.name}")
            _print(kind, item.value, depth + 1)
        else:
            write(logging.INFO, f"{pad}{kind} name: {item.name} value: {item.value}")
    return 1
