"""Setting up what a proxy knows: contacts, hash tables, shared variables, subscribers, addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from typing import TYPE_CHECKING

from ksrcore.kemi.facade import from_wire, to_wire
from ksrcore.kemi.permissions import Permissions
from ksrcore.kemi.registrar_common import METHOD_BITS
from ksrcore.store.contact import Contact
from ksrcore.store.errors import StoreError
from ksrcore.store.location import Location
from ksrcore.store.subscribers import Subscribers

from .errors import UsageError

if TYPE_CHECKING:
    from ksrcore.kemi.htable_table import Table
    from ksrcore.proxy import Proxy

__all__ = ["Contacts", "Htable", "Htables", "Shared", "add_address", "add_subscriber"]

__tracebackhide__ = True


class Contacts:
    """``ksr.location``: the contacts of registered users, by AoR."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def _table(self, name: str) -> Location:
        usrloc = self._proxy.modules.usrloc
        found = usrloc.table(name)
        if found is None:
            raise UsageError(
                f"there is no location table {name!r}, only {', '.join(usrloc.tables)}; "
                f'modparams=["usrloc:preload={name}"] adds it'
            )
        return found

    def _aor(self, aor: str) -> str:
        text = aor.partition(":")[2] if aor.lower().startswith(("sip:", "sips:")) else aor
        if not text:
            raise UsageError(f"an AoR such as alice or alice@example.com was expected, got {aor!r}")
        return to_wire(text if self._proxy.modules.usrloc.use_domain else text.partition("@")[0])

    def add(
        self,
        aor: str,
        contact: str,
        *,
        q: float | None = None,
        expires: int = 3600,
        flags: Iterable[int] | int = (),
        received: str = "",
        path: str = "",
        socket: str = "",
        user_agent: str = "test",
        call_id: str = "",
        instance: str = "",
        reg_id: int = 0,
        methods: Iterable[str] | None = None,
        table: str = "location",
    ) -> Contact:
        """A contact as a REGISTER would have left it.

        ``aor``: ``alice`` or ``alice@example.com`` (the domain counts with usrloc:use_domain only). ``q`` from 0 to 1.
        ``expires``: in how many seconds, 0 never. ``flags``: the numbers of the branch flags that lookup() sets, or
        one number. ``received``: the URI of the address it came from. ``socket``: ``udp:127.0.0.1:5060``.
        """
        if ":" not in contact or any(char in contact for char in "<> \r\n"):
            raise UsageError(f"a contact is a URI such as sip:alice@10.0.0.5:5060, got {contact!r}")
        if q is not None and not 0 <= q <= 1:
            raise UsageError(f"q is a number from 0 to 1, got {q!r}")
        if isinstance(flags, int):
            flags = (flags,)
        mask = 0
        for flag in flags:
            if not 0 <= flag <= 31:
                raise UsageError(f"a branch flag is a number from 0 to 31, got {flag!r}")
            mask |= 1 << flag
        location = self._table(table)
        now = int(self._proxy.wall())
        new = Contact(
            aor=self._aor(aor),
            ruid=location.new_ruid(),
            contact=to_wire(contact),
            expires=now + expires if expires else 0,
            q=-1 if q is None else round(q * 1000),
            callid=call_id or f"registered-{location.counts()[1] + 1}@test",
            cseq=1,
            received=received,
            path=path,
            cflags=mask,
            user_agent=user_agent,
            socket=socket or self._proxy.listens[0].text,
            instance=instance,
            reg_id=reg_id,
            last_modified=now,
        )
        if methods is not None:
            new.methods = _methods(methods)
        location.insert(new)
        self._proxy.modules.usrloc.count(location)
        return new

    def get(self, aor: str, table: str = "location") -> list[Contact]:
        """The contacts of an AoR that have not expired, in the order lookup() takes them; [] for none."""
        return self._table(table).get(self._aor(aor), self._proxy.wall())

    def __getitem__(self, aor: str) -> list[Contact]:
        """The contacts of an AoR. KeyError when it has none."""
        found = self.get(aor)
        if not found:
            raise KeyError(f"{aor} has no contact; registered: {', '.join(self) or 'nobody'}")
        return found

    def __contains__(self, aor: object) -> bool:
        return isinstance(aor, str) and bool(self.get(aor))

    def __iter__(self) -> Iterator[str]:
        """The AoRs."""
        return iter([from_wire(aor) for aor, _ in self._valid()])

    def __len__(self) -> int:
        return len(self._valid())

    def _valid(self) -> list[tuple[str, list[Contact]]]:
        now = self._proxy.wall()
        found = [(aor, [c for c in contacts if c.valid(now)]) for aor, contacts in self._table("location").all()]
        return [(aor, contacts) for aor, contacts in found if contacts]

    def remove(self, aor: str, table: str = "location") -> None:
        """Remove an AoR with all its contacts."""
        location = self._table(table)
        location.delete_aor(self._aor(aor))
        self._proxy.modules.usrloc.count(location)

    def __repr__(self) -> str:
        return repr({from_wire(aor): [c.contact for c in contacts] for aor, contacts in self._valid()})


