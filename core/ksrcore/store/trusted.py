"""Trusted peers: the `trusted` table of Kamailio's permissions module, for allow_trusted."""

import re
from typing import NamedTuple

from ksrcore.corehash import core_hash
from ksrcore.posixre import PosixError, compile_posix
from ksrcore.store.database import Database
from ksrcore.store.errors import StoreError

__all__ = ["PROTOCOLS", "Trusted", "TrustedPeer"]

PROTOCOLS = {"any": 0, "udp": 1, "tcp": 2, "tls": 3, "sctp": 4, "ws": 5, "wss": 6}
"""What `proto` may be (case ignored) and the number that `permissions.trustedDump` shows for it. A row may also say
"none", which never matches and is not even kept."""

_SLOTS = 128


class TrustedPeer(NamedTuple):
    """A row; None for a pattern that is NULL (matches anything) and for a tag that is NULL or empty."""

    src_ip: str
    proto: str
    from_pattern: str | None
    ruri_pattern: str | None
    tag: str | None
    priority: int


_Compiled = tuple[TrustedPeer, "re.Pattern[str] | None", "re.Pattern[str] | None"]


def _compile(pattern: str | None, where: str) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        return compile_posix(pattern)
    except PosixError as error:
        raise StoreError(f"{where}{error}; correct the row") from None


class Trusted:
    """The trusted peers. With `db_mode` 0 (Kamailio's default) changes in the table count at once, found by the
    database's generation token; with 1 after `reload()`. A row that cannot be used refuses the whole table."""

    __slots__ = ("_generation", "_peers", "db", "db_mode", "table")

    def __init__(self, db: Database, table: str = "trusted", db_mode: int = 0) -> None:
        if db_mode not in (0, 1):
            raise StoreError(f"permissions db_mode: expected 0 (not cached) or 1 (cached), got {db_mode!r}")
        db.check(table, like="trusted")
        self.db = db
        self.table = table
        self.db_mode = db_mode
        self._generation: tuple[int, int] | None = None
        self._peers: dict[str, list[_Compiled]] = {}

    def reload(self) -> int:
        """Read the table; the number of rows. Raises StoreError, DatabaseError and changes nothing then."""
        generation = self.db.generation()
        rows = self.db.query(
            "SELECT id, src_ip, proto, from_pattern, ruri_pattern, tag, priority "
            f'FROM "{self.table}" ORDER BY priority DESC, id'
        )
        peers: dict[str, list[_Compiled]] = {}
        for ident, src_ip, proto, from_pattern, ruri_pattern, tag, priority in rows:
            where = f"table {self.table}, row {ident}: "
            if str(proto).lower() == "none":
                continue
            if str(proto).lower() not in PROTOCOLS:
                raise StoreError(
                    f"{where}proto is {proto!r}, expected one of {', '.join(PROTOCOLS)} or none; correct the row"
                )
            peer = TrustedPeer(src_ip, str(proto).lower(), from_pattern, ruri_pattern, tag or None, priority)
            peers.setdefault(src_ip, []).append(
                (
                    peer,
                    _compile(from_pattern, f"{where}from_pattern: "),
                    _compile(ruri_pattern, f"{where}ruri_pattern: "),
                )
            )
        self._peers = peers
        self._generation = generation
        return len(rows)

    def match(self, src_ip: str, proto: str, from_uri: str, ruri: str) -> list[TrustedPeer]:
        """All rows that match, by priority: highest first, with `db_mode` 0 lowest first, as Kamailio's query has them.

        `src_ip` is compared as text.

        `proto`: any, udp, tcp, tls, sctp, ws or wss, case ignored; "any" matches rows of every protocol.
        """
        if self.db_mode == 0 and self._generation != self.db.generation():
            self.reload()
        proto = proto.lower()
        if proto not in PROTOCOLS:
            raise StoreError(f"allow_trusted: unknown protocol {proto!r}, expected one of {', '.join(PROTOCOLS)}")
        found = [
            peer
            for peer, from_re, ruri_re in self._peers.get(src_ip, ())
            if (proto == "any" or peer.proto in ("any", proto))
            and (from_re is None or from_re.search(from_uri))
            and (ruri_re is None or ruri_re.search(ruri))
        ]
        if self.db_mode == 0:
            found.sort(key=lambda peer: peer.priority)
        return found

    def dump(self) -> list[dict[str, object]]:
        """`permissions.trustedDump`."""
        return [
            {
                "table": core_hash(ip) % _SLOTS,
                "item": {
                    "ip": ip,
                    "proto": PROTOCOLS[peer.proto],
                    "pattern": peer.from_pattern or "NULL",
                    "ruri_pattern": peer.ruri_pattern or "NULL",
                    "tag": peer.tag or "NULL",
                    "priority": peer.priority,
                },
            }
            for ip, found in self._peers.items()
            for peer, _, _ in found
        ]

    def fork(self) -> "Trusted":
        """A view for sandboxed runs."""
        forked = Trusted.__new__(Trusted)
        forked.db = self.db.fork()
        forked.table, forked.db_mode = self.table, self.db_mode
        forked._peers, forked._generation = self._peers, self._generation
        return forked
