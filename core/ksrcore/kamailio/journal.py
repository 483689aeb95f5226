"""What was swapped in a server, kept in its folder: a later node goes on from there.

The file has, for each name that was swapped, its latest versions and the one in use, and the latest swaps, for
``rollback()``. Nothing is done again when it is read: only what is in use is made, so that it costs the same however
much was swapped before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..script.engine import ScriptError, Version
from ..script.plan import Plan, keep
from ..script.program import Place, read, split_lines
from ..script.python import PythonScript
from ..script.versions import Change, Slot

JOURNAL = "swaps.json"
#: Versions of a name, and swaps, that are kept; what is in use always is.
KEPT = 50
#: Bytes of the file; with more, fewer versions are kept.
MOST = 8 * 1024 * 1024


def write(script: PythonScript, loaded: Mapping[Place, int], generation: int) -> None:
    """Write it anew. ``loaded``: the numbers of the versions as they were loaded. Raises OSError."""
    text = ""
    for most in (KEPT, KEPT // 5, 1):
        text = json.dumps({"generation": generation, **_state(script, loaded, most)}, separators=(",", ":"))
        if len(text) <= MOST:
            break
    temporary = Path(JOURNAL + ".new")
    with suppress(FileNotFoundError):
        temporary.unlink()
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "w") as file:
            file.write(text)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    temporary.rename(JOURNAL)


def _state(script: PythonScript, loaded: Mapping[Place, int], most: int) -> dict[str, Any]:
    swaps = script.swaps
    slots = []
    for place, slot in swaps.slots.by_place.items():
        first = loaded.get(place, 0)
        kept = [v for v in slot.versions[first:] if v.number > len(slot.versions) - most or v.number == slot.current]
        if kept:
            slots.append(
                {
                    "place": place,
                    "kind": slot.kind,
                    "current": slot.current,
                    "versions": [[v.number, v.source, v.time, v.who, v.firstline, v.removed] for v in kept],
                }
            )
    changes = [[[slot.place, old, new] for slot, old, new in change.numbers] for change in swaps.changes()[-most:]]
    return {"slots": slots, "changes": changes}


def load(script: PythonScript, generation: int) -> tuple[list[str], bool]:
    """Put what was swapped in this server back into the script here. What could not be, a line each; whether the file
    tells of another start of the server, in which something was swapped."""
    try:
        kept = json.loads(Path(JOURNAL).read_text())
        slots = list(kept["slots"])
    except (OSError, ValueError, LookupError, TypeError):
        return [], False
    if kept.get("generation") != generation:
        return [], bool(slots)
    problems: list[str] = []
    numbers: dict[tuple[Place, int], int] = {}
    switched = False
    for entry in slots:
        place = (str(entry["place"][0]), str(entry["place"][1]))
        try:
            switched = _slot(script, place, entry, numbers) or switched
        except (ScriptError, SyntaxError, LookupError, ValueError, TypeError) as error:
            problems.append(f"{place[1]}, which was swapped before, is not known here any more: {error}")
    if switched:
        script.switched()
    for change in kept.get("changes") or ():
        found = [_numbers(script, numbers, *each) for each in change]
        if all(each is not None for each in found):
            script.swaps.add_change(Change([each for each in found if each is not None]))
    return problems, False


def _numbers(
    script: PythonScript, numbers: Mapping[tuple[Place, int], int], place: list[str], old: int, new: int
) -> tuple[Slot, int, int] | None:
    own = (place[0], place[1])
    slot = script.swaps.slots.get(own)
    if slot is None or (own, new) not in numbers or (old and (own, old) not in numbers):
        return None
    return slot, numbers[own, old] if old else 0, numbers[own, new]


def _slot(script: PythonScript, place: Place, entry: Mapping[str, Any], numbers: dict[tuple[Place, int], int]) -> bool:
    """The versions of one name. Whether another one is in use than the script was loaded with."""
    swaps = script.swaps
    slot = swaps.slots.get(place)
    if slot is None:
        owner = swaps.owner(place[0]) if place[0] else None
        if place[0] and owner is None:
            raise ScriptError(f"the script has no class {place[0]}", "", 0)
        slot = swaps.slots.add(place, str(entry["kind"]), owner, script.module.__name__)
    for number in range(1, slot.current + 1):
        numbers[place, number] = number
    loaded = slot.current
    for number, source, made, who, first, removed in entry["versions"]:
        new = len(slot.versions) + 1
        # Epoch -1: it is made when somebody goes back to it.
        slot.add(Version(new, source, made, who, f"<version {new} of {slot.key}>", first, epoch=-1, removed=removed))
        numbers[place, number] = new
    current = numbers.get((place, int(entry["current"])), 0)
    version = slot.versions[current - 1] if current else None
    if version is not None and version.epoch < 0 and not version.removed:
        _make(script, slot, version)
    if current != loaded:
        swaps.use(slot, current)
    return current != loaded


def _make(script: PythonScript, slot: Slot, version: Version) -> None:
    """The function or constant itself, on the lines where it was. Raises :class:`ScriptError` or SyntaxError."""
    text = "\n" * (version.firstline - 1) + version.source
    program = read(text, version.filename)
    items = [replace(item, cls=slot.place[0]) for item in program.items.values()]
    values = script.swaps.define(Plan(version.filename, program.lines, items))
    keep(version.filename, split_lines(text))
    script.arm(program.tree)
    version.function, version.epoch = values[slot.place], script.swaps.epoch
