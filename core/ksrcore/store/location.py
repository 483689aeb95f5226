"""The location table: Kamailio's usrloc. Contacts in memory by AoR, written through to SQL.

An AoR's contacts are a list that is never changed in place, of contacts that are never changed: an update makes new
ones. So whoever holds a list or a contact keeps what it saw, a transaction that fails puts the old lists back, and a
fork shares everything with its parent until it writes.

Order, as Kamailio's: a new contact comes before the first one with a smaller q (-1, not given, is the smallest). An
update leaves a contact where it is as long as its neighbours' q allow it, else it moves before the first one whose
q is not smaller, or to the end: a defect of Kamailio's that its forks show. With `desc_time_order` the last modified
comes first and q does not count.
"""

import heapq
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ksrcore.store.contact import COLUMNS, Contact, from_row, to_row
from ksrcore.store.database import Database
from ksrcore.store.errors import DatabaseError, StoreError

__all__ = ["CALLID_ONLY", "CONTACT_CALLID", "CONTACT_ONLY", "CONTACT_PATH", "ForkedLocation", "Location"]

MEMORY, WRITE_THROUGH, WRITE_BACK = 0, 1, 2
CONTACT_ONLY, CONTACT_CALLID, CONTACT_PATH, CALLID_ONLY = 0, 1, 2, 3


