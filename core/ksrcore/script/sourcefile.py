"""The script's file: what was swapped goes back into it, what was saved in it is swapped in."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING

from .engine import ScriptError, Version
from .place import detach, moved
from .plan import INIT, RELOAD, Plan, Swapped, keep
from .program import Changes, Item, Place, Program, changes, read
from .versions import Slot
from .writeback import reindent, replace_file, rewrite

if TYPE_CHECKING:
    from .swap import Swaps


def save(swaps: Swaps, *, only_show: bool = False) -> tuple[str, list[str]]:
    """Write what was swapped into the file; the unified diff and the names. Raises :class:`ScriptError`."""
    script = swaps.script
    path = Path(script.path)
    data = _bytes(path)
    if hashlib.sha256(data).digest() != swaps.digest:
        raise ScriptError("the file has changed since it was loaded: nothing was written", script.path)
    sources: dict[Place, tuple[str, str] | None] = {}
    written: list[Slot] = []
    for slot in swaps.slots.by_key.values():
        if _in_file(swaps, slot):
            continue
        if slot.owner is not None and slot.place[0] not in swaps.program.classes:
            raise ScriptError(f"{slot.key} is of a class of another file: write it there yourself", script.path)
        version = slot.version
        sources[slot.place] = (slot.kind, version.source) if version is not None else None
        written.append(slot)
    if not written:
        return "", []
    text = rewrite(swaps.program, sources, script.path)
    name = path.name
    diff = "".join(
        line if line.endswith("\n") else line + "\n"
        for line in difflib.unified_diff(
            [line.replace("\r\n", "\n") for line in swaps.program.lines],
            [line.replace("\r\n", "\n") for line in text.splitlines(keepends=True)],
            name,
            f"{name}, as it runs",
        )
    )
    if not only_show:
        new = (b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b"") + text.encode("utf-8")
        if not path.stat().st_mode & 0o222:
            raise ScriptError("is read-only: nothing was written; make it writable and save again", script.path)
        try:
            replace_file(path, new)
        except OSError as error:
            raise ScriptError(f"cannot be written: {error.strerror or error}", script.path) from None
        for slot in written:
            slot.saved = slot.current if slot.version is not None else 0
        _follow(swaps, read(text, str(path.resolve())), new)
    return diff, [slot.key for slot in written]


def _in_file(swaps: Swaps, slot: Slot) -> bool:
    version = slot.version
    if version is None:
        return slot.place not in swaps.program.items
    item = swaps.program.items.get(slot.place)
    if item is None:
        return slot.owner is not None and slot.place[0] not in swaps.program.classes and slot.current == 1
    return slot.current == slot.saved or reindent(item.source, "") == reindent(version.source, "")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ScriptError(f"cannot read the script: {error.strerror or error}", str(path)) from None


def file_changed(swaps: Swaps, who: str) -> Swapped:
    """Take over what changed in the script's file. Raises :class:`ScriptError`: nothing has changed then."""
    script = swaps.script
    path = Path(script.path)
    data = _bytes(path)
    if hashlib.sha256(data).digest() == swaps.digest:
        return Swapped()
    filename = str(path.resolve())
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScriptError(f"the script is not UTF-8: {error.reason} at byte {error.start}", script.path) from None
    new = read(text, filename)
    found = changes(swaps.program, new)
    plan = _plan(swaps, found, new, filename)
    done = swaps.commit(plan, who, saved=True)
    _follow(swaps, new, data)
    return done


def _plan(swaps: Swaps, found: Changes, new: Program, filename: str) -> Plan:
    plan = Plan(filename, new.lines)
    if found.reload:
        raise ScriptError(f"{found.reload}: that {RELOAD}", filename, found.line)
    for item in (*found.changed, *found.added):
        if item.fixed:
            raise ScriptError(f"{item.fixed}: it {RELOAD}", filename, item.first)
        try:
            swaps.check_placed(item)
        except ScriptError as error:
            raise ScriptError(error.text, filename, error.line) from None
        plan.items.append(item)
    for item in found.removed:
        if item.name in INIT and (not item.cls or item.cls in swaps.handler_names()):
            raise ScriptError(f"{item.name} is gone: that {RELOAD}", filename)
        slot = swaps.slots.get(item.place)
        if slot is not None and slot.version is not None:
            plan.removed.append(swaps.removable(slot.key, plan))
    try:
        plan.warnings = swaps.check(plan.items, plan.lines)
    except ScriptError as error:
        raise ScriptError(error.text, filename) from None
    return plan


def _follow(swaps: Swaps, new: Program, data: bytes) -> None:
    """The file has this text now: line numbers of what runs are those of the file again."""
    filename = str(Path(swaps.script.path).resolve())
    keep(filename, new.lines)
    swaps.program, swaps.digest = new, hashlib.sha256(data).digest()
    shifted = False
    relaid: list[tuple[Version, Item]] = []
    for slot in swaps.slots.by_key.values():
        item = new.items.get(slot.place)
        for version in slot.versions:
            if version.removed or version.epoch != swaps.epoch or slot.kind != "function":
                continue
            if item is not None and version.number == slot.saved:
                shifted |= moved(version, filename, item.first)
                if version.source != item.source and version.shape == item.shape:
                    relaid.append((version, item))
            elif version.filename == filename:
                name = f"<swap of {slot.key}, version {version.number} of {Path(filename).name}>"
                shifted |= detach(version, name)
                keep(name, read(version.source).lines)
    if relaid:
        _lay(swaps, relaid, filename)
    if shifted or relaid:
        swaps.script.switched()  # whoever stops at lines looks for them again


def _lay(swaps: Swaps, relaid: list[tuple[Version, Item]], filename: str) -> None:
    """Comments and line breaks changed inside of functions: the same code, on other lines."""
    plain = [item for _, item in relaid if not getattr(item.node, "decorator_list", None) and not item.fixed]
    try:
        made = swaps.define(Plan(filename, swaps.program.lines, plain))
    except ScriptError:  # a default value that cannot be made again: its lines are a little off
        made = {}
    for version, item in relaid:
        old, fresh = version.function, made.get(item.place)
        if isinstance(old, FunctionType) and isinstance(fresh, FunctionType):
            if old.__code__.co_freevars == fresh.__code__.co_freevars:
                old.__code__ = fresh.__code__
        version.source = item.source
