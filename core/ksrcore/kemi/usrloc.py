"""Kamailio's usrloc: the contacts of registered users, their expiry and the ``ul.*`` commands.

It exports no functions; ``registrar`` works on its tables. ``db_mode`` is 1 here where Kamailio's default is 0: a
contact is in the database before its 200 leaves, and survives the end of the process. Without a database and without
``db_mode`` contacts are kept in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from ..corehash import core_hash
from ..store.contact import Contact
from ..store.database import Database
from ..store.errors import StoreError
from ..store.location import MEMORY, Location
from .dbparam import module_database
from .declare import Module, Param, ParamError, RpcError, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy

__all__ = ["Usrloc", "aor_hash", "reversed_hex"]

log = logging.getLogger("ksrcore.usrloc")

_COLUMNS = (
    "user", "domain", "contact", "expires", "q", "callid", "cseq", "methods", "flags", "cflags", "user_agent",
    "received", "socket", "path", "ruid", "instance", "reg_id", "server_id", "connection_id", "keepalive", "partition",
)  # fmt: skip
#: Parameters that have one value here: asking for another is an error, not silence.
_FIXED = {
    **{f"{name}_column": "username" if name == "user" else name for name in _COLUMNS},
    "ka_mode": 0,
    "ka_filter": 0,
    "ka_timeout": 0,
    "handle_lost_tcp": 0,
    "close_expired_tcp": 0,
    "db_clean_tcp": 0,
    "skip_remote_socket": 0,
    "server_id_filter": 0,
    "expires_type": 0,
    "xavp_contact": "",
}
_RPC_CALLID = "dfjrewr12386fd6-343@kamailio.rpc"
_RPC_AGENT = "kamailio SIP Router - RPC Server"


def aor_hash(aor: str) -> int:
    """Kamailio's hash of an AoR: ``ul.dump`` shows it and temporary GRUUs end with it."""
    return core_hash(aor)


def reversed_hex(number: int) -> str:
    """Hexadecimal with the last digit first, as Kamailio writes numbers into its ids."""
    return f"{number:x}"[::-1]


