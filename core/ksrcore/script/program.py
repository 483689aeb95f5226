"""What a script's text consists of: functions and constants that can be replaced one by one, and everything else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO

from .engine import ScriptError

#: (class, name); class '' for what the module itself defines.
Place = tuple[str, str]


def attribute(place: Place) -> str:
    """Under which name its class or module has it: private names of classes are mangled."""
    cls, name = place
    if cls and name.startswith("__") and not name.endswith("__"):
        return f"_{cls.lstrip('_')}{name}"
    return name


@dataclass
class Item:
    """A function or constant in a text. Lines count from 1; ``first`` is that of its first decorator.

    ``fixed`` says why it cannot be replaced alone: it is defined under a condition, or twice; '' when it can.
    ``inline``: other code stands on its lines.
    """

    cls: str
    name: str
    kind: str
    node: ast.FunctionDef | ast.Assign | ast.AnnAssign
    first: int
    last: int
    source: str
    fixed: str = ""
    inline: bool = False
    #: It can be written back: there is one of that name.
    single: bool = True

    @property
    def place(self) -> Place:
        return self.cls, self.name

    @cached_property
    def shape(self) -> str:
        """The code without layout and comments: equal texts do the same."""
        return ast.dump(self.node)


@dataclass
class Rest:
    """A statement that only loading the whole script can change; ``what`` it is, for people."""

    line: int
    shape: str
    what: str
    node: ast.stmt


@dataclass
class ClassHead:
    """A class of the text: its line and last line, and bases, keywords and decorators as one text ('': none)."""

    line: int
    last: int
    head: str
    indent: str


@dataclass
class Program:
    text: str
    lines: list[str]
    tree: ast.Module
    items: dict[Place, Item] = field(default_factory=dict)
    rest: list[Rest] = field(default_factory=list)
    classes: dict[str, ClassHead] = field(default_factory=dict)

    def own(self, cls: str) -> list[Item]:
        """The items of a class, or of the module itself (''), in the order of the text."""
        return sorted((item for item in self.items.values() if item.cls == cls), key=lambda item: item.first)


def split_lines(text: str) -> list[str]:
    """The lines as Python counts them (``str.splitlines`` also splits at form feeds and others), with their ends."""
    return list(StringIO(text, newline=""))


def parse(text: str, filename: str = "<text>") -> ast.Module:
    """The text as a module; text that is indented as a whole, such as a method copied from its class, is fine.

    It is not dedented: that would change the strings in it. Raises SyntaxError and ValueError (null bytes).
    """
    lines = split_lines(text)
    code = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    if code[:1] not in (" ", "\t"):
        return ast.parse(text, filename)
    try:
        tree = ast.parse("if 1:\n" + text, filename)
    except SyntaxError as error:
        error.lineno = max(1, (error.lineno or 1) - 1)
        raise
    (block,) = tree.body[:1]
    assert isinstance(block, ast.If)
    ast.increment_lineno(tree, -1)
    return ast.Module(body=[*block.body, *tree.body[1:]], type_ignores=[])


def read(text: str, filename: str = "<text>") -> Program:
    """The parts of a script's text. Raises :class:`ScriptError` when it does not compile."""
    try:
        tree = parse(text, filename)
    except SyntaxError as error:
        raise ScriptError(f"does not compile: {error.msg}", filename, error.lineno or 0) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ScriptError(f"does not compile: {error or 'too complex'}", filename) from None
    program = Program(text, split_lines(text), tree)
    _body(program, tree.body, "")
    return program


