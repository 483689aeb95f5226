"""Kamailio's drouting: gateways by the longest prefix of the Request-URI's user, in groups of rules.

The rules of a prefix are tried by priority, the greatest first; the first one counts. Further gateways of its list are
kept with the transaction for ``use_next_gw``.
"""

from __future__ import annotations

import logging
from socket import SOCK_DGRAM, getaddrinfo
from typing import TYPE_CHECKING, Any, Self

from ..net.address import canonical_ip, parse_host_port
from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Accessor
from ..sip.errors import SipError
from ..sip.uri import parse_uri
from ..store.errors import StoreError
from .dbparam import DbModule
from .declare import Param, ParamError, RpcError, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Drouting"]

log = logging.getLogger("ksrcore.drouting")

#: The AVPs that keep the URIs and attributes of the gateways still to try, the next one on top.
_URIS, _ATTRS = "_dr_ruri", "_dr_attrs"


class Gateway:
    """``host``: as in the table, with its port; ``ips``: what its name stands for."""

    def __init__(self, row: tuple[Any, ...], resolve: bool) -> None:
        self.id, self.type = int(row[0]), int(row[1] or 0)
        self.host = str(row[2]).removeprefix("sip:")
        self.strip, self.prefix = int(row[3] or 0), str(row[4] or "")
        self.attrs = str(row[5] or "")
        name = parse_host_port(self.host)[0]
        ip = canonical_ip(name)
        self.ips = [ip] if ip else []
        if not ip and resolve:
            self.ips = sorted({str(info[4][0]) for info in getaddrinfo(name, None, type=SOCK_DGRAM)})

    def uri(self, text: str) -> str | None:
        """The URI of a request through this gateway, None when nothing is left of the user."""
        uri = parse_uri(text)
        user = uri.user[self.strip :]
        if self.strip and not user:
            return None
        tail = (f";{uri.params}" if uri.params else "") + (f"?{uri.headers}" if uri.headers else "")
        return f"{uri.scheme}:{self.prefix}{user}{':' + uri.password if uri.password else ''}@{self.host}{tail}"


