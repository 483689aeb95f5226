"""Kamailio's permissions: source addresses from the ``address`` and ``trusted`` tables.

The allow and deny files of Kamailio's module (``allow_routing`` ...) have no KEMI functions and are not here.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Setter
from ..sip.errors import SipError
from ..store.addresses import Addresses
from ..store.database import Database
from ..store.errors import StoreError
from ..store.trusted import Trusted
from .dbparam import module_database
from .declare import Module, Param, ParamError, RpcError, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Permissions"]

log = logging.getLogger("ksrcore.permissions")

_FIXED = {
    "address_file": "",
    "grp_col": "grp",
    "ip_addr_col": "ip_addr",
    "mask_col": "mask",
    "port_col": "port",
    "source_col": "src_ip",
    "proto_col": "proto",
    "from_col": "from_pattern",
    "ruri_col": "ruri_pattern",
    "tag_col": "tag",
    "priority_col": "priority",
}
_LOAD_ADDRESS = 1
_LOAD_TRUSTED = 2


class Permissions(Module):
    """Who may send. The address list is in memory; ``permissions.addressReload`` reads the table again."""

    name = "permissions"

    default_allow_file = Param("permissions.allow", "no effect: its functions are not part of KEMI: str")
    default_deny_file = Param("permissions.deny", "no effect: its functions are not part of KEMI: str")
    check_all_branches = Param(1, "no effect: its functions are not part of KEMI: int")
    allow_suffix = Param(".allow", "no effect: its functions are not part of KEMI: str")
    deny_suffix = Param(".deny", "no effect: its functions are not part of KEMI: str")
    address_file = Param("", "only its default: str")
    db_url = Param("", "the database; '' for the proxy's: str")
    address_table = Param("address", "table of addresses: str")
    grp_col = Param("grp", "only its default: str")
    ip_addr_col = Param("ip_addr", "only its default: str")
    mask_col = Param("mask", "only its default: str")
    port_col = Param("port", "only its default: str")
    db_mode = Param(0, "trusted table: 0 changes count at once, 1 after trustedReload: int")
    trusted_table = Param("trusted", "table of trusted peers: str")
    source_col = Param("src_ip", "only its default: str")
    proto_col = Param("proto", "only its default: str")
    from_col = Param("from_pattern", "only its default: str")
    ruri_col = Param("ruri_pattern", "only its default: str")
    tag_col = Param("tag", "only its default: str")
    priority_col = Param("priority", "only its default: str")
    peer_tag_avp = Param("", "AVP that gets the tag of the row that matched: str")
    peer_tag_mode = Param(0, "allow_trusted: 0 the tag of the first row that matches, 1 of all: int")
    max_subnets = Param(512, "the most subnets to take from the table: int")
    load_backends = Param(0xFFFF, "what to load: 1 addresses, 2 trusted peers: int")
    reload_delta = Param(5, "seconds between two reloads, 0 for no limit: int")
    trusted_cleanup_interval = Param(60, "no effect: an old list is dropped at once: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.addresses: Addresses | None = None
        self.trusted: Trusted | None = None
        self._db: Database | None = None
        self._tag: Setter | None = None
        self._reloaded = -1e9

    def start(self) -> None:
        for name, only in _FIXED.items():
            if getattr(self, name) != only:
                raise ParamError(
                    f"modparam permissions:{name} can only be {only!r} here, got {getattr(self, name)!r}; leave it out"
                )
        if not self.load_backends:
            raise ParamError("modparam permissions:load_backends expects 1 addresses, 2 trusted peers or 3, got 0")
        if self.peer_tag_avp:
            try:
                accessor = compile_spec(self.peer_tag_avp)
            except PvError as error:
                raise ParamError(
                    f"modparam permissions:peer_tag_avp expects an AVP such as $avp(tag): {error}"
                ) from None
            self._tag = accessor.set
        self._db = module_database(self.proxy, self.db_url)
        if self._db is None:
            return
        if self.load_backends & _LOAD_ADDRESS:
            self.addresses = Addresses(self._db, self.address_table)
            self._reload_addresses()
        if self.load_backends & _LOAD_TRUSTED:
            self.trusted = Trusted(self._db, self.trusted_table, self.db_mode)
            self.trusted.reload()

    def stop(self) -> None:
        if self._db is not None and self._db is not self.proxy.db:
            self._db.close()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.addresses = self.addresses.fork() if self.addresses is not None else None
        new.trusted = self.trusted.fork() if self.trusted is not None else None
        return new

    def _reload_addresses(self) -> None:
        assert self.addresses is not None
        kept = self.addresses.fork()
        self.addresses.reload()
        subnets = len(self.addresses.subnet_dump())
        if subnets > self.max_subnets:
            self.addresses._exact, self.addresses._subnets, self.addresses._domains = (
                kept._exact,
                kept._subnets,
                kept._domains,
            )
            raise StoreError(
                f"table {self.address_table} has {subnets} subnets, more than {self.max_subnets}: "
                "raise modparam permissions:max_subnets"
            )

    # -- functions --------------------------------------------------------------------------------------------------

    def _match(self, run: Run, group: int, ip: str, port: int) -> int:
        addresses = self.addresses
        if addresses is None:
            return -1
        found = addresses.match(group, ip, port)
        if found is None:
            return -1
        if self._tag is not None and found.tag is not None:
            self._tag(run, found.tag)
        return 1

    @export
    def allow_source_address(self, run: Run, addr_group: int) -> int:
        """1 when the message came from an address of that group, else -1."""
        rcv = run.msg.rcv
        return -1 if rcv is None else self._match(run, addr_group, rcv.src_ip, rcv.src_port)

    @export
    def allow_address(self, run: Run, addr_group: int, ip: str, port: int) -> int:
        """1 when ``ip`` (an address, or a name for rows with names) and ``port`` are of that group, else -1."""
        return self._match(run, addr_group, ip, port)

    @export
    def allow_source_address_group(self, run: Run) -> int:
        """The group of the address the message came from, -1 when it is in none."""
        rcv = run.msg.rcv
        return -1 if rcv is None else self.allow_address_group(run, rcv.src_ip, rcv.src_port)

    @export
    def allow_address_group(self, run: Run, address: str, port: int) -> int:
        """The group of an address, -1 when it is in none."""
        if self.addresses is None:
            return -1
        found = self.addresses.find_group(address, port)
        if found is None:
            return -1
        if self._tag is not None and found.tag is not None and found.mask >= 0:
            self._tag(run, found.tag)
        return found.group

    @export
    def allow_trusted(self, run: Run) -> int:
        """1 when source, transport, From URI and Request-URI fit a row of the trusted table, else -1.

        With peer_tag_mode 1 the number of rows that fit. The R-URI is the one that was received.
        """
        msg = run.msg
        if self.trusted is None or msg.rcv is None:
            return -1
        try:
            from_ = msg.from_
            uri = from_.uri if from_ is not None else ""
            found = self.trusted.match(msg.rcv.src_ip, msg.rcv.proto, uri, msg.ruri)
        except (SipError, StoreError) as error:
            log.error("allow_trusted: %s", error)
            return -1
        if not found:
            return -1
        if self._tag is not None:
            for peer in found if self.peer_tag_mode else found[:1]:
                if peer.tag is not None:
                    self._tag(run, peer.tag)
        return len(found) if self.peer_tag_mode else 1

    # -- RPC --------------------------------------------------------------------------------------------------------

    def _may_reload(self) -> None:
        """One reload in reload_delta seconds, whichever table it is of, as in Kamailio."""
        now = self.proxy.now
        if self.reload_delta and now - self._reloaded < self.reload_delta:
            raise RpcError(500, "ongoing reload")
        self._reloaded = now

    @rpc("permissions.addressReload")
    def rpc_address_reload(self, params: list[Any]) -> str:
        """Read the address table again."""
        if self.addresses is None:
            raise RpcError(500, "Reload failed. No address_table")
        self._may_reload()
        try:
            self._reload_addresses()
        except StoreError as error:
            raise RpcError(500, f"Reload failed. {error}") from None
        return "Reload OK"

    @rpc("permissions.addressDump")
    def rpc_address_dump(self, params: list[Any]) -> list[dict[str, object]]:
        """The addresses, one item each."""
        if self.addresses is None:
            raise RpcError(500, "No address table")
        return self.addresses.address_dump()

    @rpc("permissions.subnetDump")
    def rpc_subnet_dump(self, params: list[Any]) -> list[dict[str, object]]:
        """The subnets, one item each."""
        if self.addresses is None:
            raise RpcError(500, "No subnet table")
        return self.addresses.subnet_dump()

    @rpc("permissions.domainDump")
    def rpc_domain_dump(self, params: list[Any]) -> list[dict[str, object]]:
        """The rows with names, one item each."""
        if self.addresses is None:
            raise RpcError(500, "No domain list table")
        return self.addresses.domain_dump()

    @rpc("permissions.trustedReload")
    def rpc_trusted_reload(self, params: list[Any]) -> str:
        """Read the trusted table again."""
        if self.trusted is None:
            raise RpcError(500, "Reload failed. No trusted_table")
        self._may_reload()
        if not self.db_mode:
            raise RpcError(500, "Reload failed.")
        try:
            self.trusted.reload()
        except StoreError as error:
            raise RpcError(500, f"Reload failed. {error}") from None
        return "Reload OK"

    @rpc("permissions.trustedDump")
    def rpc_trusted_dump(self, params: list[Any]) -> list[dict[str, object]]:
        """The trusted peers, one item each; only with db_mode 1."""
        if self.trusted is None or not self.db_mode:
            raise RpcError(500, "No trusted table")
        return self.trusted.dump()
