"""A registered contact, and its row in `location`."""

from dataclasses import dataclass
from typing import Any

from ksrcore.store.database import Value
from ksrcore.store.stamps import from_column, to_column

__all__ = ["ALL_METHODS", "COLUMNS", "Contact", "from_row", "to_row"]

ALL_METHODS = 0xFFFFFFFF
"""`methods` of a contact that did not say which methods it takes; NULL in the table."""


@dataclass(slots=True, eq=False)
class Contact:
    """One binding of an AoR. Treat it as a value: once stored it never changes, an update stores another one."""

    aor: str
    """`user`, or `user@domain` with `use_domain`."""
    ruid: str
    """Unique among all servers' contacts."""
    contact: str
    """The URI, without angle brackets."""
    expires: int = 0
    """Unix seconds; 0 means never."""
    q: int = -1
    """Thousandths, -1 when not given."""
    callid: str = ""
    cseq: int = 0
    received: str = ""
    """URI of the address the REGISTER came from, when it differs; "" otherwise."""
    path: str = ""
    """The Path header's value, "" without."""
    flags: int = 0
    cflags: int = 0
    user_agent: str = ""
    socket: str = ""
    """`proto:ip:port` of the local socket."""
    methods: int = ALL_METHODS
    """Bit mask of the methods it takes."""
    instance: str = ""
    """`+sip.instance` with its angle brackets, "" without."""
    reg_id: int = 0
    server_id: int = 0
    connection_id: int = -1
    """Of a stream connection, -1 for UDP."""
    keepalive: int = 0
    last_modified: int = 0
    """Unix seconds."""
    partition: int = 0

    def valid(self, now: float) -> bool:
        """Whether it has not expired at unix time `now`."""
        return self.expires == 0 or self.expires > now

    def replace(self, **changes: Any) -> "Contact":
        """A copy with other values; an unknown name raises AttributeError."""
        new = Contact.__new__(Contact)
        for name in _SLOTS:
            setattr(new, name, getattr(self, name))
        for name, value in changes.items():
            setattr(new, name, value)
        return new


_SLOTS: tuple[str, ...] = tuple(Contact.__slots__)

COLUMNS = (
    "username",
    "domain",
    "contact",
    "received",
    "path",
    "expires",
    "q",
    "callid",
    "cseq",
    "last_modified",
    "flags",
    "cflags",
    "user_agent",
    "socket",
    "methods",
    "instance",
    "reg_id",
    "server_id",
    "connection_id",
    "keepalive",
    "partition",
    "ruid",
)
"""The columns of `to_row` and `from_row`, `ruid` last so that an UPDATE can end with it."""


def to_row(c: Contact, use_domain: bool) -> tuple[Value, ...]:
    """The values of `COLUMNS`. Text that is not there becomes NULL where Kamailio writes NULL."""
    username: str = c.aor
    domain: str | None = None
    if use_domain:
        head, at, tail = c.aor.rpartition("@")
        if at:
            username, domain = head, tail
    return (
        username,
        domain,
        c.contact,
        c.received or None,
        c.path or None,
        to_column(c.expires),
        c.q / 1000.0 if c.q >= 0 else -1.0,
        c.callid,
        c.cseq,
        to_column(c.last_modified),
        c.flags,
        c.cflags,
        c.user_agent,
        c.socket or None,
        None if c.methods == ALL_METHODS else c.methods,
        c.instance or None,
        c.reg_id,
        c.server_id,
        c.connection_id,
        c.keepalive,
        c.partition,
        c.ruid,
    )


def _integer(value: object, column: str) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{column} is {value!r}, expected a number")
    return value


def from_row(row: tuple[Any, ...], use_domain: bool) -> Contact:
    """The contact of a row of `COLUMNS`. Raises ValueError that names what is wrong with it."""
    cell = dict(zip(COLUMNS, row, strict=True))
    for name in ("username", "contact", "ruid"):
        if not isinstance(cell[name], str) or not cell[name]:
            raise ValueError(f"{name} is {cell[name]!r}, expected text")
    q = cell["q"]
    if not isinstance(q, int | float):
        raise ValueError(f"q is {q!r}, expected a number")
    methods = cell["methods"]
    return Contact(
        aor=f"{cell['username']}@{cell['domain']}" if use_domain and cell["domain"] else cell["username"],
        ruid=cell["ruid"],
        contact=cell["contact"],
        expires=from_column(cell["expires"]),
        q=round(q * 1000) if q >= 0 else -1,
        callid=str(cell["callid"]),
        cseq=_integer(cell["cseq"], "cseq"),
        received=str(cell["received"] or ""),
        path=str(cell["path"] or ""),
        flags=_integer(cell["flags"], "flags"),
        cflags=_integer(cell["cflags"], "cflags"),
        user_agent=str(cell["user_agent"]),
        socket=str(cell["socket"] or ""),
        methods=ALL_METHODS if methods is None else _integer(methods, "methods") & ALL_METHODS,
        instance=str(cell["instance"] or ""),
        reg_id=_integer(cell["reg_id"], "reg_id"),
        server_id=_integer(cell["server_id"], "server_id"),
        connection_id=_integer(cell["connection_id"], "connection_id"),
        keepalive=_integer(cell["keepalive"], "keepalive"),
        last_modified=from_column(cell["last_modified"]),
        partition=_integer(cell["partition"], "partition"),
    )
