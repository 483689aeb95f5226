"""What the dialog module remembers of a call, and the table of calls. Plain state: no I/O, no clock.

A dialog is found by its entry and id (``did``, which travels in our Record-Route) or by Call-ID and tags. The entry is
Kamailio's hash of the Call-ID, so that lists come in its order and rows of its table fit both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .htable_table import item_hash

if TYPE_CHECKING:
    from ..net.address import Listen

__all__ = [
    "CHANGED", "CHANGED_VARS", "CONFIRMED", "CONFIRMED_NA", "DELETED", "EARLY", "EXPIRED", "HAS_BYE", "IN_TM", "KA_DST",
    "KA_SRC", "NEW", "PRACK", "TIMEOUT_BYE", "TIMEOUT_NORESET", "UNCONFIRMED", "Dialog", "Key", "Leg",
    "Profile", "Table", "parse_did",
]  # fmt: skip

# States, as $dlg(state) and the RPC commands show them.
UNCONFIRMED: Final = 1
EARLY: Final = 2
CONFIRMED_NA: Final = 3
CONFIRMED: Final = 4
DELETED: Final = 5

# Dialog.dflags.
NEW: Final = 1
CHANGED: Final = 2
HAS_BYE: Final = 4
CHANGED_VARS: Final = 128
IN_TM: Final = 512
#: Kamailio has one bit for "its profiles changed" and for "its lifetime is over".
EXPIRED: Final = 1024

# Dialog.iflags: what the script asked for.
TIMEOUT_BYE: Final = 1
KA_SRC: Final = 2
KA_DST: Final = 4
TIMEOUT_NORESET: Final = 8
PRACK: Final = 32

#: Entry and id.
Key = tuple[int, int]

# Directions, as $dlg_ctx(dir) shows them.
DOWNSTREAM: Final = 1
UPSTREAM: Final = 2


class Leg:
    """One side of a call. ``cseq`` is that of its latest request, ``routes`` what a request to it carries as Route,
    ``listen`` our socket towards it. All empty while it is not known."""

    __slots__ = ("contact", "cseq", "known", "listen", "routes", "tag")

    def __init__(self) -> None:
        self.tag = self.contact = self.cseq = self.routes = ""
        self.listen: Listen | None = None
        self.known = False

    def copy(self) -> Leg:
        new = Leg.__new__(Leg)
        for name in Leg.__slots__:
            setattr(new, name, getattr(self, name))
        return new


class Profile:
    """A profile and who is in it: (value, key of the dialog), the value '' where the profile has none."""

    __slots__ = ("links", "name", "valued")

    def __init__(self, name: str, valued: bool) -> None:
        self.name = name
        self.valued = valued
        self.links: list[tuple[str, Key]] = []

    def size(self, value: str | None = None) -> int:
        """How many dialogs are in it, with that value."""
        if value is None:
            return len(self.links)
        return sum(1 for its, _ in self.links if its == value)

    def copy(self) -> Profile:
        new = Profile(self.name, self.valued)
        new.links = self.links[:]
        return new


class Dialog:
    """One call. Times are unix seconds; ``deadline`` is when its lifetime ends (monotonic), 0 while it has no timer.

    ``refs`` counts beyond the table's own what keeps it: its timer and those who never let go of it. ``branch`` is that
    of the INVITE it was made for. ``profiles`` and ``variables`` have the newest first.
    """

    __slots__ = (
        "branch", "callee", "caller", "callid", "deadline", "dflags", "end_ts", "ending", "from_uri", "h_entry", "h_id",
        "iflags", "init_ts", "ka_failed", "ka_next", "lifetime", "profiles", "queued", "refs", "req_uri", "sflags",
        "skip_routes", "start_ts", "state", "stored", "to_uri", "toroute", "variables", "xdata",
    )  # fmt: skip

    def __init__(self, h_entry: int, h_id: int, callid: str) -> None:
        self.h_entry = h_entry
        self.h_id = h_id
        self.callid = callid
        self.state = UNCONFIRMED
        self.from_uri = self.to_uri = self.req_uri = self.toroute = self.branch = self.xdata = ""
        self.caller = Leg()
        self.callee = Leg()
        self.init_ts = self.start_ts = self.end_ts = 0
        self.lifetime = self.dflags = self.sflags = self.iflags = self.refs = self.ka_failed = self.skip_routes = 0
        self.deadline = self.queued = self.ka_next = 0.0
        #: A BYE of ours is on its way: the first answer to it ends the dialog.
        self.ending = False
        #: There is a row of it in the database.
        self.stored = False
        self.profiles: list[tuple[str, str]] = []
        self.variables: dict[str, str] = {}

    @property
    def key(self) -> Key:
        return self.h_entry, self.h_id

    @property
    def did(self) -> str:
        """The value of the Record-Route parameter: both numbers in hexadecimal, the digits reversed."""
        return f"{f'{self.h_entry:x}'[::-1]}.{f'{self.h_id:x}'[::-1]}"

    @property
    def ref(self) -> int:
        """As the RPC commands show it."""
        return self.refs + 1

    def copy(self) -> Dialog:
        new = Dialog.__new__(Dialog)
        for name in Dialog.__slots__:
            setattr(new, name, getattr(self, name))
        new.caller = self.caller.copy()
        new.callee = self.callee.copy()
        new.profiles = self.profiles[:]
        new.variables = self.variables.copy()
        return new

    def direction(self, ftag: str, ttag: str) -> int:
        """Whether a message with these tags is of this dialog: DOWNSTREAM, UPSTREAM or 0. Before the callee is known
        any of its tags will do."""
        if self.caller.tag == ftag and (not self.callee.tag or self.callee.tag == ttag):
            return DOWNSTREAM
        if self.caller.tag == ttag and (not self.callee.tag or self.callee.tag == ftag):
            return UPSTREAM
        return 0

    def duration(self, now: int) -> int:
        """Seconds, as the RPC commands show it: to its end, or to ``now`` when it has begun."""
        if self.end_ts:
            return self.end_ts - self.start_ts
        return now - self.start_ts if self.start_ts else 0

    def set_variable(self, key: str, value: str | None) -> None:
        """None removes it. A new one comes first in lists, a known one keeps its place."""
        if value is None:
            self.variables.pop(key, None)
        else:
            self.variables[key] = value

    def __repr__(self) -> str:
        return f"<Dialog {self.h_entry}:{self.h_id} {self.callid} state {self.state}>"


def parse_did(text: str) -> Key | None:
    """The numbers of a ``did``, None when it is none."""
    entry, dot, number = text.partition(".")
    if not dot:
        return None
    try:
        return int(entry[::-1], 16), int(number[::-1], 16)
    except ValueError:
        return None


class Table:
    """The dialogs. ``next_id`` gives the ids; ``start`` and ``step`` are h_id_start and h_id_step."""

    __slots__ = ("entries", "last_id", "size", "start", "step", "dialogs", "profiles")

    def __init__(self, size: int, start: int = 0, step: int = 1, first: int = 0) -> None:
        self.size = size
        self.start = start
        self.step = step
        self.last_id = first
        self.dialogs: dict[Key, Dialog] = {}
        #: Keys by entry, oldest first.
        self.entries: dict[int, list[Key]] = {}
        self.profiles: dict[str, Profile] = {}

    def __len__(self) -> int:
        return len(self.dialogs)

    def copy(self) -> Table:
        new = Table(self.size, self.start, self.step, self.last_id)
        new.dialogs = {key: dialog.copy() for key, dialog in self.dialogs.items()}
        new.entries = {entry: keys[:] for entry, keys in self.entries.items()}
        new.profiles = {name: profile.copy() for name, profile in self.profiles.items()}
        return new

    def entry_of(self, callid: str) -> int:
        return item_hash(callid) & (self.size - 1)

    def next_id(self) -> int:
        while True:
            self.last_id = number = (self.last_id + 1) & 0x7FFFFFFF
            found = self.start + number * self.step if self.step > 1 else self.start + number
            if found:
                return found

    def add(self, dialog: Dialog) -> None:
        self.dialogs[dialog.key] = dialog
        self.entries.setdefault(dialog.h_entry, []).append(dialog.key)

    def remove(self, dialog: Dialog) -> None:
        """Forget it. A second time does nothing."""
        key = dialog.key
        if self.dialogs.get(key) is not dialog:
            return
        del self.dialogs[key]
        keys = self.entries[dialog.h_entry]
        keys.remove(key)
        if not keys:
            del self.entries[dialog.h_entry]
        self.leave_profiles(dialog)

    def get(self, key: Key | None) -> Dialog | None:
        return self.dialogs.get(key) if key is not None else None

    def find(self, callid: str, ftag: str, ttag: str) -> tuple[Dialog, int] | None:
        """The dialog of a message with that Call-ID and tags, and the message's direction."""
        keys = self.entries.get(item_hash(callid) & (self.size - 1))
        if keys is None:
            return None
        for key in keys:
            dialog = self.dialogs[key]
            if dialog.callid == callid:
                direction = dialog.direction(ftag, ttag)
                if direction:
                    return dialog, direction
        return None

    def ordered(self) -> list[Dialog]:
        """All, as Kamailio lists them."""
        return [self.dialogs[key] for entry in sorted(self.entries) for key in self.entries[entry]]

    # -- profiles -----------------------------------------------------------------------------------------------------

    def join(self, dialog: Dialog, profile: Profile, value: str) -> None:
        profile.links.append((value, dialog.key))
        dialog.profiles.insert(0, (profile.name, value))

    def leave(self, dialog: Dialog, profile: Profile, value: str) -> bool:
        """Take one membership back. False: it has none."""
        link = (profile.name, value)
        if link not in dialog.profiles:
            return False
        dialog.profiles.remove(link)
        profile.links.remove((value, dialog.key))
        return True

    def leave_profiles(self, dialog: Dialog) -> None:
        for name, value in dialog.profiles:
            self.profiles[name].links.remove((value, dialog.key))
        dialog.profiles = []
