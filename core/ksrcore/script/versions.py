"""The versions of a script's functions and constants: which there are, which is current, which was at what time."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from .engine import Version
from .program import Place


@dataclass
class Slot:
    """A name of the script that has versions. ``owner`` is its class, None for the module.

    ``current`` is the number of the version in use and ``saved`` of the one in the file; 0: it is not there.
    """

    key: str
    place: Place
    kind: str
    owner: type | None
    versions: list[Version] = field(default_factory=list)
    current: int = 0
    saved: int = 0
    #: (generation, number) of each change, in order.
    times: list[tuple[int, int]] = field(default_factory=list)

    @property
    def version(self) -> Version | None:
        """The version in use, None when the name is not there."""
        if not self.current or self.versions[self.current - 1].removed:
            return None
        return self.versions[self.current - 1]

    def add(self, version: Version) -> Version:
        self.versions.append(version)
        return version

    def switch(self, number: int, generation: int) -> None:
        self.current = number
        self.times.append((generation, number))

    def at(self, generation: int) -> int:
        """The number of the version in use in that generation, 0 when there was none."""
        found = bisect_right(self.times, generation, key=lambda entry: entry[0])
        return self.times[found - 1][1] if found else 0


class Slots:
    """All of them, by the name users give and by place."""

    def __init__(self) -> None:
        self.by_key: dict[str, Slot] = {}
        self.by_place: dict[Place, Slot] = {}

    def get(self, place: Place) -> Slot | None:
        return self.by_place.get(place)

    def add(self, place: Place, kind: str, owner: type | None, module: str) -> Slot:
        """A new slot: by its bare name while no other has that, else with its class's or the module's."""
        cls, name = place
        key, long = name, f"{cls or module}.{name}"
        taken = self.by_key.get(name)
        if taken is not None and not taken.current:  # a name of before a reload
            self.drop(taken)
            self.by_place[taken.place] = taken
            taken.key = f"{taken.place[0] or module}.{name}"
            self.by_key[taken.key] = taken
        elif taken is not None:
            key = long
        slot = self.by_place[place] = self.by_key[key] = Slot(key, place, kind, owner)
        return slot

    def drop(self, slot: Slot) -> None:
        del self.by_key[slot.key], self.by_place[slot.place]

    def at(self, generation: int) -> dict[str, int]:
        """The versions in use in that generation, by name; what was not there is left out."""
        found = {}
        for slot in self.by_key.values():
            number = slot.at(generation)
            if number and not slot.versions[number - 1].removed:
                found[slot.key] = number
        return found


@dataclass
class Change:
    """What one swap did: the numbers before and after, by slot. ``rollback()`` takes it back."""

    numbers: list[tuple[Slot, int, int]]

    def undone(self) -> bool:
        return all(slot.current != after for slot, _, after in self.numbers)


def value_of(slot: Slot) -> Any:
    version = slot.version
    return version.function if version is not None else None
