"""``cfg.*``: settings that can be read, and some changed, while the proxy runs (Kamailio's module cfg_rpc).

A change counts for what comes after it. What the sockets and the resolver were opened with can be read only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..kemi.core_params import LEVELS
from ..kemi.declare import Module, ParamError, RpcError

if TYPE_CHECKING:
    from ..proxy import Proxy

Command = Callable[[list[Any]], Any]


class Variable(NamedTuple):
    """``attr``: the parameter of the module, '' for one that is always 0.

    ``hidden``: Kamailio's RPC does not read it (it keeps it in ticks).
    """

    group: str
    name: str
    module: str
    attr: str
    fixed: bool = False
    hidden: bool = False


def _group(group: str, module: str, names: str, *, prefix: str = "", fixed: bool = False) -> list[Variable]:
    return [Variable(group, name, module, prefix + name, fixed) for name in names.split()]


_TICKS = "fr_timer fr_inv_timer wt_timer retr_timer1 retr_timer2 max_inv_lifetime max_noninv_lifetime cancel_b_method "
_VARIABLES: list[Variable] = [
    *_group("maxfwd", "maxfwd", "max_limit"),
    Variable("registrar", "realm_pref", "registrar", "realm_prefix"),
    *_group(
        "registrar",
        "registrar",
        "default_expires default_expires_range expires_range min_expires max_expires max_contacts retry_after "
        "case_sensitive default_q append_branches",
    ),
    Variable("registrar", "use_expired_contacts", "registrar", "", fixed=True),
    *_group("tm", "tm", "auto_inv_100_reason default_reason ac_extra_hdrs ruri_matching via1_matching callid_matching"),
    *(Variable("tm", name, "tm", name, hidden=True) for name in _TICKS.split()),
    *_group(
        "tm",
        "tm",
        "noisy_ctimer auto_inv_100 restart_fr_on_each_reply pass_provisional_replies aggregate_challenges "
        "unmatched_cancel default_code disable_6xx_block local_ack_mode local_cancel_reason e2e_cancel_reason "
        "relay_100",
    ),
    *_group(
        "tcp",
        "",
        "connect_timeout send_timeout connection_lifetime max_connections no_connect conn_wq_max wq_max crlf_ping "
        "accept_no_cl rd_buf_size",
        prefix="tcp_",
        fixed=True,
    ),
    Variable("core", "debug", "", "debug"),
    *_group(
        "core",
        "",
        "dns_try_ipv6 dns_try_naptr dns_udp_pref dns_tcp_pref dns_tls_pref dns_retr_time dns_retr_no "
        "dns_use_search_list dns_naptr_ignore_rfc use_dns_cache dns_srv_lb dns_cache_negative_ttl dns_cache_min_ttl "
        "dns_cache_max_ttl",
        fixed=True,
    ),
]
_INSTANCES = 'Wrong group syntax. Use "group[id]"'


class CfgRpc:
    """The settings of a proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.known = {(v.group, v.name): v for v in _VARIABLES if v.module in proxy.modules}
        self.known |= {key: Variable(*key, "", key[1]) for key in proxy.custom}
        self.pending: list[tuple[Variable, int | str]] = []
        self.first: dict[Variable, int | str] = {}

    def table(self) -> dict[str, Command]:
        return {
            "cfg.list": self.list_variables,
            "cfg.get": self.get,
            "cfg.help": self.help,
            "cfg.diff": self.diff,
            "cfg.commit": self.commit,
            "cfg.rollback": self.rollback,
            "cfg.reset": self.reset,
            **dict.fromkeys(("cfg.set", "cfg.set_now", "cfg.seti", "cfg.set_now_int"), self.set_now),
            **dict.fromkeys(("cfg.sets", "cfg.set_now_string"), self.set_string),
            **dict.fromkeys(("cfg.set_delayed", "cfg.set_delayed_int"), self.set_delayed),
            "cfg.set_delayed_string": self.set_delayed_string,
            **dict.fromkeys(
                ("cfg.add_group_inst", "cfg.del_group_inst", "cfg.del", "cfg.del_delayed"), self.no_instances
            ),
        }

    # -- reading ----------------------------------------------------------------------------------------------------

    def _value(self, variable: Variable) -> Any:
        if variable[:2] in self.proxy.custom:
            return self.proxy.custom[variable[:2]]
        return getattr(self.proxy.module(variable.module), variable.attr) if variable.attr else 0

    def list_variables(self, params: list[Any]) -> list[str]:
        """Group (none: all): its settings."""
        wanted = str(params[0]) if params else ""
        return [f"{v.group}: {v.name}" for v in self.known.values() if wanted in ("", v.group)]

    def get(self, params: list[Any]) -> Any:
        """Group, name (none: all of the group): the value."""
        if not params:
            raise RpcError(500, "Failed to get the parameters")
        group = str(params[0])
        if len(params) == 1:
            found = {v.name: self._shown(v) for v in self.known.values() if v.group == group and not v.hidden}
            return found
        variable = self.known.get((group, str(params[1])))
        if variable is None:
            raise RpcError(400, "Failed to get the variable")
        if variable.hidden:
            raise RpcError(400, "Variable exists, but it is not readable via RPC interface")
        return self._shown(variable)

    def _shown(self, variable: Variable) -> Any:
        value = self._value(variable)
        return int(value) if isinstance(value, int | float) else value or None

    def help(self, params: list[Any]) -> Any:
        """Group, name: what it is."""
        if len(params) < 2:
            return {}
        variable = self.known.get((str(params[0]), str(params[1])))
        if variable is None:
            raise RpcError(400, "Failed to get the variable description")
        if variable[:2] in self.proxy.custom:
            kind = "integer" if isinstance(self._value(variable), int) else "string"
            return f"custom parameter (parameter type is {kind})"
        if not variable.attr:
            return "not used here (parameter type is integer)"
        param = self.proxy.module(variable.module).params[variable.attr]
        return f"{param.doc} (parameter type is {'integer' if param.type is int else 'string'})"

    # -- changing ---------------------------------------------------------------------------------------------------

    def _prepared(self, params: list[Any], text: bool) -> tuple[Variable, int | str] | None:
        """The setting and its new value; None with too few parameters, which Kamailio passes over."""
        if len(params) < 3:
            return None
        variable = self.known.get((str(params[0]), str(params[1])))
        if variable is None or variable.fixed:
            raise RpcError(400, "Failed to set the variable")
        module: Module = self.proxy.module(variable.module)
        value = params[2]
        if variable[:2] in self.proxy.custom:
            if isinstance(self._value(variable), int) == text:
                raise RpcError(400, "Failed to set the variable")
            return variable, str(value) if text else int(value) if str(value).lstrip("-").isdecimal() else 0
        param = module.params[variable.attr]
        if param.type is int and not text and isinstance(value, str):
            # As jsonrpcs reads a string where a number is wanted, but for the digits.
            value = int(value) if value.lstrip("-").isdecimal() else 0
        try:
            return variable, param.convert(module.name or "core", value)
        except ParamError:
            raise RpcError(400, "Failed to set the variable") from None

    def _set(self, variable: Variable, value: int | str) -> None:
        module: Any = self.proxy.module(variable.module)
        self.first.setdefault(variable, self._value(variable))
        if variable[:2] in self.proxy.custom:
            self.proxy.custom[variable[:2]] = value
            return
        setattr(module, variable.attr, value)
        if variable.module == "tm":
            module.engine.configure()
        elif variable.module == "maxfwd":
            module.start()
        elif variable.name == "debug" and not self.proxy.sandbox:
            import logging

            logging.getLogger().setLevel(LEVELS[max(-2, min(int(value), 3))])

    def set_now(self, params: list[Any]) -> dict[str, Any]:
        """Group, name, value: set it."""
        change = self._prepared(params, False)
        if change is not None:
            self._set(*change)
        return {}

    def set_string(self, params: list[Any]) -> dict[str, Any]:
        """Group, name, text: set it."""
        change = self._prepared(params, True)
        if change is not None:
            self._set(*change)
        return {}

    def set_delayed(self, params: list[Any]) -> dict[str, Any]:
        """Group, name, value: set it at cfg.commit."""
        change = self._prepared(params, False)
        if change is not None:
            self.pending.append(change)
        return {}

    def set_delayed_string(self, params: list[Any]) -> dict[str, Any]:
        """Group, name, text: set it at cfg.commit."""
        change = self._prepared(params, True)
        if change is not None:
            self.pending.append(change)
        return {}

    def diff(self, params: list[Any]) -> Any:
        """What cfg.commit would change."""
        rows = [
            {"group name": v.group, "variable name": v.name, "old value": self._value(v), "new value": value}
            for v, value in self.pending
        ]
        return rows[0] if len(rows) == 1 else rows or {}

    def commit(self, params: list[Any]) -> dict[str, Any]:
        """Set what cfg.set_delayed prepared."""
        for change in self.pending:
            self._set(*change)
        self.pending.clear()
        return {}

    def rollback(self, params: list[Any]) -> dict[str, Any]:
        """Forget what cfg.set_delayed prepared."""
        self.pending.clear()
        return {}

    def reset(self, params: list[Any]) -> dict[str, Any]:
        """Group: its settings as they were at the start."""
        if not params:
            return {}
        if len(params) > 1:
            raise RpcError(500, "Reset failed")
        for variable, value in list(self.first.items()):
            if variable.group == str(params[0]):
                self._set(variable, value)
        return {}

    def no_instances(self, params: list[Any]) -> Any:
        """Refused: settings have no instances here."""
        raise RpcError(400, _INSTANCES)