class Location:
    """The contacts of one location table.

    `db_mode`: 0 memory only; 1 write-through: the row is committed before memory changes, and a database error leaves
    both as they were; 2 write-back: `flush()`, called by a timer and before the end, writes what changed. `started`
    (unix seconds) and the process id make the ruids unique. Methods raise DatabaseError when the database refuses.
    """

    __slots__ = (
        "_aors",
        "_changed",
        "_stored",
        "_counter",
        "_delete_sql",
        "_due",
        "_gone",
        "_heap",
        "_insert_sql",
        "_owner",
        "_ruid_prefix",
        "_undo",
        "_update_sql",
        "db",
        "db_mode",
        "desc_time_order",
        "matching_mode",
        "table",
        "use_domain",
    )

    def __init__(
        self,
        db: Database | None,
        *,
        started: int,
        use_domain: bool = False,
        table: str = "location",
        db_mode: int = WRITE_THROUGH,
        matching_mode: int = CONTACT_ONLY,
        desc_time_order: bool = False,
    ) -> None:
        if db_mode == 3:
            raise StoreError("usrloc db_mode 3 (database only) is not available; use 1 (write-through), 2 or 0")
        if db_mode not in (MEMORY, WRITE_THROUGH, WRITE_BACK):
            raise StoreError(f"usrloc db_mode: expected 0, 1 or 2, got {db_mode!r}")
        if matching_mode not in (CONTACT_ONLY, CONTACT_CALLID, CONTACT_PATH, CALLID_ONLY):
            raise StoreError(f"usrloc matching_mode: expected 0 to 3, got {matching_mode!r}")
        if db_mode != MEMORY:
            if db is None:
                raise StoreError(f"usrloc db_mode {db_mode} needs a database; set db_url or db_mode 0")
            db.check(table, like="location")
        self.db = None if db_mode == MEMORY else db
        self.db_mode = db_mode
        self.table = table
        self.use_domain = use_domain
        self.matching_mode = matching_mode
        self.desc_time_order = desc_time_order
        self._aors: dict[str, list[Contact]] = {}
        self._owner: dict[str, str] = {}  # ruid -> AoR
        # One heap entry a contact is enough: when it comes up and the contact was refreshed, it goes in again.
        self._heap: list[tuple[int, str]] = []
        self._due: dict[str, int] = {}
        self._changed: set[str] = set()
        self._stored: set[str] = set()  # whose rows the table has, with `db_mode` 2
        self._gone: set[str] = set()
        self._undo: dict[str, list[Contact] | None] | None = None
        self._counter = 0
        self._ruid_prefix = f"uloc-{started:x}-{os.getpid():x}-"
        sets = ", ".join(f'"{name}" = ?' for name in COLUMNS[:-1])
        names = ", ".join(f'"{name}"' for name in COLUMNS)
        self._update_sql = f'UPDATE "{table}" SET {sets} WHERE ruid = ?'
        self._insert_sql = f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(COLUMNS))})'
        self._delete_sql = f'DELETE FROM "{table}" WHERE ruid = ?'

    def new_ruid(self) -> str:
        """A ruid for a new contact."""
        self._counter += 1
        return f"{self._ruid_prefix}{self._counter:x}"

    # reading

    def record(self, aor: str) -> list[Contact]:
        """All contacts of `aor` in order, expired ones that `expire` has not met yet too. Do not change the list."""
        return self._aors.get(aor, [])

    def get(self, aor: str, now_wall: float) -> list[Contact]:
        """The contacts of `aor` that are valid at unix time `now_wall`, in order; [] for none."""
        return [c for c in self.record(aor) if c.expires == 0 or c.expires > now_wall]

    def match(self, aor: str, contact: str, callid: str = "", path: str = "") -> Contact | None:
        """The contact that a registration of `contact` refreshes, by usrloc's `matching_mode`; text is compared as is.

        0: same contact; 1: same contact and Call-ID; 2: same contact and Path (any without one); 3: same Call-ID.
        """
        mode = self.matching_mode
        for c in self.record(aor):
            if mode == CALLID_ONLY:
                if c.callid == callid:
                    return c
            elif c.contact == contact and (
                mode == CONTACT_ONLY
                or (mode == CONTACT_CALLID and c.callid == callid)
                or (mode == CONTACT_PATH and (not path or c.path == path))
            ):
                return c
        return None

    def match_instance(self, aor: str, instance: str, reg_id: int) -> Contact | None:
        """The contact of a client's flow (RFC 5626 section 6): same instance and reg-id."""
        for c in self.record(aor):
            if c.instance == instance and c.reg_id == reg_id:
                return c
        return None

    def by_ruid(self, ruid: str) -> Contact | None:
        aor = self._owner_of(ruid)
        return None if aor is None else next((c for c in self.record(aor) if c.ruid == ruid), None)

    def all(self) -> Iterator[tuple[str, list[Contact]]]:
        """Every AoR with its contacts, in the order of first registration."""
        return iter(list(self._aors.items()))

    def counts(self) -> tuple[int, int]:
        """(AoRs, contacts)."""
        return len(self._aors), len(self._owner)

    def _owner_of(self, ruid: str) -> str | None:
        return self._owner.get(ruid)

    # writing

    def insert(self, contact: Contact) -> Contact:
        """Add a contact, whose ruid must be new."""
        if not contact.contact or not contact.ruid:
            raise StoreError(f"usrloc: a contact needs contact and ruid, got {contact!r}")
        if self._owner_of(contact.ruid) is not None:
            raise StoreError(f"usrloc: ruid {contact.ruid} is already in table {self.table}; use new_ruid()")
        if self.db_mode == WRITE_THROUGH:
            self._database().execute(self._insert_sql, to_row(contact, self.use_domain))
        self._put(contact.aor, self._placed(self.record(contact.aor), contact))
        self._note(contact)
        return contact

    def update(self, contact: Contact, /, **changes: Any) -> Contact:
        """Replace a stored contact by one with `changes` (not of aor and ruid) and return that."""
        if "aor" in changes or "ruid" in changes:
            raise StoreError("usrloc: an update cannot change aor or ruid; delete the contact and insert another")
        old = self.by_ruid(contact.ruid)
        if old is None:
            raise StoreError(f"usrloc: contact {contact.ruid} of {contact.aor} is not in table {self.table}")
        try:
            new = old.replace(**changes)
        except AttributeError:
            unknown = ", ".join(sorted(set(changes) - set(Contact.__slots__)))
            raise StoreError(f"usrloc: a contact has no {unknown}") from None
        if self.db_mode == WRITE_THROUGH:
            row = to_row(new, self.use_domain)
            if self._database().execute(self._update_sql, row) == 0:
                # Someone deleted the row; without it the contact would not survive a restart.
                self._database().execute(self._insert_sql, row)
        contacts = self.record(new.aor)
        self._put(new.aor, self._replaced(contacts, old, new))
        self._note(new)
        return new

    def delete(self, contact: Contact) -> bool:
        """Remove a contact; whether it was there."""
        return self._delete(contact.ruid)

    def delete_aor(self, aor: str) -> list[Contact]:
        """Remove an AoR with all its contacts, and return those."""
        gone = list(self.record(aor))
        if gone:
            with self.transaction():
                for contact in gone:
                    self._delete(contact.ruid)
        return gone

    def expire(self, now_wall: float) -> list[Contact]:
        """Remove and return the contacts that have expired at unix time `now_wall`."""
        gone: list[Contact] = []
        while self._heap and self._heap[0][0] <= now_wall:
            when, ruid = heapq.heappop(self._heap)
            if self._due.get(ruid) != when:
                continue
            contact = self.by_ruid(ruid)
            if contact is None or contact.expires == 0:
                del self._due[ruid]
            elif contact.expires <= now_wall:
                del self._due[ruid]
                gone.append(contact)
            else:
                self._due[ruid] = contact.expires
                heapq.heappush(self._heap, (contact.expires, ruid))
        if gone:
            try:
                with self.transaction():
                    for contact in gone:
                        self._delete(contact.ruid)
            except DatabaseError:
                for contact in gone:  # the next call tries them again
                    self._note(contact)
                raise
        return gone

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Writes of the block are committed together; when it raises, memory and database are as before.

        A REGISTER with several contacts costs one commit. In a block inside a block the outer one decides.
        """
        if self._undo is not None:
            yield
            return
        self._undo = {}
        changed, gone = set(self._changed), set(self._gone)
        try:
            if self.db_mode == WRITE_THROUGH:
                with self._database().transaction():
                    yield
            else:
                yield
        except BaseException:
            undo, self._undo = self._undo, None
            for aor, contacts in undo.items():
                self._put(aor, contacts)
                for contact in contacts or ():
                    self._note(contact)
            self._changed, self._gone = changed, gone
            raise
        finally:
            self._undo = None

    def _database(self) -> Database:
        if self.db is None:
            raise StoreError(f"usrloc: table {self.table} is kept in memory only")
        return self.db

    def _placed(self, contacts: list[Contact], new: Contact) -> list[Contact]:
        if self.desc_time_order:
            return [new, *contacts]
        place = next((n for n, c in enumerate(contacts) if c.q < new.q), len(contacts))
        return [*contacts[:place], new, *contacts[place:]]

    def _replaced(self, contacts: list[Contact], old: Contact, new: Contact) -> list[Contact]:
        at = contacts.index(old)
        rest = [*contacts[:at], *contacts[at + 1 :]]
        if self.desc_time_order:
            return [new, *rest]
        if (not at or new.q <= rest[at - 1].q) and (at == len(rest) or new.q >= rest[at].q):
            return [*rest[:at], new, *rest[at:]]
        place = next((n for n, c in enumerate(rest) if c.q >= new.q), len(rest))
        return [*rest[:place], new, *rest[place:]]

    def _put(self, aor: str, contacts: list[Contact] | None) -> None:
        """Make `contacts` the AoR's list (None or [] removes it) and keep the index of ruids right."""
        old = self._aors.get(aor)
        if self._undo is not None:
            self._undo.setdefault(aor, old)
        for contact in old or ():
            self._owner.pop(contact.ruid, None)
        if contacts:
            self._aors[aor] = contacts
            for contact in contacts:
                self._owner[contact.ruid] = aor
        else:
            self._aors.pop(aor, None)

    def _note(self, contact: Contact) -> None:
        """Remember when it expires and that its row is to be written back."""
        if contact.expires:
            due = self._due.get(contact.ruid)
            if due is None or contact.expires < due:
                self._due[contact.ruid] = contact.expires
                heapq.heappush(self._heap, (contact.expires, contact.ruid))
        if self.db_mode == WRITE_BACK:
            self._changed.add(contact.ruid)
            self._gone.discard(contact.ruid)

    def _delete(self, ruid: str) -> bool:
        aor = self._owner_of(ruid)
        if aor is None:
            return False
        if self.db_mode == WRITE_THROUGH:
            self._database().execute(self._delete_sql, (ruid,))
        elif self.db_mode == WRITE_BACK:
            self._changed.discard(ruid)
            self._stored.discard(ruid)
            self._gone.add(ruid)
        self._due.pop(ruid, None)
        self._put(aor, [c for c in self.record(aor) if c.ruid != ruid])
        return True

    # the database

    def load(self, now_wall: float) -> list[str]:
        """Read the table at the start, in place of what is in memory; lines for the log about rows left out.

        Expired rows are left out and deleted, as Kamailio's timer does. Rows that cannot be used are left out and stay.
        """
        problems: list[str] = []
        expired: list[str] = []
        self._aors, self._owner, self._heap, self._due = {}, {}, [], {}
        self._changed, self._gone = set(), set()
        if self.db is None:
            return problems
        names = ", ".join(f'"{name}"' for name in COLUMNS)
        for ident, *row in self.db.query(f'SELECT id, {names} FROM "{self.table}" ORDER BY id'):
            try:
                contact = from_row(tuple(row), self.use_domain)
            except (ValueError, OverflowError) as error:
                problems.append(f"table {self.table}, row {ident} is left out: {error}")
                continue
            if not contact.valid(now_wall):
                expired.append(contact.ruid)
                continue
            self._put(contact.aor, self._placed(self.record(contact.aor), contact))
            self._note(contact)
        self._stored, self._changed = self._changed, set()
        if expired:
            with self.db.transaction():
                for ruid in expired:
                    self.db.execute(self._delete_sql, (ruid,))
        return problems

    def flush(self) -> int:
        """Write back what changed since the last time (`db_mode` 2), in one transaction; the number of rows."""
        if self.db_mode != WRITE_BACK or not (self._changed or self._gone):
            return 0
        db = self._database()
        written = len(self._changed) + len(self._gone)
        with db.transaction():
            for ruid in self._gone:
                db.execute(self._delete_sql, (ruid,))
            for ruid in self._changed:
                contact = self.by_ruid(ruid)
                if contact is not None:
                    row = to_row(contact, self.use_domain)
                    if db.execute(self._update_sql, row) == 0:
                        db.execute(self._insert_sql, row)
        self._stored |= self._changed
        self._changed, self._gone = set(), set()
        return written

    def state(self, ruid: str) -> str:
        """Kamailio's word for how a contact and its row compare: CS_NEW no row, CS_DIRTY another one, CS_SYNC."""
        if self.db_mode == WRITE_BACK and ruid in self._changed:
            return "CS_DIRTY" if ruid in self._stored else "CS_NEW"
        return "CS_NEW" if self.db_mode == MEMORY else "CS_SYNC"

    def fork(self) -> "ForkedLocation":
        """A copy-on-write view for sandboxed runs: see ForkedLocation."""
        return ForkedLocation(self)


