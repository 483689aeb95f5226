"""Replacing functions and constants of a Python script while it runs: all of a swap between two messages, or nothing.

A swap is planned (what the text means in this script, checked), defined (its functions made, nothing installed), and
committed, which cannot fail. :class:`Swaps` belongs to one :class:`~ksrcore.script.python.PythonScript`.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import linecache
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from .define import define
from .engine import ScriptError, Version
from .overlay import GONE, overlay
from .pins import Pins
from .place import detach, moved
from .program import Changes, Item, Place, Program, attribute, changes, read
from .references import callers, globals_of
from .versions import Change, Slot, Slots, value_of
from .writeback import reindent, replace_file, rewrite

if TYPE_CHECKING:
    from .check import Finding
    from .python import PythonScript

#: Functions that run once, when the script is loaded: what they do later changes nothing.
INIT = ("mod_init", "child_init", "__init__")
#: How to load the whole script, for people.
RELOAD = 'needs a full reload, such as rpc("app_python.reload")'


@dataclass
class Plan:
    """What a swap will do: ``items`` with the class they are for, their text's ``filename`` and lines, what goes."""

    filename: str
    lines: list[str]
    items: list[Item] = field(default_factory=list)
    removed: list[Slot] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)


@dataclass
class Swapped:
    """What a swap or rollback did: ``numbers`` of the versions in use now by name (0: gone), names that are ``new``,
    warnings about the new code, how many transactions are ``pinned`` to the old or had a pin that ``ended``."""

    numbers: dict[str, int] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    pinned: int = 0
    ended: int = 0


