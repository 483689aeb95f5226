# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module pvx."""

from typing import Any

def avp_get(xname: str, /) -> Any | None:
    """The newest $avp(xname)."""

def avp_gete(xname: str, /) -> Any:
    """The newest $avp(xname), '' for null."""

def avp_getw(xname: str, /) -> Any:
    """The newest $avp(xname), ``<null>`` for null."""

def avp_is_null(xname: str, /) -> int:
    """1 when $avp(xname) is null, else -1."""

def avp_rm(xname: str, /) -> int:
    """Remove the newest $avp(xname). Always 1."""

def avp_seti(xname: str, vn: int, /) -> int:
    """Add a number to $avp(xname)."""

def avp_sets(xname: str, vs: str, /) -> int:
    """Add text to $avp(xname)."""

def evalx(dst: str, fmt: str, /) -> int:
    """Write the evaluated format to the variable dst. -1 when the format or the variable cannot be used."""

def pv_var_to_xavp(varname: str, xname: str, /) -> int:
    """Make $xavp(xname) anew with $var(varname) as a child; ``*`` is all variables. -1 when there is no such."""

def pv_xavi_print() -> int:
    """Log all XAVIs at level INFO."""

def pv_xavp_print() -> int:
    """Log all XAVPs at level INFO."""

def pv_xavp_to_var(xname: str, /) -> int:
    """Set a $var for each child of $xavp(xname); -1 when there are none."""

def pv_xavu_print() -> int:
    """Log all XAVUs at level INFO."""

def sbranch_append() -> int:
    """Add the static branch ($sbranch) to the destination set; -1 when it has no URI."""

def sbranch_reset() -> int:
    """Empty the static branch."""

def sbranch_set_ruri() -> int:
    """Make the static branch ($sbranch) the main one: Request-URI, destination and so on; -1 without a URI."""

def shv_get(varname: str, /) -> Any | None:
    """The value of $shv(varname), 0 until it is set."""

def shv_seti(varname: str, ival: int, /) -> int:
    """Set $shv(varname) to a number."""

def shv_sets(varname: str, sval: str, /) -> int:
    """Set $shv(varname) to text."""

def shvinc_get(varname: str, /) -> Any | None:
    """Add one to $shv(varname) and give the result; None when it holds text (Kamailio 5.7 and later)."""

def var_get(varname: str, /) -> Any | None:
    """The value of $var(varname), 0 until it is set."""

def var_seti(varname: str, ival: int, /) -> int:
    """Set $var(varname) to a number."""

def var_sets(varname: str, sval: str, /) -> int:
    """Set $var(varname) to text."""

def xavi_child_get(rname: str, cname: str, /) -> Any | None:
    """The value of $xavi(rname=>cname)."""

def xavi_child_gete(rname: str, cname: str, /) -> Any:
    """The value of $xavi(rname=>cname), '' for null."""

def xavi_child_getw(rname: str, cname: str, /) -> Any:
    """The value of $xavi(rname=>cname), ``<null>`` for null."""

def xavi_child_is_null(rname: str, cname: str, /) -> int:
    """1 when $xavi(rname=>cname) is null, else -1."""

def xavi_child_rm(rname: str, cname: str, /) -> int:
    """Remove that child of the newest rname. Always 1."""

def xavi_child_seti(rname: str, cname: str, ival: int, /) -> int:
    """Set that child of the newest rname to a number, making what is missing."""

def xavi_child_sets(rname: str, cname: str, sval: str, /) -> int:
    """Set that child of the newest rname to text, making what is missing."""

def xavi_get(rname: str, /) -> Any | None:
    """The newest $xavi(rname); None when there is none."""

def xavi_get_keys(rname: str, idx: int, /) -> Any | None:
    """None, like xavi_getd."""

def xavi_getd(rname: str, /) -> Any | None:
    """None: a script gets no dictionary from Kamailio 5.6.3 either; it logs that."""

def xavi_getd_p1(rname: str, idx: int, /) -> Any | None:
    """None, like xavi_getd."""

def xavi_gete(rname: str, /) -> Any:
    """The newest $xavi(rname), '' for null."""

def xavi_getw(rname: str, /) -> Any:
    """The newest $xavi(rname), ``<null>`` for null."""

def xavi_is_null(rname: str, /) -> int:
    """1 when there is none of that name, else -1."""

def xavi_rm(rname: str, /) -> int:
    """Remove the newest of that name. Always 1."""

def xavi_rm_all(rname: str, /) -> int:
    """Remove every $xavi(rname). Always 1 (Kamailio 5.8 and later)."""

def xavi_seti(rname: str, ival: int, /) -> int:
    """Put a new one with a number on the stack."""

def xavi_sets(rname: str, sval: str, /) -> int:
    """Put a new one with text on the stack."""

def xavp_child_get(rname: str, cname: str, /) -> Any | None:
    """The value of $xavp(rname=>cname)."""

def xavp_child_gete(rname: str, cname: str, /) -> Any:
    """The value of $xavp(rname=>cname), '' for null."""

def xavp_child_getw(rname: str, cname: str, /) -> Any:
    """The value of $xavp(rname=>cname), ``<null>`` for null."""

def xavp_child_is_null(rname: str, cname: str, /) -> int:
    """1 when $xavp(rname=>cname) is null, else -1."""

def xavp_child_rm(rname: str, cname: str, /) -> int:
    """Remove that child of the newest rname. Always 1."""

def xavp_child_seti(rname: str, cname: str, ival: int, /) -> int:
    """Set that child of the newest rname to a number, making what is missing."""