class ForkedLocation(Location):
    """Reads what the parent has now, until it writes an AoR: then that AoR is its own.

    Its writes touch neither the parent's memory nor the database. Its ruids go on from the parent's, so that a
    sandboxed registration shows what a live one would have stored. One that was forked itself keeps what its forks
    read: they see the same, whatever becomes of the live contacts.
    """

    __slots__ = ("_parent", "_forked")

    def __init__(self, parent: Location) -> None:
        super().__init__(
            None,
            started=0,
            use_domain=parent.use_domain,
            table=parent.table,
            db_mode=MEMORY,
            matching_mode=parent.matching_mode,
            desc_time_order=parent.desc_time_order,
        )
        self._ruid_prefix = parent._ruid_prefix
        self._counter = parent._counter
        self._parent = parent
        self._forked = False

    def fork(self) -> "ForkedLocation":
        self._forked = True
        return super().fork()

    def new_ruid(self) -> str:
        # The parent goes on registering, so the numbers after the fork may be taken there.
        while self._owner_of(ruid := super().new_ruid()) is not None:
            pass
        return ruid

    def state(self, ruid: str) -> str:
        return self._parent.state(ruid) if self._parent._owner_of(ruid) is not None else "CS_NEW"

    def record(self, aor: str) -> list[Contact]:
        own = self._aors.get(aor)
        if own is None:
            own = self._parent.record(aor)
            if self._forked:
                own = self._aors[aor] = list(own)
        return own

    def _put(self, aor: str, contacts: list[Contact] | None) -> None:
        # An emptied AoR stays as [], or the parent's would show through; only undoing a first write removes it.
        if self._undo is not None:
            self._undo.setdefault(aor, self._aors.get(aor))
        if contacts is None:
            self._aors.pop(aor, None)
        else:
            self._aors[aor] = contacts

    def _owner_of(self, ruid: str) -> str | None:
        for aor, contacts in self._aors.items():
            if any(c.ruid == ruid for c in contacts):
                return aor
        aor_there = self._parent._owner_of(ruid)
        return None if aor_there is None or aor_there in self._aors else aor_there

    def all(self) -> Iterator[tuple[str, list[Contact]]]:
        seen: list[tuple[str, list[Contact]]] = []
        for aor, contacts in self._parent.all():
            seen.append((aor, self._aors.get(aor, contacts)))
        known = {aor for aor, _ in seen}
        seen.extend((aor, contacts) for aor, contacts in self._aors.items() if aor not in known)
        return iter([(aor, contacts) for aor, contacts in seen if contacts])

    def counts(self) -> tuple[int, int]:
        lists = [contacts for _, contacts in self.all()]
        return len(lists), sum(map(len, lists))

    def expire(self, now_wall: float) -> list[Contact]:
        gone = [c for _, contacts in self.all() for c in contacts if not c.valid(now_wall)]
        for contact in gone:
            self._delete(contact.ruid)
        return gone

    def load(self, now_wall: float) -> list[str]:
        """Forget the writes of this fork."""
        self._aors = {}
        return []
