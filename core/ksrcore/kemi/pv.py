"""Kamailio's pv module, ``KSR.pv``: pseudo-variables by their names."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Self

from ..pv import families  # noqa: F401
from ..pv.accessor import GETTERS, Accessor, compile_spec
from ..pv.avp import parse_name
from ..pv.errors import PvError
from ..sip.message import Branch
from .declare import KsrError, Module, Param, ParamError, Repeated, RpcError, Value, export, rpc

if TYPE_CHECKING:
    from typing import Any

    from ..proxy import Proxy
    from ..run import Run

log = logging.getLogger("ksrcore.pv")


def accessor(function: str, pvn: str) -> Accessor:
    """The accessor of ``pvn``; a name that cannot be understood raises :class:`KsrError`."""
    try:
        return compile_spec(pvn)
    except PvError as error:
        raise KsrError(f"{function}: {error}") from None


def assign(function: str, run: Run, pvn: str, value: Value) -> bool:
    """Write a variable. False for a value it does not take; one that is read-only stays and gives True, as in Kamailio.

    Both are logged. A name that cannot be understood raises :class:`KsrError`.
    """
    target = accessor(function, pvn)
    if not target.writable:
        log.warning("%s: %s is read-only and stays as it is", function, pvn)
        return True
    try:
        target.set(run, value)
    except PvError as error:
        log.error("%s: %s", function, error)
        return False
    return True


def write_to(function: str, run: Run, target: Accessor, value: Value) -> bool:
    """Write a result that no longer changes what the function answers; what cannot be written is logged."""
    try:
        target.set(run, value)
    except PvError as error:
        log.error("%s: %s", function, error)
        return False
    return True


def put_result(function: str, run: Run, pvn: str, value: Value) -> int:
    """Write a function's result to the variable it was given: 1, or -1 (logged) when there is none or it cannot be."""
    if value is None:
        return -1
    try:
        compile_spec(pvn).set(run, value)
    except PvError as error:
        log.error("%s: %s", function, error)
        return -1
    return 1