def xavp_child_sets(rname: str, cname: str, sval: str, /) -> int:
    """Set that child of the newest rname to text, making what is missing."""

def xavp_copy(src_name: str, src_idx: int, dst_name: str, /) -> int:
    """Append a copy of $xavp(src_name[src_idx]) below those called dst_name; -1 when there is none to copy."""

def xavp_copy_dst(src_name: str, src_idx: int, dst_name: str, dst_idx: int, /) -> int:
    """Put a copy of $xavp(src_name[src_idx]) in the place of $xavp(dst_name[dst_idx]); -1 when one is missing.

    (The documented effect: Kamailio 5.6.3 appends the copy instead.)
    """

def xavp_get(rname: str, /) -> Any | None:
    """The newest $xavp(rname); None when there is none."""

def xavp_get_keys(rname: str, idx: int, /) -> Any | None:
    """None, like xavp_getd."""

def xavp_getd(rname: str, /) -> Any | None:
    """None: a script gets no dictionary from Kamailio 5.6.3 either; it logs that."""

def xavp_getd_p1(rname: str, idx: int, /) -> Any | None:
    """None, like xavp_getd."""

def xavp_gete(rname: str, /) -> Any:
    """The newest $xavp(rname), '' for null."""

def xavp_getw(rname: str, /) -> Any:
    """The newest $xavp(rname), ``<null>`` for null."""

def xavp_is_null(rname: str, /) -> int:
    """1 when there is none of that name, else -1."""

def xavp_lshift(xname: str, idx: int, /) -> int:
    """Rotate those called xname so that the one at index idx is the first: 1, -1 without any.

    A negative index counts from the end.

    Kamailio 5.7 and later.
    """

def xavp_params_explode(sparams: str, xname: str, /) -> int:
    """Put an $xavp(xname) on the stack with a child for each ``name=value`` of a list; -1 if it is none."""

def xavp_params_implode(xname: str, pvname: str, /) -> int:
    """Write the children of $xavp(xname) to the variable pvname as ``name=value;...``; -1 when there are none."""

def xavp_params_implode_qval(xname: str, pvname: str, /) -> int:
    """``xavp_params_implode`` with quotes around texts: ``name="value";...`` (Kamailio 5.8 and later)."""

def xavp_push_dst(xname: str, /) -> int:
    """Take Request-URI, destination and socket from ``uri``, ``dsturi``, ``socket`` of $xavp(xname): 1, or -1.

    What is not there stays. -1, and nothing is changed, without such an xavp or for a socket that is none of ours
    (Kamailio 5.7 and later).
    """

def xavp_rm(rname: str, /) -> int:
    """Remove the newest of that name. Always 1."""

def xavp_rm_all(rname: str, /) -> int:
    """Remove every $xavp(rname). Always 1 (Kamailio 5.8 and later)."""

def xavp_seti(rname: str, ival: int, /) -> int:
    """Put a new one with a number on the stack."""

def xavp_sets(rname: str, sval: str, /) -> int:
    """Put a new one with text on the stack."""

def xavp_slist_explode(slist: str, sep: str, mode: str, xname: str, /) -> int:
    """Put an $xavp(xname) on the stack with the parts of slist as children ``v``; -1 when there is nothing to part.

    Any character of sep separates; empty parts are left out; mode ``t`` trims white space.
    """

def xavp_xparams_explode(sparams: str, sep: str, xname: str, /) -> int:
    """``xavp_params_explode`` of a list whose separator is the first character of sep.

    Kamailio 6.0 and later.
    """

def xavu_child_get(rname: str, cname: str, /) -> Any | None:
    """The value of $xavu(rname=>cname)."""

def xavu_child_gete(rname: str, cname: str, /) -> Any:
    """The value of $xavu(rname=>cname), '' for null."""

def xavu_child_getw(rname: str, cname: str, /) -> Any:
    """The value of $xavu(rname=>cname), ``<null>`` for null."""

def xavu_child_is_null(rname: str, cname: str, /) -> int:
    """1 when $xavu(rname=>cname) is null, else -1."""

def xavu_child_rm(rname: str, cname: str, /) -> int:
    """Remove $xavu(rname=>cname). Always 1."""

def xavu_child_seti(rname: str, cname: str, ival: int, /) -> int:
    """Set $xavu(rname=>cname) to a number."""

def xavu_child_sets(rname: str, cname: str, sval: str, /) -> int:
    """Set $xavu(rname=>cname) to text."""

def xavu_get(rname: str, /) -> Any | None:
    """The value of $xavu(rname)."""

def xavu_gete(rname: str, /) -> Any:
    """The value of $xavu(rname), '' for null."""

def xavu_getw(rname: str, /) -> Any:
    """The value of $xavu(rname), ``<null>`` for null."""

def xavu_is_null(rname: str, /) -> int:
    """1 when $xavu(rname) is null, else -1."""

def xavu_params_explode(sparams: str, xname: str, /) -> int:
    """Set a child of $xavu(xname) for each ``name=value`` of a parameter list; -1 when it is none."""

def xavu_params_implode(xname: str, pvname: str, /) -> int:
    """Write the children of $xavu(xname) to the variable pvname as ``name=value;...``; -1 when there are none."""

def xavu_rm(rname: str, /) -> int:
    """Remove $xavu(rname). Always 1."""

def xavu_seti(rname: str, ival: int, /) -> int:
    """Set $xavu(rname) to a number."""

def xavu_sets(rname: str, sval: str, /) -> int:
    """Set $xavu(rname) to text."""
