"""What a text would change in a script: each function and constant at its place, checked before anything happens."""

from __future__ import annotations

import ast
import difflib
import linecache
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import TYPE_CHECKING

from .engine import ScriptError
from .program import Item, Program, attribute, read
from .references import callers
from .versions import Slot, Slots, value_of
from .writeback import reindent

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


class Planner:
    """Reads what a swap asks for. ``slots``: what has versions; ``program``: the text of the script's file."""

    def __init__(self, script: PythonScript) -> None:
        self.script = script
        self.slots = Slots()
        self.program = Program("", [], ast.Module(body=[], type_ignores=[]))

    def slot(self, name: str) -> Slot:
        """The function or constant of that name. Raises :class:`ScriptError` naming the nearest."""
        found = self.slots.by_key.get(name)
        if found is None:
            near = difflib.get_close_matches(name, self.slots.by_key, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ScriptError(f"the script has no function {name!r}{hint}", self.script.path)
        return found

    def plan(self, source: str, filename: str, *, whole: bool = False) -> Plan:
        """What ``source`` would change. ``whole``: it is a script's whole text. Raises :class:`ScriptError`."""
        try:
            program = read(source, filename)
        except ScriptError as error:
            text = error.text.removeprefix("does not compile: ")
            line = f"line {error.line}: " if error.line else ""
            raise ScriptError(f"the new code does not compile: {line}{text}", "", error.line) from None
        whole = whole or any(cls in program.classes for cls in self.handler_names())
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
            self.check_placed(placed)
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

    def handler_names(self) -> list[str]:
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

    def owner(self, cls: str) -> type | None:
        """The class of that name: one of the handler's, or of the module."""
        for kind in self.script.handler_kinds():
            if kind.__name__ == cls:
                return kind
        found = vars(self.script.module).get(cls)
        return found if isinstance(found, type) else None

    def _check_class(self, name: str, head: str, line: int) -> None:
        known = self.program.classes.get(name)
        if self.owner(name) is None:
            raise ScriptError(f"line {line}: the script has no class {name}; a new class {RELOAD}", "", line)
        if head and known is not None and known.head != head:
            raise ScriptError(
                f"line {line}: class {name} has other bases or decorators than in the script: that {RELOAD}", "", line
            )

    def check_placed(self, item: Item) -> None:
        line = item.first
        if item.name in INIT and (not item.cls or item.cls in self.handler_names()):
            raise ScriptError(f"{item.name} runs once, when the script is loaded: a change of it {RELOAD}", "", line)
        slot = self.slots.get(item.place)
        if slot is not None and slot.version is not None and slot.kind != item.kind:
            raise ScriptError(f"{item.name} is a {slot.kind} of the script, not a {item.kind}", "", line)
        if slot is None or slot.version is None:
            scope = vars(self.owner(item.cls) or self.script.module)
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
                owner = self.owner(item.cls)
                used = {node.id for each in decorators for node in ast.walk(each) if isinstance(node, ast.Name)}
                names |= {"__class__"} | (used & set(vars(owner) if owner is not None else ()))
        return self.script.findings("".join(flat), replaced, names)

    def removable(self, name: str, plan: Plan) -> Slot:
        slot = self.slot(name)
        version = slot.version
        if version is None:
            raise ScriptError(f"{name} is not there: it was removed")
        if slot.place[1] in INIT and (not slot.place[0] or slot.place[0] in self.handler_names()):
            raise ScriptError(f"{name} runs once, when the script is loaded: taking it out {RELOAD}")
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


def keep(filename: str, lines: list[str]) -> None:
    """Tracebacks and debuggers show these lines for that file, whatever becomes of a file of that name."""
    linecache.cache[filename] = (sum(map(len, lines)), None, list(lines), filename)