class Swaps:
    """The versions of one script, and everything that changes them."""

    def __init__(self, script: PythonScript) -> None:
        self.script = script
        self.slots = Slots()
        self.program = Program("", [], ast.Module(body=[], type_ignores=[]))
        self.digest = b""
        self.pins = Pins(script)
        self.epoch = 0
        self._done: list[Change] = []

    # -- what is there --------------------------------------------------------------------------------------------

    def slot(self, name: str) -> Slot:
        """The function or constant of that name. Raises :class:`ScriptError` naming the nearest."""
        found = self.slots.by_key.get(name)
        if found is None:
            near = difflib.get_close_matches(name, self.slots.by_key, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ScriptError(f"the script has no function {name!r}{hint}", self.script.path)
        return found

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

    def _version(self, slot: Slot, item: Item, filename: str, now: float, who: str, value: Any) -> Version:
        number = len(slot.versions) + 1
        return Version(number, item.source, now, who, filename, item.first, value, item.shape, self.epoch)

    # -- swapping -------------------------------------------------------------------------------------------------

    def swap(self, source: str, who: str, *, pin: bool = False, remove: Iterable[str] = ()) -> Swapped:
        """Put the functions and constants of ``source`` in place, take out those named in ``remove``.

        ``pin``: the transactions there are end on what they began with. Raises :class:`ScriptError`; nothing has
        changed then.
        """
        names = list(remove)
        filename = f"<swap {self.script.generation + 1} of {Path(self.script.path).name}>"
        if source.strip() or not names:
            plan = self.plan(source, filename)
        else:
            plan = Plan(filename, [])
        plan.removed = [self._removable(name, plan) for name in names]
        if pin and plan.removed:
            raise ScriptError("a swap that removes functions cannot be pinned: remove them when no call needs them")
        return self.commit(plan, who, pin=pin)

    def plan(self, source: str, filename: str, *, whole: bool = False) -> Plan:
        """What ``source`` would change. ``whole``: it is a script's whole text. Raises :class:`ScriptError`."""
        try:
            program = read(source, filename)
        except ScriptError as error:
            text = error.text.removeprefix("does not compile: ")
            raise ScriptError(f"the new code does not compile: {text}", "", error.line) from None
        whole = whole or any(cls in program.classes for cls in self._handler_names())
        known = {rest.shape for rest in self.program.rest}
        for rest in program.rest:
            if rest.shape not in known:
                raise ScriptError(
                    f"line {rest.line}: {rest.what}: a swap takes functions and constants (NAME = literal); "
                    f"this {RELOAD}", "", rest.line
                )  # fmt: skip
        for name, head in program.classes.items():
            self._check_class(name, head.head, head.line)
        if not program.items:
            raise ScriptError("a swap takes functions (def name(self, msg): ...) and constants, there is none")
        plan = Plan(filename, program.lines)
        for item in sorted(program.items.values(), key=lambda item: item.first):
            placed = item if whole or item.cls else replace(item, cls=self._class_for(item))
            if self._same(placed, whole):
                continue
            if placed.fixed:
                raise ScriptError(f"line {item.first}: {item.fixed}: it {RELOAD}", "", item.first)
            self._check_placed(placed)
            plan.items.append(placed)
        plan.warnings = self.check(plan.items, plan.lines)
        return plan

    def _same(self, item: Item, whole: bool) -> bool:
        """Whether it is what runs: in a whole script by its code, else to the letter."""
        slot = self.slots.get(item.place)
        version = slot.version if slot is not None else None
        if version is None or version.shape != item.shape:
            return False
        return whole or reindent(version.source, "").strip() == reindent(item.source, "").strip()

    def _handler_names(self) -> list[str]:
        return [kind.__name__ for kind in self.script.handler_kinds()]

    def _class_for(self, item: Item) -> str:
        """Where a function or constant without a class around it goes: '' or a class's name."""
        script = self.script
        kinds = script.handler_kinds()
        for kind in kinds:
            if attribute((kind.__name__, item.name)) in vars(kind):
                return kind.__name__
        if not kinds or item.name in vars(script.module) or item.kind == "constant":
            return ""
        assert isinstance(item.node, ast.FunctionDef)
        args = [*item.node.args.posonlyargs, *item.node.args.args]
        if script.is_armed(item.name) or (args and args[0].arg == "self"):
            return kinds[0].__name__
        return ""

    def _owner(self, cls: str) -> type | None:
        """The class of that name: one of the handler's, or of the module."""
        for kind in self.script.handler_kinds():
            if kind.__name__ == cls:
                return kind
        found = vars(self.script.module).get(cls)
        return found if isinstance(found, type) else None

    def _check_class(self, name: str, head: str, line: int) -> None:
        known = self.program.classes.get(name)
        if self._owner(name) is None:
            raise ScriptError(f"line {line}: the script has no class {name}; a new class {RELOAD}", "", line)
        if head and known is not None and known.head != head:
            raise ScriptError(
                f"line {line}: class {name} has other bases or decorators than in the script: that {RELOAD}", "", line
            )

    def _check_placed(self, item: Item) -> None:
        line = item.first
        if item.name in INIT and (not item.cls or item.cls in self._handler_names()):
            raise ScriptError(f"{item.name} runs once, when the script is loaded: a change of it {RELOAD}", "", line)
        slot = self.slots.get(item.place)
        if slot is not None and slot.version is not None and slot.kind != item.kind:
            raise ScriptError(f"{item.name} is a {slot.kind} of the script, not a {item.kind}", "", line)
        if slot is None or slot.version is None:
            scope = vars(self._owner(item.cls) or self.script.module)
            there = scope.get(attribute(item.place))
            if there is not None and not isinstance(there, FunctionType):
                raise ScriptError(
                    f"{item.name} is a {type(there).__name__} that the script makes as it is loaded: "
                    f"a change of it {RELOAD}", "", line
                )  # fmt: skip

    def check(self, items: list[Item], lines: list[str]) -> list[Finding]:
        """Findings of the static check that are no errors. Raises :class:`ScriptError` for the first error."""
        if not items:
            return []
        found = self.findings(items, lines)
        errors = [finding for finding in found if finding.severity == "error"]
        if errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise ScriptError(f"line {errors[0].line}: {errors[0].text}{more}", "", errors[0].line)
        return found

    def findings(self, items: list[Item], lines: list[str]) -> list[Finding]:
        flat = ["\n"] * len(lines)
        replaced = {}
        names: set[str] = set()
        for item in items:
            # Without the class around it and on its own lines: findings shall name them.
            flat[item.first - 1 : item.last] = reindent(item.source, "").splitlines(keepends=True)[
                : item.last - item.first + 1
            ]
            slot = self.slots.get(item.place)
            old = value_of(slot) if slot is not None else None
            decorators: list[ast.expr] = getattr(item.node, "decorator_list", [])
            if isinstance(old, FunctionType) and not decorators:
                replaced[item.name] = old
            if item.cls:
                owner = self._owner(item.cls)
                used = {node.id for each in decorators for node in ast.walk(each) if isinstance(node, ast.Name)}
                names |= {"__class__"} | (used & set(vars(owner) if owner is not None else ()))
        return self.script.findings("".join(flat), replaced, names)

    def _removable(self, name: str, plan: Plan) -> Slot:
        slot = self.slot(name)
        version = slot.version
        if version is None:
            raise ScriptError(f"{name} is not there: it was removed")
        if slot.saved and slot.place in self.program.items and self.program.items[slot.place].fixed:
            raise ScriptError(f"{name} cannot be removed alone: {self.program.items[slot.place].fixed}")
        new = {item.place for item in plan.items}
        running = [
            (s.key, s.versions[s.current - 1].source)
            for s in self.slots.by_key.values()
            if s.version is not None and s.place not in new and s is not slot and s.kind == "function"
        ]
        running += [(item.name, item.source) for item in plan.items]
        users = callers(slot, running, self.program, self.script.proxy)
        if slot.place[1] == "ksr_request_route":
            users = ["the proxy, for every request"]
        if users:
            raise ScriptError(f"{name} cannot be removed: it is used by {', '.join(users[:4])}")
        return slot

    def define(self, plan: Plan) -> dict[Place, Any]:
        """The functions of a plan, made but not installed. Raises :class:`ScriptError`."""
        script = self.script
        owners = {item.cls: self._owner(item.cls) for item in plan.items if item.cls}
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
        owner = self._owner(item.cls) if item.cls else None
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
        kinds = self._handler_names()
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

    # -- the file -------------------------------------------------------------------------------------------------

    def save(self, *, only_show: bool = False) -> tuple[str, list[str]]:
        """Write what was swapped into the file; the unified diff and the names. Raises :class:`ScriptError`."""
        script = self.script
        path = Path(script.path)
        data = self._file(path)
        if hashlib.sha256(data).digest() != self.digest:
            raise ScriptError("the file has changed since it was loaded: nothing was written", script.path)
        sources: dict[Place, tuple[str, str] | None] = {}
        written: list[Slot] = []
        for slot in self.slots.by_key.values():
            if self._in_file(slot):
                continue
            if slot.owner is not None and slot.place[0] not in self.program.classes:
                raise ScriptError(f"{slot.key} is of a class of another file: write it there yourself", script.path)
            version = slot.version
            sources[slot.place] = (slot.kind, version.source) if version is not None else None
            written.append(slot)
        if not written:
            return "", []
        text = rewrite(self.program, sources, script.path)
        name = path.name
        diff = "".join(
            line if line.endswith("\n") else line + "\n"
            for line in difflib.unified_diff(
                [line.replace("\r\n", "\n") for line in self.program.lines],
                [line.replace("\r\n", "\n") for line in text.splitlines(keepends=True)],
                name,
                f"{name}, as it runs",
            )
        )
        if not only_show:
            new = (b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b"") + text.encode("utf-8")
            try:
                replace_file(path, new)
            except OSError as error:
                raise ScriptError(f"cannot be written: {error.strerror or error}", script.path) from None
            for slot in written:
                slot.saved = slot.current if slot.version is not None else 0
            self._follow(read(text, str(path.resolve())), new)
        return diff, [slot.key for slot in written]

    def _in_file(self, slot: Slot) -> bool:
        version = slot.version
        if version is None:
            return slot.place not in self.program.items
        item = self.program.items.get(slot.place)
        if item is None:
            return slot.owner is not None and slot.place[0] not in self.program.classes and slot.current == 1
        return slot.current == slot.saved or reindent(item.source, "") == reindent(version.source, "")

    def _file(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise ScriptError(f"cannot read the script: {error.strerror or error}", str(path)) from None

    def file_changed(self, who: str) -> Swapped:
        """Take over what changed in the script's file. Raises :class:`ScriptError`: nothing has changed then."""
        script = self.script
        path = Path(script.path)
        data = self._file(path)
        if hashlib.sha256(data).digest() == self.digest:
            return Swapped()
        filename = str(path.resolve())
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ScriptError(f"the script is not UTF-8: {error.reason} at byte {error.start}", script.path) from None
        new = read(text, filename)
        found = changes(self.program, new)
        plan = self._plan_file(found, new, filename)
        done = self.commit(plan, who, saved=True)
        self._follow(new, data)
        return done

    def _plan_file(self, found: Changes, new: Program, filename: str) -> Plan:
        plan = Plan(filename, new.lines)
        if found.reload:
            raise ScriptError(f"{found.reload}: that {RELOAD}", filename, found.line)
        for item in (*found.changed, *found.added):
            if item.fixed:
                raise ScriptError(f"{item.fixed}: it {RELOAD}", filename, item.first)
            try:
                self._check_placed(item)
            except ScriptError as error:
                raise ScriptError(error.text, filename, error.line) from None
            plan.items.append(item)
        for item in found.removed:
            if item.name in INIT and (not item.cls or item.cls in self._handler_names()):
                raise ScriptError(f"{item.name} is gone: that {RELOAD}", filename)
            slot = self.slots.get(item.place)
            if slot is not None and slot.version is not None:
                plan.removed.append(self._removable(slot.key, plan))
        try:
            plan.warnings = self.check(plan.items, plan.lines)
        except ScriptError as error:
            raise ScriptError(error.text, filename) from None
        return plan

    def _follow(self, new: Program, data: bytes) -> None:
        """The file has this text now: line numbers of what runs are those of the file again."""
        filename = str(Path(self.script.path).resolve())
        for slot in self.slots.by_key.values():
            item = new.items.get(slot.place)
            for version in slot.versions:
                if version.removed or version.epoch != self.epoch or slot.kind != "function":
                    continue
                if item is not None and version.number == slot.saved:
                    moved(version, filename, item.first)
                elif version.filename == filename:
                    name = f"<swap of {slot.key}, version {version.number} of {Path(filename).name}>"
                    detach(version, name)
                    keep(name, read(version.source).lines)
        self.program, self.digest = new, hashlib.sha256(data).digest()
        keep(filename, new.lines)


def keep(filename: str, lines: list[str]) -> None:
    """Tracebacks and debuggers show these lines for that file, whatever becomes of a file of that name."""
    linecache.cache[filename] = (sum(map(len, lines)), None, list(lines), filename)


def _is_at(value: Any, item: Item, filename: str) -> bool:
    code = getattr(value, "__code__", None)
    return code is not None and code.co_filename == filename and code.co_firstlineno == item.first


def as_names(remove: str | Iterable[str]) -> list[str]:
    return [remove] if isinstance(remove, str) else list(remove)


__all__ = ["Plan", "Swapped", "Swaps", "as_names"]
