"""Source addresses: the `address` table of Kamailio's permissions module, kept in memory.

A row is one of three kinds: an exact IP address, a subnet (mask shorter than the address; mask 0 means exact) or, when
its text is no IP address, a domain name that is compared as text, case and all, and never looked up. As in Kamailio
exact addresses are tried before subnets; of several exact or domain rows that match, the one loaded last wins; subnets
are tried by group, then in the order of the table. A row's port 0 matches any port.
"""

import ipaddress
from typing import NamedTuple

from ksrcore.corehash import core_hash
from ksrcore.store.database import Database
from ksrcore.store.errors import StoreError

__all__ = ["Address", "Addresses", "parse_ip"]

_CACHE_LIMIT = 4096
_SLOTS = 128


class Address(NamedTuple):
    """A row: `ip` in its normal form or the domain name, `mask` in bits (-1: a domain), `tag` None without one."""

    group: int
    ip: str
    mask: int
    port: int
    tag: str | None


def parse_ip(text: str) -> tuple[int, int] | None:
    """(4 or 6, the address as a number), None when `text` is no IP address. IPv6 may stand in brackets."""
    parts = text.split(".")
    if len(parts) == 4:
        number = 0
        for part in parts:
            if not (part.isascii() and part.isdigit() and len(part) <= 3):
                break
            octet = int(part)
            if octet > 255:
                break
            number = number << 8 | octet
        else:
            return 4, number
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if ":" not in text or "%" in text:
        return None
    try:
        return 6, int(ipaddress.IPv6Address(text))
    except ValueError:
        return None


def _row(row: tuple[object, ...], table: str) -> tuple[Address, tuple[int, int] | None]:
    ident, group, ip, mask, port, tag = row
    where = f"table {table}, row {ident}: "
    if not isinstance(group, int) or group < 1:
        raise StoreError(f"{where}grp is {group!r}, expected a number from 1; correct the row and reload")
    if not isinstance(ip, str):
        raise StoreError(f"{where}ip_addr is {ip!r}, expected text; correct the row and reload")
    if not isinstance(port, int):
        raise StoreError(f"{where}port is {port!r}, expected a number; correct the row and reload")
    parsed = parse_ip(ip)
    bits = 128 if parsed is None or parsed[0] == 6 else 32
    if not isinstance(mask, int) or not 0 <= mask <= bits:
        raise StoreError(f"{where}mask is {mask!r}, expected 0 to {bits} for {ip}; correct the row and reload")
    tag = str(tag) if tag not in (None, "") else None
    if parsed is None:
        return Address(group, ip, -1, port, tag), None
    name = str(ipaddress.IPv4Address(parsed[1]) if bits == 32 else ipaddress.IPv6Address(parsed[1]))
    return Address(group, name, mask or bits, port, tag), parsed


class Addresses:
    """The address list. `reload()` reads the table; a row that cannot be used refuses the whole table, as in Kamailio,
    and the list in force stays."""

    __slots__ = ("_cache", "_domains", "_exact", "_subnets", "db", "table")

    def __init__(self, db: Database, table: str = "address") -> None:
        db.check(table, like="address")
        self.db = db
        self.table = table
        self._exact: dict[tuple[int, int], list[Address]] = {}
        self._subnets: list[tuple[int, int, int, Address]] = []
        self._domains: dict[str, list[Address]] = {}
        self._cache: dict[str, tuple[int, int] | None] = {}

    def reload(self) -> int:
        """Read the table; the number of rows. Raises StoreError, DatabaseError and changes nothing then."""
        exact: dict[tuple[int, int], list[Address]] = {}
        domains: dict[str, list[Address]] = {}
        subnets: list[tuple[int, int, int, Address]] = []
        rows = self.db.query(f'SELECT id, grp, ip_addr, mask, port, tag FROM "{self.table}" ORDER BY id')
        for row in rows:
            address, parsed = _row(row, self.table)
            if parsed is None:
                if address.ip:
                    domains.setdefault(address.ip, []).insert(0, address)
                continue
            version, number = parsed
            shift = (32 if version == 4 else 128) - address.mask
            if shift:
                subnets.append((version, number >> shift, shift, address))
            else:
                exact.setdefault(parsed, []).insert(0, address)
        subnets.sort(key=lambda subnet: subnet[3].group)
        self._exact, self._subnets, self._domains = exact, subnets, domains
        return len(rows)

    def match(self, group: int, ip: str, port: int) -> Address | None:
        """The row that allow_address(group, ip, port) finds; allow_source_address is this with the source."""
        return self._find(ip, port, group)

    def find_group(self, ip: str, port: int) -> Address | None:
        """The row of any group that allow_address_group finds; its `group` is Kamailio's return value.

        Kamailio sets no peer tag for a domain row here, though it does for `match`.
        """
        return self._find(ip, port, None)

    def _find(self, ip: str, port: int, group: int | None) -> Address | None:
        try:
            parsed = self._cache[ip]
        except KeyError:
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            parsed = self._cache[ip] = parse_ip(ip)
        if parsed is None:
            candidates = self._domains.get(ip, ())
        else:
            candidates = self._exact.get(parsed, ())
        for address in candidates:
            if (group is None or address.group == group) and address.port in (0, port):
                return address
        if parsed is not None and self._subnets:
            version, number = parsed
            for row_version, prefix, shift, address in self._subnets:
                if (
                    row_version == version
                    and (group is None or address.group == group)
                    and number >> shift == prefix
                    and address.port in (0, port)
                ):
                    return address
        return None

    def address_dump(self) -> list[dict[str, object]]:
        """`permissions.addressDump`. `table` is a slot of Kamailio's hash."""
        return self._hashed("ip", [address for found in self._exact.values() for address in found])

    def domain_dump(self) -> list[dict[str, object]]:
        """`permissions.domainDump`."""
        return self._hashed("domain_name", [address for found in self._domains.values() for address in found])

    def subnet_dump(self) -> list[dict[str, object]]:
        """`permissions.subnetDump`."""
        return [
            {
                "id": index,
                "group": address.group,
                "item": {"ip": address.ip, "mask": address.mask, "port": address.port, "tag": address.tag or "NULL"},
            }
            for index, (_, _, _, address) in enumerate(self._subnets)
        ]

    @staticmethod
    def _hashed(key: str, found: list[Address]) -> list[dict[str, object]]:
        def slot(address: Address) -> int:
            parsed = parse_ip(address.ip)
            if parsed is None:
                return core_hash(address.ip) % _SLOTS
            return core_hash(parsed[1].to_bytes(4 if parsed[0] == 4 else 16, "big").decode("latin-1")) % _SLOTS

        slots = sorted(((slot(address), address) for address in found), key=lambda pair: pair[0])
        return [
            {"table": number, "group": a.group, "item": {key: a.ip, "port": a.port, "tag": a.tag or "NULL"}}
            for number, a in slots
        ]

    def fork(self) -> "Addresses":
        """A view for sandboxed runs: what is loaded now; its reload changes only itself."""
        forked = Addresses.__new__(Addresses)
        forked.db = self.db.fork()
        forked.table = self.table
        forked._exact, forked._subnets, forked._domains = self._exact, self._subnets, self._domains
        forked._cache = {}
        return forked