class Pv(Module):
    """Variables of the proxy: what ``$var``, ``$vn``, ``$shv``, ``$def``, ``$ccp`` and ``$sbranch`` read and write."""

    name = "pv"
    shvset = Param("", "initial value of a shared variable: name=i:1 or name=s:text", multi=True)
    varset = Param("", "initial value of a script variable: name=i:1 or name=s:text", multi=True)
    avp_aliases = Param("", "other names of AVPs: alias=s:name;alias=i:5")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.vars: dict[str, str | int] = {}
        self.null_vars: dict[str, str | int] = {}
        self.shared: dict[str, str | int] = {}
        self.aliases: dict[str, str | int] = {}
        self.custom: dict[str, str | int] = {}
        self.static_branch: Branch | None = None

    def start(self) -> None:
        for name, values in (("varset", self.vars), ("shvset", self.shared)):
            for text in getattr(self, name):
                key, value = _initial(name, text)
                values[key] = value
        for item in filter(None, map(str.strip, self.avp_aliases.split(";"))):
            alias, equals, target = item.partition("=")
            if not equals or not alias.strip() or not target.strip():
                raise ParamError(f"modparam pv:avp_aliases expects alias=s:name;alias=i:5, got {item!r}")
            try:
                self.aliases[alias.strip()] = parse_name(target.strip(), item)
            except PvError as error:
                raise ParamError(f"modparam pv:avp_aliases: {error}") from None

    def fork(self, proxy: Proxy) -> Self:
        new = copy.copy(self)
        new.proxy = proxy
        new.vars = dict(self.vars)
        new.null_vars = dict(self.null_vars)
        new.shared = dict(self.shared)
        new.static_branch = self.static_branch.copy() if self.static_branch is not None else None
        return new

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    @export(inline=True)
    def get(self, run: Run, pvn: str) -> Value:
        """The value: str, int, or None for null."""
        return (GETTERS.get(pvn) or accessor("KSR.pv.get", pvn).get)(run)

    @export(inline=True)
    def gete(self, run: Run, pvn: str) -> Value:
        """The value, '' for null."""
        value = (GETTERS.get(pvn) or accessor("KSR.pv.gete", pvn).get)(run)
        return "" if value is None else value

    @export
    def geti(self, run: Run, pvn: str) -> int:
        """The value as a number: of text the one it begins with; 0 for null and without one."""
        value = (GETTERS.get(pvn) or accessor("KSR.pv.geti", pvn).get)(run)
        return value if isinstance(value, int) else _digits(value)

    @export
    def getvn(self, run: Run, pvn: str, xi: int) -> Value:
        """The value, ``xi`` for null."""
        value = (GETTERS.get(pvn) or accessor("KSR.pv.getvn", pvn).get)(run)
        return xi if value is None else value

    @export
    def getvs(self, run: Run, pvn: str, xs: str) -> Value:
        """The value, ``xs`` for null."""
        value = (GETTERS.get(pvn) or accessor("KSR.pv.getvs", pvn).get)(run)
        return xs if value is None else value

    @export
    def getw(self, run: Run, pvn: str) -> Value:
        """The value, ``<null>`` for null."""
        value = (GETTERS.get(pvn) or accessor("KSR.pv.getw", pvn).get)(run)
        return "<null>" if value is None else value

    @export
    def getl(self, run: Run, pvn: str) -> Value:
        """The value as a number, like geti (Kamailio 5.7 and later)."""
        value = (GETTERS.get(pvn) or accessor("KSR.pv.getl", pvn).get)(run)
        return value if isinstance(value, int) else _digits(value)

    @export
    def is_null(self, run: Run, pvn: str) -> bool:
        """Whether the value is null."""
        return (GETTERS.get(pvn) or accessor("KSR.pv.is_null", pvn).get)(run) is None

    @export
    def seti(self, run: Run, pvn: str, vi: int) -> bool:
        """Assign a number. False when the variable takes none."""
        return assign("KSR.pv.seti", run, pvn, vi)

    @export
    def setl(self, run: Run, pvn: str, vi: int) -> bool:
        """Assign a number, like seti (Kamailio 5.7 and later)."""
        return assign("KSR.pv.setl", run, pvn, vi)

    @export
    def sets(self, run: Run, pvn: str, vs: str) -> bool:
        """Assign text. False when the variable takes none."""
        return assign("KSR.pv.sets", run, pvn, vs)

    @export
    def unset(self, run: Run, pvn: str) -> bool:
        """Assign null: removes an AVP, resets others."""
        return assign("KSR.pv.unset", run, pvn, None)

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("pv.shvGet")
    def rpc_shv_get(self, params: list[Any]) -> Any:
        """Get a shared variable: name; without a name list all."""
        if not params:
            return {"items": {Repeated("shv"): self._shown(name) for name in reversed(self.shared)}}
        if str(params[0]) not in self.shared:
            raise RpcError(404, "Variable not found")
        return self._shown(str(params[0]))

    def _shown(self, name: str) -> dict[str, Any]:
        value = self.shared[name]
        return {"name": name, "type": "int" if isinstance(value, int) else "string", "value": value}

    @rpc("pv.shvSet")
    def rpc_shv_set(self, params: list[Any]) -> Any:
        """Set a shared variable: name, type (int or str), value."""
        usage = "(Parameters: varname type value)"
        if not params:
            raise RpcError(500, f"Missing parameter varname {usage}")
        if len(params) < 2:
            raise RpcError(500, f"Missing parameter type {usage}")
        name, kind = str(params[0]), params[1]
        if kind not in ("int", "str"):
            raise RpcError(500, "Unknown parameter type (Types: int or str)")
        if len(params) < 3:
            raise RpcError(500, f"Missing {'integer ' if kind == 'int' else ''}parameter value {usage}")
        value = params[2]
        if kind == "str" and not isinstance(value, str):
            raise RpcError(500, f"Missing parameter value {usage}")
        if name not in self.shared:
            raise RpcError(404, "Variable not found")
        # A string where a number is wanted is 0 to jsonrpcs.
        self.shared[name] = value if kind == "str" else int(value) if isinstance(value, int | float) else 0
        return "Ok. Variable set to new value."


def _digits(value: Value) -> int:
    """The number a text begins with, 0 without one, at most what 32 bits hold."""
    text = value if isinstance(value, str) else ""
    end = 1 if text[:1] in ("+", "-") else 0
    start = end
    while end < len(text) and text[end] in "0123456789":
        end += 1
    return max(min(int(text[: min(end, 20)]), 0x7FFFFFFF), -0x80000000) if end > start else 0


def _initial(param: str, text: str) -> tuple[str, str | int]:
    name, equals, value = text.partition("=")
    kind, colon, content = value.partition(":")
    if not equals or not colon or not name.strip() or kind.strip() not in ("i", "s", "int", "str"):
        raise ParamError(f"modparam pv:{param} expects name=i:1 or name=s:text, got {text!r}")
    if kind.strip() in ("s", "str"):
        return name.strip(), content
    try:
        return name.strip(), int(content)
    except ValueError:
        raise ParamError(f"modparam pv:{param}: {content!r} in {text!r} is no integer") from None
