"""Sockets, connections and names: ``core.sockets_list``, ``core.tcp_*``, ``corex.list_*``, ``dst_blocklist.*`` ..."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..kemi.core_params import LEVELS
from ..kemi.declare import RpcError
from ..net.address import PROTOS, AddressError, parse_host_port

if TYPE_CHECKING:
    from ..net.transport import ConnInfo
    from ..proxy import Proxy

Command = Callable[[list[Any]], Any]

#: Kamailio's names of the states of connections.
_STATES = {"connecting": "CONN_CONNECT", "open": "CONN_OK", "closing": "CONN_EOF"}

#: Names of core.tcp_options, and the parameter or the constant behind each.
_TCP_OPTIONS: dict[str, str | int] = {
    "connect_timeout": "tcp_connect_timeout",
    "send_timeout": "tcp_send_timeout",
    "connection_lifetime": "tcp_connection_lifetime",
    "max_connections(soft)": "tcp_max_connections",
    "max_tls_connections(soft)": "tcp_max_connections",
    "no_connect": "tcp_no_connect",
    "fd_cache": 1,
    "async": 1,
    "connect_wait": 1,
    "conn_wq_max": "tcp_conn_wq_max",
    "wq_max": "tcp_wq_max",
    "defer_accept": 0,
    "delayed_ack": 1,
    "syncnt": 0,
    "linger2": 0,
    "keepalive": 1,
    "keepidle": 0,
    "keepintvl": 0,
    "keepcnt": 0,
    "crlf_ping": "tcp_crlf_ping",
    "accept_aliases": 0,
    "alias_flags": 1,
    "new_conn_alias_flags": 2,
}


class NetworkRpc:
    """What the proxy listens on, answers for and is connected to."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    def table(self) -> dict[str, Command]:
        return {
            "core.aliases_list": self.aliases,
            "core.sockets_list": self.sockets,
            "core.tcp_info": self.tcp_info,
            "core.tcp_list": self.tcp_list,
            "core.tcp_options": self.tcp_options,
            "core.udp4_raw_info": self.udp4_raw_info,
            "corex.list_sockets": self.corex_sockets,
            "corex.list_aliases": self.corex_aliases,
            "corex.debug": self.debug,
            "dst_blocklist.view": self.no_blocklist,
            "dst_blocklist.mem_info": self.no_blocklist,
            "dst_blocklist.add": self.no_blocklist,
            "dst_blocklist.delete_all": self.no_blocklist,
            "dst_blocklist.debug": self.no_blocklist,
        }

    # -- aliases and sockets ----------------------------------------------------------------------------------------

    def _aliases(self) -> list[tuple[str, str, int]]:
        """(transport, host, port) of each, '*' and 0 for any; the latest first, as Kamailio."""
        found = []
        for text in reversed(self.proxy.aliases):
            proto, colon, rest = text.partition(":")
            if not colon or proto not in PROTOS:
                proto, rest = "*", text
            try:
                host, port = parse_host_port(rest)
            except AddressError:
                host, port = rest, 0
            found.append((proto, host, port))
        return found

    def aliases(self, params: list[Any]) -> dict[str, Any]:
        """The names this proxy answers for beside its sockets."""
        rows = [
            {"alias": {"proto": proto, "address": host, "port": port or "*"}} for proto, host, port in self._aliases()
        ]
        return {"myself_callbacks": "no", "aliases": rows}

    def corex_aliases(self, params: list[Any]) -> list[dict[str, Any]]:
        """The names this proxy answers for beside its sockets."""
        return [{"PROTO": proto, "ADDR": host, "PORT": port} for proto, host, port in self._aliases()]

    def sockets(self, params: list[Any]) -> list[dict[str, Any]]:
        """The listen sockets."""
        return [
            {
                "socket": {
                    "proto": s.proto,
                    "address": s.uri_host,
                    "ipaddress": s.host,
                    "port": str(s.port),
                    "mcast": "no",
                    "mhomed": "no",
                    "virtual": "no",
                }
            }
            for s in self.proxy.listens
        ]

    def corex_sockets(self, params: list[Any]) -> list[dict[str, Any]]:
        """The listen sockets, with their names and advertised addresses."""
        return [
            {
                "PROTO": s.proto,
                "NAME": s.uri_host,
                "ADDRLIST": {"ADDR": s.host},
                "PORT": str(s.port),
                "MCAST": "no",
                "MHOMED": "no",
                "VIRTUAL": "no",
                "SOCKNAME": s.name or "-",
                "ADVERTISE": s.advertise_host or "-",
            }
            # As Kamailio keeps them: by transport.
            for s in sorted(self.proxy.listens, key=lambda s: PROTOS.index(s.proto))
        ]

    # -- TCP --------------------------------------------------------------------------------------------------------

    def _connections(self) -> list[ConnInfo]:
        network = self.proxy.network
        return network.connections() if network is not None else []

    def tcp_info(self, params: list[Any]) -> dict[str, int]:
        """How many connections there are, and may be."""
        connections = self._connections()
        core = self.proxy.module("")
        return {
            "readers": 1,
            "max_connections": core.tcp_max_connections,
            "max_tls_connections": core.tcp_max_connections,
            "opened_connections": len(connections),
            "opened_tls_connections": sum(1 for conn in connections if conn.proto in ("tls", "wss")),
            "write_queued_bytes": sum(conn.queued for conn in connections),
        }

    def tcp_list(self, params: list[Any]) -> list[dict[str, Any]]:
        """The connections."""
        rows = []
        for conn in self._connections():
            (src_ip, src_port), (dst_ip, dst_port) = parse_host_port(conn.src), parse_host_port(conn.dst)
            rows.append(
                {
                    "id": conn.id,
                    "type": conn.proto.upper(),
                    "state": _STATES[conn.state],
                    "timeout": max(0, int(conn.lifetime - conn.idle)),
                    "lifetime": int(conn.lifetime),
                    "ref_count": 1,
                    "src_ip": src_ip,
                    "src_port": src_port,
                    "dst_ip": dst_ip,
                    "dst_port": dst_port,
                }
            )
        return rows

    def tcp_options(self, params: list[Any]) -> dict[str, int]:
        """The settings of TCP."""
        core = self.proxy.module("")
        return {
            name: int(getattr(core, value)) if isinstance(value, str) else value for name, value in _TCP_OPTIONS.items()
        }

    def udp4_raw_info(self, params: list[Any]) -> dict[str, int]:
        """Raw sockets, which are not used."""
        return {"udp4_raw": 0, "udp4_raw_mtu": 1500, "udp4_raw_ttl": 64}

    # -- the rest ---------------------------------------------------------------------------------------------------

    def debug(self, params: list[Any]) -> dict[str, int]:
        """Level (none: only tell it): what is logged from now on."""
        known = {level: number for number, level in LEVELS.items()}
        old = known.get(logging.getLogger().getEffectiveLevel(), 2)
        if not params:
            return {"debug": old}
        level = params[0] if isinstance(params[0], int) else 0
        if not self.proxy.sandbox:
            logging.getLogger().setLevel(LEVELS[max(-2, min(3, level))])
        return {"old": old, "new": level}

    def no_blocklist(self, params: list[Any]) -> Any:
        """Refused as by a Kamailio with use_dst_blocklist=no."""
        raise RpcError(500, "dst blocklist support disabled")