def literal(node: ast.AST) -> ast.expr | None:
    """The value of ``NAME = literal``, None for every other statement."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target, value = node.targets[0], node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        target, value = node.target, node.value
    else:
        return None
    if not isinstance(target, ast.Name):
        return None
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return value


def _body(program: Program, body: list[ast.stmt], cls: str) -> None:
    nodes: list[tuple[ast.stmt, str, str]] = []
    for node in body:
        if isinstance(node, ast.FunctionDef):
            nodes.append((node, node.name, "function"))
        elif literal(node) is not None:
            nodes.append((node, _target(node), "constant"))
        else:
            _other(program, node, cls)
    times = {name: 1 for name in _bound(body)}  # by other statements: X = None, and then X = find()
    for _, name, _ in nodes:
        times[name] = times.get(name, 0) + 1
    for node, name, kind in nodes:
        fixed = f"{name} is defined more than once" if times[name] > 1 else ""
        _add(program, node, cls, name, kind, fixed)
        program.items[cls, name].single = not fixed
        if fixed:
            program.rest.append(Rest(node.lineno, ast.dump(node), fixed, node))


def _bound(body: list[ast.stmt]) -> set[str]:
    """The names that statements other than functions, classes and constants bind."""
    found: set[str] = set()
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef) or literal(statement) is not None:
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                found.add(node.id)
            elif isinstance(node, ast.alias):
                found.add(node.asname or node.name.partition(".")[0])
    return found


def _target(node: ast.stmt) -> str:
    assert isinstance(node, ast.Assign | ast.AnnAssign)
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    assert isinstance(target, ast.Name)
    return target.id


def _other(program: Program, node: ast.stmt, cls: str) -> None:
    if isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ):
        return
    if isinstance(node, ast.ClassDef) and not cls:
        first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
        head = ast.dump(
            ast.ClassDef(
                name=node.name, bases=node.bases, keywords=node.keywords, decorator_list=node.decorator_list, body=[]
            )
        )
        plain = not (node.bases or node.keywords or node.decorator_list)
        inner = program.lines[node.body[0].lineno - 1] if node.body[0].lineno > node.lineno else ""
        indent = inner[: len(inner) - len(inner.lstrip())] or "    "
        if node.name in program.classes:
            program.rest.append(Rest(first, head, f"class {node.name} is defined more than once", node))
        program.classes[node.name] = ClassHead(first, node.end_lineno or first, "" if plain else head, indent)
        _body(program, node.body, node.name)
        return
    program.rest.append(Rest(node.lineno, f"{cls}: {ast.dump(node)}", _what(node, cls), node))
    # What is defined under a condition has versions too, but changes with the whole script only.
    for inside in _blocks(node):
        if isinstance(inside, ast.FunctionDef):
            name = inside.name
            again = (cls, name) in program.items
            why = f"{name} is defined more than once" if again else f"{name} is defined under a condition"
            _add(program, inside, cls, name, "function", why)
            program.items[cls, name].single = not again


def _blocks(node: ast.stmt) -> Iterator[ast.stmt]:
    if isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While):
        for block in ("body", "orelse", "finalbody"):
            for inside in getattr(node, block, ()):
                yield inside
                yield from _blocks(inside)
        for handler in getattr(node, "handlers", ()):
            for inside in handler.body:
                yield inside
                yield from _blocks(inside)


def _what(node: ast.stmt, cls: str) -> str:
    where = f" in class {cls}" if cls else ""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return f"{ast.unparse(node)}{where}"
    if isinstance(node, ast.AsyncFunctionDef):
        return f"async def {node.name}{where}: the proxy calls functions, it awaits nothing"
    if isinstance(node, ast.ClassDef):
        return f"class {node.name}{where}"
    text = ast.unparse(node).split("\n", 1)[0]
    return f"`{text if len(text) < 60 else text[:57] + '...'}`{where}"


def _add(program: Program, node: ast.stmt, cls: str, name: str, kind: str, fixed: str) -> None:
    assert isinstance(node, ast.FunctionDef | ast.Assign | ast.AnnAssign)
    decorators = getattr(node, "decorator_list", None)
    first = decorators[0].lineno if decorators else node.lineno
    last = node.end_lineno or node.lineno
    lines = program.lines
    tail = lines[last - 1].encode()[node.end_col_offset :].strip() if node.end_col_offset is not None else b""
    # Decorators begin after their @.
    head = lines[first - 1].encode()[: node.col_offset].strip()
    inline = bool(head) or bool(tail and not tail.startswith(b"#"))
    if kind == "function":
        last = _with_comments(lines, last, node.col_offset)
    item = Item(cls, name, kind, node, first, last, "".join(lines[first - 1 : last]), fixed, inline)
    program.items[cls, name] = item


def _with_comments(lines: list[str], last: int, col: int) -> int:
    """The last line of a function whose code ends at ``last``: comments below it, deeper than it, are its own."""
    end = last
    for at in range(last, len(lines)):
        text = lines[at].strip()
        if not text:
            continue
        if not text.startswith("#") or len(lines[at]) - len(lines[at].lstrip()) <= col:
            break
        end = at + 1
    return end


@dataclass
class Changes:
    """How a text differs from an older one. ``reload``: why the whole script must be loaded, '' when it need not."""

    changed: list[Item] = field(default_factory=list)
    added: list[Item] = field(default_factory=list)
    removed: list[Item] = field(default_factory=list)
    reload: str = ""
    line: int = 0

    def __bool__(self) -> bool:
        return bool(self.changed or self.added or self.removed or self.reload)


def changes(old: Program, new: Program) -> Changes:
    """What became of ``old``: compared by code, so that layout and comments do not count."""
    found = Changes()
    before, after = [rest.shape for rest in old.rest], [rest.shape for rest in new.rest]
    if before != after:
        for program, others, verb in ((new, before, "new or changed"), (old, after, "gone")):
            for rest in program.rest:
                if rest.shape not in others:
                    found.reload, found.line = f"{rest.what} is {verb}", rest.line if program is new else 0
                    return found
        found.reload = "statements outside of functions changed their order"
        return found
    for name, head in new.classes.items():
        known = old.classes.get(name)
        if known is None or known.head != head.head:
            found.reload = f"class {name} is new" if known is None else f"the bases or decorators of {name} changed"
            found.line = head.line
            return found
    for name in old.classes:
        if name not in new.classes:
            found.reload = f"class {name} is gone"
            return found
    for place, item in new.items.items():
        was = old.items.get(place)
        if was is None or was.kind != item.kind:
            found.added.append(item)
        elif was.shape != item.shape and not item.fixed:
            found.changed.append(item)
    found.removed = [item for place, item in old.items.items() if place not in new.items]
    return found