class Usrloc(Module):
    """Owns the location tables."""

    name = "usrloc"

    nat_bflag = Param(-1, "branch flag of contacts behind NAT, -1 for none: int")
    user_column = Param("username", "only its default: str")
    domain_column = Param("domain", "only its default: str")
    contact_column = Param("contact", "only its default: str")
    expires_column = Param("expires", "only its default: str")
    q_column = Param("q", "only its default: str")
    callid_column = Param("callid", "only its default: str")
    cseq_column = Param("cseq", "only its default: str")
    methods_column = Param("methods", "only its default: str")
    flags_column = Param("flags", "only its default: str")
    cflags_column = Param("cflags", "only its default: str")
    user_agent_column = Param("user_agent", "only its default: str")
    received_column = Param("received", "only its default: str")
    socket_column = Param("socket", "only its default: str")
    path_column = Param("path", "only its default: str")
    ruid_column = Param("ruid", "only its default: str")
    instance_column = Param("instance", "only its default: str")
    reg_id_column = Param("reg_id", "only its default: str")
    server_id_column = Param("server_id", "only its default: str")
    connection_id_column = Param("connection_id", "only its default: str")
    keepalive_column = Param("keepalive", "only its default: str")
    partition_column = Param("partition", "only its default: str")
    use_domain = Param(0, "1: an AoR is user@domain, 0: the user alone: int")
    desc_time_order = Param(0, "1: contacts in order of time, newest first; 0: by q: int")
    timer_interval = Param(60, "seconds between the runs that remove expired contacts: int")
    db_url = Param("", "the database; '' for the proxy's: str")
    db_mode = Param(1, "0 memory only, 1 write through, 2 write back by the timer: int (Kamailio's default: 0)")
    db_load = Param(1, "1: read the tables at the start: int")
    db_insert_update = Param(0, "no effect: an insert that finds its ruid taken is an error here: int")
    matching_mode = Param(0, "what makes a contact known: 0 its URI, 1 with Call-ID, 2 with Path, 3 Call-ID alone: int")
    cseq_delay = Param(20, "seconds in which the same Call-ID and CSeq are a retransmission: int")
    fetch_rows = Param(2000, "no effect: SQLite hands rows over one by one: int")
    hash_size = Param(10, "log2 of the slots that ul.dump shows; no effect else: int")
    preload = Param("", "a further location table beside 'location': str", multi=True)
    db_update_as_insert = Param(0, "no effect: a contact has one row: int")
    db_check_update = Param(0, "no effect: an update that finds no row inserts it, always: int")
    timer_procs = Param(0, "no effect: the loop runs the timers: int")
    xavp_contact = Param("", "only its default: str")
    db_ops_ruid = Param(1, "no effect: rows are found by ruid, always: int")
    handle_lost_tcp = Param(0, "only its default: int")
    close_expired_tcp = Param(0, "only its default: int")
    expires_type = Param(0, "only its default, dates: int")
    db_raw_fetch_type = Param(0, "no effect: a setting for MySQL: int")
    db_insert_null = Param(0, "no effect: absent values are stored as NULL: int")
    skip_remote_socket = Param(0, "only its default: int")
    db_timer_clean = Param(0, "no effect: expired rows are deleted with their contacts: int")
    rm_expired_delay = Param(0, "seconds to keep expired contacts: int")
    server_id_filter = Param(0, "only its default: int")
    version_table = Param(1, "no effect: table versions are checked when the database is opened: int")
    ka_mode = Param(0, "only its default, no keepalive: int")
    ka_method = Param("OPTIONS", "no effect without ka_mode: str")
    ka_from = Param("sip:server@kamailio.org", "no effect without ka_mode: str")
    ka_domain = Param("kamailio.org", "no effect without ka_mode: str")
    ka_filter = Param(0, "only its default: int")
    ka_timeout = Param(0, "only its default: int")
    ka_loglevel = Param(255, "no effect without ka_mode: int")
    ka_logmsg = Param(" to-uri: [$tu] remote-addr: [$sas]", "no effect without ka_mode: str")
    load_rank = Param(1, "no effect: there is one process: int")
    db_clean_tcp = Param(0, "only its default: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.tables: dict[str, Location] = {}
        #: Called with (table, contact) for each contact that expired.
        self.on_expired: list[Callable[[str, Contact], None]] = []
        self._mode_given = False
        self._db: Database | None = None

    def set_param(self, name: str, value: int | str) -> None:
        super().set_param(name, value)
        if name == "db_mode":
            self._mode_given = True

    def start(self) -> None:
        for name, only in _FIXED.items():
            if getattr(self, name) != only:
                raise ParamError(
                    f"modparam usrloc:{name} can only be {only!r} here, got {getattr(self, name)!r}; leave it out"
                )
        if not 0 <= self.nat_bflag < 32:
            self.nat_bflag = -1
        if self.timer_interval < 1:
            raise ParamError(f"modparam usrloc:timer_interval expects seconds from 1, got {self.timer_interval}")
        self._db = module_database(self.proxy, self.db_url)
        if self._db is None and not self._mode_given:
            self.db_mode = MEMORY
        now = self.proxy.wall()
        names = ["location", *(part.strip() for text in self.preload for part in text.split(",") if part.strip())]
        for name in dict.fromkeys(names):
            table = self.tables[name] = Location(
                self._db,
                started=int(now),
                use_domain=bool(self.use_domain),
                table=name,
                db_mode=self.db_mode,
                matching_mode=self.matching_mode,
                desc_time_order=bool(self.desc_time_order),
            )
            if self.db_load:
                for problem in table.load(now):
                    log.warning("%s", problem)
            self.proxy.counters[f"usrloc:{name}_expires"] = 0
            self.count(table)
        self.proxy.after(self.timer_interval, self.clean, every=self.timer_interval)

    def stop(self) -> None:
        for table in self.tables.values():
            try:
                table.flush()
            except StoreError as error:
                log.error("usrloc: contacts of table %s are not written: %s", table.table, error)
        if self._db is not None and self._db is not self.proxy.db:
            self._db.close()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.tables = {name: table.fork() for name, table in self.tables.items()}
        new.on_expired = []
        return new

    # -- for registrar ----------------------------------------------------------------------------------------------

    def table(self, name: str) -> Location | None:
        """The location table of that name, None when there is none (``preload`` adds one)."""
        return self.tables.get(name)

    def count(self, table: Location) -> None:
        """Bring the statistics of a table up to date."""
        proxy = self.proxy
        if proxy.sandbox:
            return
        users, contacts = table.counts()
        counters = proxy.counters
        counters[f"usrloc:{table.table}_users"] = users
        counters[f"usrloc:{table.table}_contacts"] = contacts
        if len(self.tables) > 1:
            users = sum(other.counts()[0] for other in self.tables.values())
        counters["usrloc:registered_users"] = users

    def clean(self) -> None:
        """The timer: remove what has expired, write back what changed (``db_mode`` 2)."""
        now = self.proxy.wall() - self.rm_expired_delay
        for name, table in self.tables.items():
            try:
                gone = table.expire(now)
                table.flush()
            except StoreError as error:
                log.error("usrloc: table %s is cleaned the next time: %s", name, error)
                continue
            if gone:
                self.proxy.count(f"usrloc:{name}_expires", len(gone))
                self.count(table)
                for contact in gone:
                    for callback in self.on_expired:
                        callback(name, contact)

    # -- RPC --------------------------------------------------------------------------------------------------------

    def _rpc_table(self, params: list[Any], least: int, what: str) -> tuple[Location, list[str]]:
        if len(params) < least:
            raise RpcError(500, f"Not enough parameters ({what})")
        table = self.tables.get(str(params[0]))
        if table is None:
            raise RpcError(500, "Domain table not found")
        return table, [self._aor(str(params[1]))] if least > 1 else []

    def _aor(self, text: str) -> str:
        """An AoR as commands are given it: without its domain when domains do not count."""
        if not self.use_domain:
            return text.partition("@")[0]
        if "@" not in text:
            raise RpcError(500, "Domain missing in AOR")
        return text

    def _shown(self, table: Location, contact: Contact, now: float) -> dict[str, Any]:
        q: float = contact.q / 1000 if contact.q % 1000 else contact.q // 1000
        expires: Any = "permanent"
        if contact.expires:
            expires = contact.expires - int(now) if contact.expires > now else "expired"
        return {
            "Contact": {
                "Address": contact.contact,
                "Expires": expires,
                "Q": -1 if contact.q < 0 else q,
                "Call-ID": contact.callid,
                "CSeq": contact.cseq,
                "User-Agent": contact.user_agent or "[not set]",
                "Received": contact.received or "[not set]",
                "Path": contact.path or "[not set]",
                "State": table.state(contact.ruid),
                "Flags": contact.flags,
                "CFlags": contact.cflags,
                "Socket": contact.socket or "[not set]",
                "Methods": contact.methods,
                "Ruid": contact.ruid,
                "Instance": contact.instance or "[not set]",
                "Reg-Id": contact.reg_id,
                "Server-Id": contact.server_id,
                "Tcpconn-Id": contact.connection_id,
                "Keepalive": contact.keepalive,
                "Last-Keepalive": contact.last_modified or int(now),
                "KA-Roundtrip": 0,
                "Last-Modified": contact.last_modified,
            }
        }

    @rpc("ul.dump")
    def rpc_dump(self, params: list[Any]) -> dict[str, Any]:
        """All tables with their AoRs and contacts; with the parameter "brief" without the contacts."""
        brief = bool(params) and str(params[0]) == "brief"
        now = self.proxy.wall()
        size = 1 << self.hash_size
        domains = []
        for name, table in reversed(self.tables.items()):  # Kamailio puts new ones first
            aors: list[dict[str, Any]] = []
            slots: dict[int, int] = {}
            for aor, contacts in table.all():
                number = aor_hash(aor)
                slots[number % size] = slots.get(number % size, 0) + 1
                if brief:
                    aors.append({"AoR": aor})
                else:
                    shown = [self._shown(table, contact, now) for contact in contacts]
                    aors.append({"Info": {"AoR": aor, "HashID": number, "Contacts": shown}})
            stats = {"Records": len(aors), "Max-Slots": max(slots.values(), default=0)}
            domains.append({"Domain": {"Domain": name, "Size": size, "AoRs": aors, "Stats": stats}})
        return {"Domains": domains}

    @rpc("ul.lookup")
    def rpc_lookup(self, params: list[Any]) -> dict[str, Any]:
        """Table, AoR: its contacts."""
        table, (aor,) = self._rpc_table(params, 2, "table and AOR to lookup")
        contacts = table.record(aor)
        if not contacts:
            raise RpcError(500, "AOR not found in location table")
        now = self.proxy.wall()
        return {"AoR": aor, "Contacts": [self._shown(table, contact, now) for contact in contacts]}

    @rpc("ul.rm")
    def rpc_rm(self, params: list[Any]) -> dict[str, Any]:
        """Table, AoR: remove it with all its contacts."""
        table, (aor,) = self._rpc_table(params, 2, "table and AOR to lookup")
        self._do(lambda: table.delete_aor(aor))
        self.count(table)
        return {}

    @rpc("ul.rm_contact")
    def rpc_rm_contact(self, params: list[Any]) -> dict[str, Any]:
        """Table, AoR, contact URI: remove one contact."""
        table, (aor,) = self._rpc_table(params, 3, "table, AOR and contact")
        contacts = table.record(aor)
        if not contacts:
            raise RpcError(404, "AOR not found")
        found = next((c for c in contacts if c.contact == str(params[2])), None)
        if found is None:
            raise RpcError(404, "Contact not found")
        self._do(lambda: table.delete(found))
        self.count(table)
        return {}

    @rpc("ul.add")
    def rpc_add(self, params: list[Any]) -> dict[str, Any]:
        """Table, AoR, contact URI, expires (0 never), q, path, flags, branch flags, methods: add a contact."""
        kinds: tuple[tuple[type, ...], ...] = (
            (str,), (str,), (str,), (int,), (int, float), (str,), (int,), (int,), (int,),
        )  # fmt: skip
        if len(params) < 9 or not all(isinstance(p, kind) for p, kind in zip(params, kinds, strict=False)):
            raise RpcError(500, "Not enough parameters or wrong format")
        _, _, uri, expires, q, path, flags, cflags, methods = params[:9]
        path = "" if path == "." else path  # kamctl has no empty parameter
        table, (aor,) = self._rpc_table(params, 2, "table and AOR to lookup")
        found = table.match(aor, uri, _RPC_CALLID, path)
        contact = Contact(
            aor=aor,
            ruid=found.ruid if found is not None else table.new_ruid().replace("uloc-", "ulcx-", 1),
            contact=uri,
            expires=int(self.proxy.wall()) + expires if expires else 0,
            q=round(q * 1000) if q >= 0 else -1,
            callid=_RPC_CALLID,
            cseq=1,
            path=path,
            flags=flags,
            cflags=cflags,
            user_agent=_RPC_AGENT,
            methods=methods,
        )
        if found is None:
            self._do(lambda: table.insert(contact))
        else:
            values = {
                n: getattr(contact, n) for n in ("expires", "q", "path", "flags", "cflags", "methods", "user_agent")
            }
            self._do(lambda: table.update(contact, **values))
        self.count(table)
        return {}

    @rpc("ul.flush")
    def rpc_flush(self, params: list[Any]) -> dict[str, Any]:
        """Write back what changed now (db_mode 2)."""
        for table in self.tables.values():
            self._do(table.flush)
        return {}

    @rpc("ul.db_users")
    def rpc_db_users(self, params: list[Any]) -> int:
        """Table: how many AoRs have a valid contact in the database."""
        return self._rows(params, "count(DISTINCT username || '@' || coalesce(domain, ''))", ">")

    @rpc("ul.db_contacts")
    def rpc_db_contacts(self, params: list[Any]) -> int:
        """Table: how many valid contacts are in the database."""
        return self._rows(params, "count(*)", ">")

    @rpc("ul.db_expired_contacts")
    def rpc_db_expired(self, params: list[Any]) -> int:
        """Table: how many expired contacts are in the database."""
        return self._rows(params, "count(*)", "<=")

    def _rows(self, params: list[Any], what: str, compare: str) -> int:
        if self.db_mode == MEMORY:
            raise RpcError(500, "Command is not supported in db_mode=0")
        if not params:
            raise RpcError(500, "Not enough parameters (table to lookup)")
        table = self.tables.get(str(params[0]))
        if table is None or table.db is None:
            raise RpcError(500, "Failed to use table")
        # Dates are Julian days; the epoch's is 2440587.5, and a contact without expiry has just that.
        now = self.proxy.wall() / 86400.0 + 2440587.5
        never = "OR expires = 2440587.5" if compare == ">" else "AND expires <> 2440587.5"
        db = table.db
        sql = f'SELECT {what} FROM "{table.table}" WHERE expires {compare} ? {never}'
        rows: list[tuple[Any, ...]] = self._do(lambda: db.query(sql, (now,)))
        return int(rows[0][0])

    @staticmethod
    def _do(work: Callable[[], Any]) -> Any:
        try:
            return work()
        except StoreError as error:
            raise RpcError(500, str(error)) from None
