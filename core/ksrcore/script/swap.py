"""Replacing functions and constants of a Python script while it runs: all of a swap between two messages, or nothing.

A swap is planned (what the text means in this script, checked), defined (its functions made, nothing installed), and
committed, which cannot fail. :class:`Swaps` belongs to one :class:`~ksrcore.script.python.PythonScript`.
"""

from __future__ import annotations

import ast
import hashlib
import linecache
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from . import sourcefile
from .define import define
from .engine import ScriptError, Version
from .overlay import GONE, overlay
from .pins import Pins
from .plan import Plan, Planner, Swapped, keep
from .program import Item, Place, attribute, read
from .references import callers, globals_of
from .versions import Change, Slot

if TYPE_CHECKING:
    from .python import PythonScript

__all__ = ["Plan", "Swapped", "Swaps"]


class Swaps(Planner):
    """The versions of one script, and everything that changes them."""

    def __init__(self, script: PythonScript) -> None:
        super().__init__(script)
        self.digest = b""
        self.pins = Pins(script)
        self.epoch = 0
        self._done: list[Change] = []

    # -- loading ----------------------------------------------------------------------------------------------------

    def loaded(self, data: bytes, filename: str, who: str) -> None:
        """The whole script was loaded from a file of these bytes: first versions, or new ones of everything."""
        script = self.script
        self.pins.clear()
        self.epoch += 1
        self.digest = hashlib.sha256(data).digest()
        self.program = read(data.decode("utf-8-sig"), filename)
        self._done.clear()
        keep(filename, self.program.lines)
        before = dict(self.slots.by_place)
        now = script.proxy.wall()
        kinds = script.handler_kinds()
        order = {kind.__name__: at for at, kind in enumerate(kinds)}
        items = self.program.items.values()
        for item in sorted(items, key=lambda item: order.get(item.cls, len(order) + bool(item.cls))):
            owner = vars(script.module).get(item.cls) if item.cls else None
            scope = vars(owner) if isinstance(owner, type) else vars(script.module)
            name = attribute(item.place)
            if name not in scope or (item.cls and not isinstance(owner, type)):
                continue
            value = scope[name]
            if item.fixed and not _is_at(value, item, filename):
                continue
            slot = self.slots.get(item.place)
            if slot is None:
                slot = self.slots.add(item.place, item.kind, owner, script.module.__name__)
            slot.owner, slot.kind = owner, item.kind
            before.pop(item.place, None)
            slot.add(self._version(slot, item, filename, now, who, value))
            slot.saved = len(slot.versions)
            slot.switch(slot.saved, script.generation)
        for slot in before.values():
            slot.saved = 0
            slot.switch(0, script.generation)
        for slot in self.slots.by_place.values():
            for version in slot.versions:
                if version.epoch != self.epoch:
                    # It would keep the module of before, with all that is in it. Whoever goes back has it made anew.
                    version.function = None

    def _version(self, slot: Slot, item: Item, filename: str, now: float, who: str, value: Any) -> Version:
        number = len(slot.versions) + 1
        return Version(number, item.source, now, who, filename, item.first, value, item.shape, self.epoch)

    # -- swapping -------------------------------------------------------------------------------------------------

    def swap(self, source: str, who: str, *, pin: bool = False, remove: Iterable[str] = ()) -> Swapped:
        """Put the functions and constants of ``source`` in place, take out those named in ``remove``.

        ``pin``: the transactions there are end on what they began with. Raises :class:`ScriptError`; nothing has
        changed then.
        """
        plan = self.prepare(source, remove)
        if pin and plan.removed:
            raise ScriptError("a swap that removes functions cannot be pinned: remove them when no call needs them")
        return self.commit(plan, who, pin=pin)

    def prepare(self, source: str, remove: Iterable[str] = ()) -> Plan:
        """What a swap would do, checked; nothing has changed. Raises :class:`ScriptError`."""
        names = list(remove)
        filename = f"<swap {self.script.generation + 1} of {Path(self.script.path).name}>"
        if source.strip() or not names:
            plan = self.plan(source, filename)
        else:
            plan = Plan(filename, [])
        plan.removed = [self.removable(name, plan) for name in names]
        return plan

    def define(self, plan: Plan) -> dict[Place, Any]:
        """The functions of a plan, made but not installed. Raises :class:`ScriptError`."""
        script = self.script
        owners = {item.cls: self.owner(item.cls) for item in plan.items if item.cls}
        mark = script.counters()
        try:
            return define(
                plan.items,
                vars(script.module),
                {cls: owner for cls, owner in owners.items() if owner is not None},
                plan.filename,
                script.number(plan.filename),
            )
        except ScriptError:
            script.drop_counters(mark)
            raise

    def commit(self, plan: Plan, who: str, *, pin: bool = False, saved: bool = False) -> Swapped:
        """Do what a plan says. ``saved``: it is what the file has. Raises :class:`ScriptError`: nothing has changed."""
        script = self.script
        done = Swapped(warnings=plan.warnings)
        if not plan.items and not plan.removed:
            return done
        values = self.define(plan)
        old = self.frozen([item.place for item in plan.items]) if pin else None
        # From here on nothing can fail: all functions of the swap change between two messages.
        if not saved:
            keep(plan.filename, plan.lines)
        now = script.proxy.wall()
        generation = script.generation + 1
        numbers: list[tuple[Slot, int, int]] = []
        for item in plan.items:
            slot = self.slots.get(item.place)
            if slot is None:
                slot = self._new_slot(item, now)
            before = slot.current
            if slot.version is None:
                done.new.append(slot.key)
            slot.kind = item.kind
            slot.add(self._version(slot, item, plan.filename, now, who, values[item.place]))
            self._switch(slot, len(slot.versions), generation)
            if saved:
                slot.saved = slot.current
            numbers.append((slot, before, slot.current))
            done.numbers[slot.key] = slot.current
        for slot in plan.removed:
            before = slot.current
            slot.add(Version(len(slot.versions) + 1, "", now, who, plan.filename, 1, None, "", self.epoch, True))
            self._switch(slot, len(slot.versions), generation)
            if saved:
                slot.saved = 0
            numbers.append((slot, before, slot.current))
            done.numbers[slot.key] = 0
        script.arm(ast.Module(body=[item.node for item in plan.items], type_ignores=[]))
        self._switched(old, done)
        self._done.append(Change(numbers))
        return done

    def _new_slot(self, item: Item, now: float) -> Slot:
        """The slot of a name that has none. A function that came from another file is its first version."""
        owner = self.owner(item.cls) if item.cls else None
        slot = self.slots.add(item.place, item.kind, owner, self.script.module.__name__)
        there = vars(owner if owner is not None else self.script.module).get(attribute(item.place))
        if isinstance(there, FunctionType):
            code = there.__code__
            lines = linecache.getlines(code.co_filename)
            source = "".join(lines[code.co_firstlineno - 1 :])
            try:
                import inspect

                source = inspect.getsource(there)
            except OSError:
                pass
            slot.add(Version(1, source, now, "", code.co_filename, code.co_firstlineno, there, "", self.epoch))
            slot.switch(1, 0)
        return slot

    def _switch(self, slot: Slot, number: int, generation: int) -> None:
        scope: Any = slot.owner if slot.owner is not None else self.script.module
        slot.switch(number, generation)
        version = slot.version
        name = attribute(slot.place)
        if version is not None:
            setattr(scope, name, version.function)
        elif name in vars(scope):
            delattr(scope, name)

    def _switched(self, old: PythonScript | None, done: Swapped) -> None:
        if old is not None:
            done.pinned = self.pins.add(old)
        else:
            done.ended = self.pins.clear()
        self.script.switched()

    # -- other versions beside the live ones ----------------------------------------------------------------------

    def frozen(self, places: Iterable[Place], *, isolated: bool = False) -> PythonScript:
        """The script as it is now, for calls after it has changed. ``places``: what will change."""
        kinds = self.handler_names()
        state = globals_of(self.program)
        values: dict[Place, Any] = {place: GONE for place in places if self.slots.get(place) is None}
        for slot in self.slots.by_key.values():
            if slot.version is None:
                continue
            cls, name = slot.place
            if slot.kind == "constant" and name not in state and (not cls or cls in kinds):
                values[slot.place] = slot.version.function
        for place in places:
            if place[0] and place[0] not in kinds:
                raise ScriptError(f"{place[0]}.{place[1]}: only the handler's and the module's functions can be pinned")
        return overlay(self.script, values, self.script.generation, isolated=isolated)

    def trial(self, plan: Plan) -> tuple[PythonScript, PythonScript]:
        """The script without and with a plan done, to be called in sandboxes: what they do to globals stays in them."""
        mark = self.script.counters()
        values = self.define(plan)
        self.script.drop_counters(mark)
        keep(plan.filename, plan.lines)
        generation = self.script.generation
        values.update({slot.place: GONE for slot in plan.removed})
        return overlay(self.script, {}, generation, isolated=True), overlay(
            self.script, values, generation, isolated=True
        )

    # -- going back -----------------------------------------------------------------------------------------------

    def rollback(self, name: str, number: int | None = None) -> Swapped:
        """Version ``number`` of one function, by default the one before. Raises :class:`ScriptError`."""
        slot = self.slot(name)
        if number is None:
            number = slot.current - 1
            if number < 1:
                hint = "" if slot.saved else "; rollback() without a name takes back the swap that added it"
                raise ScriptError(f"{name} is at its first version: there is nothing to roll back to{hint}")
        if not 1 <= number <= len(slot.versions):
            raise ScriptError(f"{name} has versions 1 to {len(slot.versions)}, not {number}")
        return self._go([(slot, number)])

    def rollback_all(self) -> Swapped:
        """Take back the latest swap of which something is still in use, all of it. Raises :class:`ScriptError`."""
        while self._done and self._done[-1].undone():
            self._done.pop()
        if not self._done:
            raise ScriptError("nothing was swapped since the script was loaded: there is nothing to roll back")
        done = self._go([(slot, before) for slot, before, _ in self._done[-1].numbers])
        self._done.pop()
        return done

    def _go(self, wanted: list[tuple[Slot, int]]) -> Swapped:
        gone = [slot for slot, number in wanted if not number or slot.versions[number - 1].removed]
        kept = [slot for slot, _ in wanted if slot not in gone]
        for slot in gone:
            if slot.version is not None:
                others = [
                    (s.key, s.versions[(dict((x.key, n) for x, n in wanted).get(s.key, s.current)) - 1].source)
                    for s in self.slots.by_key.values()
                    if s not in gone and (s.version is not None or s in kept) and s.kind == "function"
                ]
                users = callers(slot, others, self.program, self.script.proxy)
                if users:
                    raise ScriptError(f"{slot.key} cannot be taken back: it is used by {', '.join(users[:4])}")
        for slot, number in wanted:
            self._renew(slot, number)
        done = Swapped()
        generation = self.script.generation + 1
        for slot, number in wanted:
            if slot.version is None and slot not in gone:
                done.new.append(slot.key)
            self._switch(slot, number, generation)
            done.numbers[slot.key] = number if slot.version is not None else 0
        self._switched(None, done)
        return done

    def _renew(self, slot: Slot, number: int) -> None:
        """A version of before a reload refers to the module of before: it is made anew in the one of now."""
        version = slot.versions[number - 1] if number else None
        if version is None or version.removed or version.epoch == self.epoch:
            return
        name = f"<swap of {slot.key}, version {number} of {Path(self.script.path).name}>"
        program = read(version.source, name)
        items = [replace(item, cls=slot.place[0]) for item in program.items.values()]
        values = self.define(Plan(name, program.lines, items))
        keep(name, program.lines)
        version.function, version.epoch = values[slot.place], self.epoch
        version.filename, version.firstline = name, items[0].first

    # -- what another process has done with the same script -------------------------------------------------------

    def changes(self) -> list[Change]:
        """The swaps that ``rollback_all()`` can take back, the latest last."""
        return list(self._done)

    def add_change(self, change: Change) -> None:
        self._done.append(change)

    def use(self, slot: Slot, number: int) -> None:
        """Put that version in place, which is there; whoever calls says to the script that it was switched."""
        self._switch(slot, number, self.script.generation + 1)

    # -- the file -------------------------------------------------------------------------------------------------

    def save(self, *, only_show: bool = False) -> tuple[str, list[str]]:
        """Write what was swapped into the file; the unified diff and the names. Raises :class:`ScriptError`."""
        return sourcefile.save(self, only_show=only_show)

    def file_changed(self, who: str) -> Swapped:
        """Take over what changed in the script's file. Raises :class:`ScriptError`: nothing has changed then."""
        return sourcefile.file_changed(self, who)


def _is_at(value: Any, item: Item, filename: str) -> bool:
    code = getattr(value, "__code__", None)
    return code is not None and code.co_filename == filename and code.co_firstlineno == item.first
