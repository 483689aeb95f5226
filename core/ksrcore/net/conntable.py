"""Finding connections: by id, by the peer's address, by alias. No I/O.

An alias (RFC 5923, Kamailio's force_tcp_alias and add_tcp_alias) says that messages to the peer's ip and that port may
take this connection. As with Kamailio's defaults an alias never fails because another connection has it: the
newest answers, and the older one again once the newer is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar

#: Kamailio's TCP_CON_MAX_ALIASES, the peer's own port included.
MAX_ALIASES: Final = 12


class Connection(Protocol):
    """What the table needs to know of a connection. ``aliases`` begins with the peer's own port; one whose
    ``state`` is "closing" is not found by address."""

    conid: int
    peer_ip: str
    local_ip: str
    state: str
    aliases: list[int]


C = TypeVar("C", bound=Connection)


class ConnTable(Generic[C]):
    """The connections of one proto."""

    __slots__ = ("_by_id", "_by_peer")

    def __init__(self) -> None:
        self._by_id: dict[int, C] = {}
        self._by_peer: dict[tuple[str, int], list[C]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[C]:
        return iter(list(self._by_id.values()))

    def get(self, conid: int) -> C | None:
        return self._by_id.get(conid)

    def add(self, conn: C) -> None:
        self._by_id[conn.conid] = conn
        for port in conn.aliases:
            self._by_peer.setdefault((conn.peer_ip, port), []).append(conn)

    def remove(self, conn: C) -> None:
        if self._by_id.pop(conn.conid, None) is None:
            return
        for port in conn.aliases:
            key = (conn.peer_ip, port)
            conns = self._by_peer[key]
            conns.remove(conn)
            if not conns:
                del self._by_peer[key]

    def find(self, ip: str, port: int, local_ip: str = "") -> C | None:
        """The newest connection to ip:port, from local_ip if one is given."""
        for conn in reversed(self._by_peer.get((ip, port), ())):
            if conn.state != "closing" and (not local_ip or conn.local_ip == local_ip):
                return conn
        return None

    def alias(self, conid: int, port: int) -> bool:
        """Let messages to the peer's ip and this port take the connection. False: no such connection, or too many."""
        conn = self._by_id.get(conid)
        if conn is None:
            return False
        conns = self._by_peer.setdefault((conn.peer_ip, port), [])
        if port in conn.aliases:
            conns.remove(conn)
        elif len(conn.aliases) >= MAX_ALIASES:
            if not conns:
                del self._by_peer[conn.peer_ip, port]
            return False
        else:
            conn.aliases.append(port)
        conns.append(conn)
        return True