class Drouting(DbModule):
    """``rules``: group -> prefix -> lists of lists of gateways, the greatest priority first."""

    name = "drouting"

    drd_table = Param("dr_gateways", "table of gateways: str")
    drr_table = Param("dr_rules", "table of rules: str")
    drg_table = Param("dr_groups", "table of users' groups: str")
    drl_table = Param("dr_gw_lists", "table of lists of gateways: str")
    drg_user_col = Param("username", "column of a user: str")
    drg_domain_col = Param("domain", "column of a user's domain: str")
    drg_grpid_col = Param("groupid", "column of a user's group: str")
    use_domain = Param(1, "1: the domain is part of a user's key: int")
    sort_order = Param(0, "0 as listed, 1 the first two of each part by chance, 2 one of each part by chance: int")
    ruri_avp = Param("", "no effect: the gateways to try are kept in AVPs of the module's own: str")
    attrs_avp = Param("", "variable that gets the attributes of the gateway: str")
    fetch_rows = Param(2000, "no effect: int")
    force_dns = Param(1, "1: names of gateways are resolved when the tables are read: int")
    enable_keepalive = Param(0, "only its default: int")
    named = (
        "drd_table",
        "drr_table",
        "drg_table",
        "drl_table",
        "drg_user_col",
        "drg_domain_col",
        "drg_grpid_col",
    )

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.gateways: dict[int, Gateway] = {}
        self.rules: dict[int, dict[str, list[list[list[Gateway]]]]] = {}
        self._attrs: Accessor | None = None

    def start(self) -> None:
        super().start()
        if self.enable_keepalive:
            raise ParamError("modparam drouting:enable_keepalive can only be 0 here; leave it out")
        if self.sort_order not in (0, 1, 2):
            raise ParamError(f"modparam drouting:sort_order expects 0, 1 or 2, got {self.sort_order}")
        try:
            self._attrs = compile_spec(self.attrs_avp) if self.attrs_avp else None
        except PvError as error:
            raise ParamError(f"modparam drouting:attrs_avp: {error}") from None
        if self.db is not None and self.drr_table in self.db.tables():
            try:
                self._load()
            except StoreError as error:
                raise ParamError(f"modparam drouting: {error}") from None

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.gateways, new.rules = dict(self.gateways), dict(self.rules)
        return new

    def _load(self) -> None:
        """Read the tables. A gateway whose name has no address, and what needs it, is left out. Raises StoreError."""
        gateways: dict[int, Gateway] = {}
        for row in self.rows(f'SELECT gwid, type, address, strip, pri_prefix, attrs FROM "{self.drd_table}"'):
            try:
                gateways[int(row[0])] = Gateway(row, bool(self.force_dns) and not self.proxy.sandbox)
            except (OSError, ValueError) as error:
                log.error("drouting: gateway %s, %s, is left out: %s", row[0], row[2], error)
        lists = {str(row[0]): str(row[1]) for row in self.rows(f'SELECT id, gwlist FROM "{self.drl_table}"')}
        rules: dict[int, dict[str, list[list[list[Gateway]]]]] = {}
        sql = f'SELECT ruleid, groupid, prefix, timerec, gwlist FROM "{self.drr_table}" ORDER BY priority DESC, ruleid'
        for number, groups, prefix, times, names in self.rows(sql):
            if times:
                raise StoreError(f"rule {number} has a timerec, which is not supported: {times!r}")
            text = str(names)
            if text[:1] == "#":
                text = lists.get(text[1:], "")
            try:
                found = [[gateways[int(name)] for name in part.split(",")] for part in text.split(";") if part]
                wanted = [int(group) for group in str(groups).split(",")]
            except (KeyError, ValueError) as error:
                log.error("drouting: rule %s is left out: no gateway or group %s", number, error)
                continue
            if found:
                for group in wanted:
                    rules.setdefault(group, {}).setdefault(str(prefix or ""), []).append(found)
        self.gateways, self.rules = gateways, rules

    def _order(self, parts: list[list[Gateway]]) -> list[Gateway]:
        """The gateways of a rule as they are tried; with a sort_order none twice."""
        chance = self.proxy.random
        out: list[Gateway] = []
        for part in parts:
            part = list(part)
            if self.sort_order == 1:
                for at in range(min(2, len(part) - 1)):
                    other = chance.randrange(at, len(part))
                    part[at], part[other] = part[other], part[at]
            elif self.sort_order == 2:
                part = [gateway for gateway in part if gateway not in out]
                part = [chance.choice(part)] if part else []
            out.extend(part)
        return out

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    def _route(self, run: Run, group: int) -> int:
        msg = run.msg
        prefixes = self.rules.get(group)
        if prefixes is None:
            log.error("do_routing: there are no rules for group %d", group)
            return -1
        try:
            text = msg.new_uri or msg.ruri
            user = parse_uri(text).user
            for size in range(len(user), -1, -1):
                rules = prefixes.get(user[:size])
                if rules is not None:
                    gateways = self._order(rules[0])
                    break
            else:
                return -1
            uris = [(gateway.uri(text), gateway.attrs) for gateway in gateways]
        except SipError as error:
            log.error("do_routing: %s", error)
            return -1
        # What the first gateway leaves no user of cannot be sent; a later one of that kind is passed over.
        if uris[0][0] is None:
            log.error("do_routing: nothing is left of user %r for the gateway %s", user, gateways[0].host)
            return -1
        run.avps.remove_all(_URIS)
        run.avps.remove_all(_ATTRS)
        for uri, attrs in reversed(uris):
            if uri is not None:
                run.avps.add(_URIS, uri)
                run.avps.add(_ATTRS, attrs)
        return self.use_next_gw(run)

    @export
    def do_routing(self, run: Run, grpid: int) -> int:
        """Send the request through the first gateway of the rule for its user, of a group: 1, -1 for none."""
        return self._route(run, grpid)

    @export
    def do_routing_furi(self, run: Run) -> int:
        """``do_routing`` with the group of the user in From, by the table dr_groups: 1, -1 for none."""
        try:
            from_ = run.msg.from_
            uri = parse_uri(from_.uri) if from_ is not None else None
            sql = f'SELECT "{self.drg_grpid_col}" FROM "{self.drg_table}" WHERE "{self.drg_user_col}" = ?'
            params = [uri.user if uri is not None else ""]
            if self.use_domain:
                sql += f' AND "{self.drg_domain_col}" = ?'
                params.append(uri.host if uri is not None else "")
            rows = self.rows(sql, params)
        except (SipError, StoreError) as error:
            log.error("do_routing_furi: %s", error)
            return -1
        return self._route(run, int(rows[0][0])) if rows else -1

    @export
    def use_next_gw(self, run: Run) -> int:
        """Send the request through the next gateway of the rule: 1, -1 when there is none."""
        uri = run.avps.get(_URIS)
        if uri is None:
            return -1
        attrs = run.avps.get(_ATTRS)
        run.avps.remove(_URIS)
        run.avps.remove(_ATTRS)
        run.msg.new_uri = str(uri)
        if self._attrs is not None:
            try:
                self._attrs.set(run, attrs or "")
            except PvError as error:
                log.error("drouting: %s", error)
        return 1

    @export
    def next_routing(self, run: Run) -> int:
        """``use_next_gw`` by its older name."""
        return self.use_next_gw(run)

    def _is_gateway(self, ip: str, kind: int | None) -> int:
        found = (gateway for gateway in self.gateways.values() if kind is None or gateway.type == kind)
        return 1 if ip and any(ip in gateway.ips for gateway in found) else -1

    def _source(self, run: Run) -> str:
        return canonical_ip(run.msg.rcv.src_ip) if run.msg.rcv is not None else ""

    @export
    def is_from_gw(self, run: Run) -> int:
        """1 when the message came from a gateway's address, else -1."""
        return self._is_gateway(self._source(run), None)

    @export
    def is_from_gw_type(self, run: Run, gwtype: int) -> int:
        """1 when the message came from a gateway of that type, else -1."""
        return self._is_gateway(self._source(run), gwtype)

    @export
    def is_from_gw_type_flags(self, run: Run, gwtype: int, flags: int) -> int:
        """``is_from_gw_type``; ``flags`` other than 0: the gateway's ``strip`` is taken off the Request-URI's user."""
        source = self._source(run)
        for gateway in self.gateways.values():
            if gateway.type == gwtype and source in gateway.ips:
                if flags and gateway.strip:
                    msg = run.msg
                    uri = parse_uri(msg.new_uri or msg.ruri)
                    msg.new_uri = uri.with_(user=uri.user[gateway.strip :])
                return 1
        return -1

    def _goes(self, run: Run, kind: int | None) -> int:
        try:
            host = parse_uri(run.msg.new_uri or run.msg.ruri).host
        except SipError:
            return -1
        return self._is_gateway(canonical_ip(host), kind)

    @export
    def goes_to_gw(self, run: Run) -> int:
        """1 when the Request-URI's host is the address of a gateway, else -1."""
        return self._goes(run, None)

    @export
    def goes_to_gw_type(self, run: Run, gwtype: int) -> int:
        """1 when the Request-URI's host is the address of a gateway of that type, else -1."""
        return self._goes(run, gwtype)

    @rpc("drouting.reload")
    def rpc_reload(self, params: list[Any]) -> Any:
        """Read the tables again."""
        try:
            self._load()
        except StoreError as error:
            log.error("drouting.reload: %s", error)
            raise RpcError(500, "Failed to load data") from None
        return "reload ok"