def _methods(names: Iterable[str]) -> int:
    mask = 0
    for name in names:
        if name not in METHOD_BITS:
            raise UsageError(f"methods expects names out of {', '.join(METHOD_BITS)}; got {name!r}")
        mask |= METHOD_BITS[name]
    return mask


class Htable(MutableMapping[str, "int | str"]):
    """One hash table; items are int or str. Setting one lets it expire as ``$sht(...)`` would."""

    def __init__(self, proxy: Proxy, table: Table) -> None:
        self._proxy = proxy
        self._table = table

    def __getitem__(self, key: str) -> int | str:
        value = self._table.find(to_wire(key), self._proxy.wall())
        if value is None:
            raise KeyError(f"{key!r} is not in table {self._table.name}; it has {', '.join(self) or 'nothing'}")
        return from_wire(value) if isinstance(value, str) else value

    def __setitem__(self, key: str, value: int | str) -> None:
        if not isinstance(value, int | str):
            raise UsageError(f"table {self._table.name} takes int and str, got {value!r} for {key!r}")
        self._table.set(to_wire(key), to_wire(value) if isinstance(value, str) else int(value), self._proxy.wall())

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        del self._table.items[to_wire(key)]

    def __iter__(self) -> Iterator[str]:
        now = self._proxy.wall()
        return iter([from_wire(key) for key in self._table.items if self._table.find(key, now) is not None])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def expires_in(self, key: str) -> int:
        """Seconds until an item expires, 0 when it does not."""
        return self._table.expires_in(to_wire(key), self._proxy.wall())

    def __repr__(self) -> str:
        return repr(dict(self))


class Htables:
    """``ksr.htable["ipban"]``: a table that a modparam defines."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def __getitem__(self, name: str) -> Htable:
        tables = self._proxy.modules.htable.tables
        if name not in tables:
            raise UsageError(
                f"there is no hash table {name!r}, only {', '.join(tables) or 'none at all'}; "
                f'modparams=["htable:htable={name}=>size=8;"] defines it'
            )
        return Htable(self._proxy, tables[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._proxy.modules.htable.tables)

    def __repr__(self) -> str:
        return repr({name: self[name] for name in self})


class Shared(MutableMapping[str, "int | str"]):
    """``ksr.shv["x"]`` is ``$shv(x)``."""

    def __init__(self, proxy: Proxy) -> None:
        self._values = proxy.modules.pv.shared

    def __getitem__(self, name: str) -> int | str:
        value = self._values.get(to_wire(name), 0)
        return from_wire(value) if isinstance(value, str) else value

    def __setitem__(self, name: str, value: int | str) -> None:
        if not isinstance(value, int | str):
            raise UsageError(f"$shv({name}) takes int and str, got {value!r}")
        self._values[to_wire(name)] = to_wire(value) if isinstance(value, str) else int(value)

    def __delitem__(self, name: str) -> None:
        del self._values[to_wire(name)]

    def __iter__(self) -> Iterator[str]:
        return iter([from_wire(name) for name in self._values])

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(dict(self))


def add_subscriber(proxy: Proxy, user: str, password: str, domain: str, realm: str | None) -> None:
    """A row of table subscriber."""
    assert proxy.db is not None
    try:
        Subscribers(proxy.db).add(
            to_wire(user), to_wire(domain), to_wire(password), realm=None if realm is None else to_wire(realm)
        )
    except StoreError as error:
        raise UsageError(str(error)) from None


def add_address(proxy: Proxy, group: int, address: str, port: int, tag: str) -> None:
    """A row of table address, which is read again."""
    assert proxy.db is not None
    permissions = proxy.modules["permissions"]
    assert isinstance(permissions, Permissions)
    ip, slash, mask = address.partition("/")
    if slash and not (mask.isascii() and mask.isdigit()):
        raise UsageError(f"an address such as 10.0.0.0/8 was expected, got {address!r}")
    bits = int(mask) if slash else 128 if ":" in ip else 32
    ident = proxy.db.insert(
        permissions.address_table,
        {"grp": group, "ip_addr": to_wire(ip), "mask": bits, "port": port, "tag": to_wire(tag) or None},
    )
    try:
        assert permissions.addresses is not None
        permissions.addresses.reload()
    except StoreError as error:
        proxy.db.execute(f'DELETE FROM "{permissions.address_table}" WHERE id = ?', (ident,))
        raise UsageError(str(error)) from None
