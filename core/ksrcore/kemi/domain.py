"""Kamailio's domain: the domains we serve, and their attributes, from the tables ``domain`` and ``domain_attrs``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

from ..sip.errors import SipError
from ..sip.uri import parse_uri
from ..store.errors import StoreError
from .dbparam import DbModule
from .declare import Param, ParamError, RpcError, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Domain"]

log = logging.getLogger("ksrcore.domain")


class Domain(DbModule):
    """``domains``: lower-case name -> (as written, its identifier); ``attributes``: identifier -> names and values."""

    name = "domain"

    domain_table = Param("domain", "table of the domains: str")
    domain_attrs_table = Param("domain_attrs", "table of their attributes: str")
    did_col = Param("did", "column with a domain's identifier: str")
    domain_col = Param("domain", "column with its name: str")
    name_col = Param("name", "column with an attribute's name: str")
    type_col = Param("type", "column with its type, 0 number, 2 text: str")
    value_col = Param("value", "column with its value: str")
    register_myself = Param(0, "1: the domains are the proxy itself: int")
    domain_id_attr = Param("", "no effect: attributes become AVPs by their names: str")
    named = ("domain_table", "domain_attrs_table", "did_col", "domain_col", "name_col", "type_col", "value_col")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.domains: dict[str, tuple[str, str]] = {}
        self.attributes: dict[str, list[tuple[str, str | int]]] = {}
        self._aliases: set[str] = set()

    def start(self) -> None:
        super().start()
        if self.db is None:
            if self.register_myself:
                raise ParamError("modparam domain:register_myself needs a database: start with --db or set db_url")
            return
        try:
            self._load()
        except StoreError as error:
            raise ParamError(f"modparam domain: {error}") from None

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new._aliases = set(self._aliases)
        return new

    def _load(self) -> None:
        """Read the tables. Raises StoreError."""
        domains: dict[str, tuple[str, str]] = {}
        attributes: dict[str, list[tuple[str, str | int]]] = {}
        for text, did in self.rows(f'SELECT "{self.domain_col}", "{self.did_col}" FROM "{self.domain_table}"'):
            domains[str(text).lower()] = (str(text), str(did) if did else str(text))
        sql = f'SELECT "{self.did_col}", "{self.name_col}", "{self.type_col}", "{self.value_col}"'
        for did, name, kind, value in self.rows(f'{sql} FROM "{self.domain_attrs_table}"'):
            if kind == 0:
                try:
                    value = int(value)
                except ValueError:
                    log.error("domain: attribute %s of %s expects a number, got %r", name, did, value)
                    continue
            attributes.setdefault(str(did), []).append((str(name), value))
        self.domains, self.attributes = domains, attributes
        if self.register_myself:
            aliases = self.proxy.aliases
            for gone in self._aliases - domains.keys():
                aliases.pop(gone, None)
            self._aliases.update(domains.keys() - aliases.keys())
            aliases.update(dict.fromkeys(domains))

    def _local(self, host: str) -> int:
        return 1 if host and host.lower() in self.domains else -1

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    @export
    def is_domain_local(self, run: Run, sdomain: str) -> int:
        """1 when the domain is in the table, else -1."""
        return self._local(sdomain)

    @export
    def is_from_local(self, run: Run) -> int:
        """1 when the domain of the From URI is in the table, else -1."""
        try:
            from_ = run.msg.from_
            return self._local(parse_uri(from_.uri).host) if from_ is not None else -1
        except SipError:
            return -1

    @export
    def is_uri_host_local(self, run: Run) -> int:
        """1 when the host of the Request-URI is in the table, else -1."""
        msg = run.msg
        try:
            return self._local(parse_uri(msg.new_uri or msg.ruri).host) if msg.is_request else -1
        except SipError:
            return -1

    @export
    def lookup_domain(self, run: Run, _sdomain: str) -> int:
        """Make AVPs of a domain's attributes, and of its identifier ``$avp(did)``: 1, -1 when it is not there."""
        return self.lookup_domain_prefix(run, _sdomain, "")

    @export
    def lookup_domain_prefix(self, run: Run, _sdomain: str, _sprefix: str) -> int:
        """``lookup_domain`` with a text before the AVPs' names."""
        found = self.domains.get(_sdomain.lower())
        if found is None:
            return -1
        did = found[1]
        run.avps.add(f"{_sprefix}did", did)
        for name, value in self.attributes.get(did, ()):
            run.avps.add(_sprefix + name, value)
        return 1

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("domain.reload")
    def rpc_reload(self, params: list[Any]) -> Any:
        """Read the tables again."""
        try:
            self._load()
        except StoreError as error:
            log.error("domain.reload: %s", error)
            raise RpcError(500, "Failed to reload domain table") from None
        return {}

    @rpc("domain.dump")
    def rpc_dump(self, params: list[Any]) -> Any:
        """List the domains and the names of their attributes."""
        attributes = [{"did": did, "attrs": [name for name, _ in names]} for did, names in self.attributes.items()]
        return {
            "domains": [{"domain": name, "did": did} for name, did in self.domains.values()],
            "attributes": attributes,
        }
