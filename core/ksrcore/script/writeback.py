"""Swapped functions back into the script's text, touching only their lines."""

from __future__ import annotations

import io
import os
import stat
import tempfile
import tokenize
from collections.abc import Mapping
from pathlib import Path

from .engine import ScriptError
from .program import Item, Place, Program, read, split_lines


def reindent(source: str, prefix: str) -> str:
    """``source`` with its first line's indentation replaced by ``prefix``; the inside of strings stays as it is."""
    lines = split_lines(source)
    code = next((line for line in lines if line.strip()), "")
    base = code[: len(code) - len(code.lstrip())]
    kept = _inside_strings(source, base)
    made = []
    for number, line in enumerate(lines, 1):
        if number in kept:
            made.append(line)
        elif not line.strip():
            made.append(line.lstrip(" \t"))
        elif line.startswith(base):
            made.append(prefix + line[len(base) :])
        else:  # a comment, or a line inside brackets, further to the left
            made.append(prefix + line.lstrip(" \t"))
    return "".join(made)


def _inside_strings(source: str, base: str) -> set[int]:
    """The numbers of lines that begin inside a string literal."""
    found: set[int] = set()
    shift = 1 if base else 0
    text = f"if 1:\n{source}" if base else source
    opened: list[int] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
            name = tokenize.tok_name[token.type]
            if name == "STRING":
                found.update(range(token.start[0] + 1 - shift, token.end[0] + 1 - shift))
            elif name == "FSTRING_START":  # Python 3.12 and later: an f-string is many tokens
                opened.append(token.start[0])
            elif name == "FSTRING_END":
                found.update(range(opened.pop() + 1 - shift, token.end[0] + 1 - shift))
    except (tokenize.TokenError, IndentationError):
        pass
    return found


def rewrite(program: Program, sources: Mapping[Place, tuple[str, str] | None], path: str) -> str:
    """The text with these items as given: (kind, source), or None to take it out. Everything else stays byte for byte.

    New items go behind the last one of their kind in the same class or module. Raises :class:`ScriptError` naming
    ``path`` when an item cannot be written where it is.
    """
    end = "\r\n" if program.text.count("\r\n") * 2 > program.text.count("\n") else "\n"
    edits: list[tuple[int, int, list[str]]] = []
    added: dict[tuple[int, str], list[str]] = {}
    for (cls, name), wanted in sources.items():
        item = program.items.get((cls, name))
        if item is not None:
            if item.inline or not item.single:
                why = item.fixed if not item.single else "other code stands on its lines"
                raise ScriptError(f"{name} cannot be written back: {why}", path, item.first)
            edits.append(_edit(program, item, wanted, end))
        elif wanted is not None:
            at, prefix, gap = _room(program, cls, wanted[0], path)
            block = added.setdefault((at, wanted[0]), [])
            if wanted[0] == "function" or not block:
                block += [end] * gap
            block += _lines(wanted[1], prefix, end)
    edits += [(at + 1, at, block) for (at, _), block in added.items()]
    lines = list(program.lines)
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += end
    for first, last, new in sorted(edits, key=lambda edit: (edit[0], edit[1]), reverse=True):
        lines[first - 1 : last] = new
    text = "".join(lines)
    _verify(text, sources, path)
    return text


def _edit(program: Program, item: Item, wanted: tuple[str, str] | None, end: str) -> tuple[int, int, list[str]]:
    if wanted is not None:
        line = program.lines[item.first - 1]
        return item.first, item.last, _lines(wanted[1], line[: len(line) - len(line.lstrip())], end)
    first, last = item.first, item.last
    while first > 1 and not program.lines[first - 2].strip():
        first -= 1
    return first, last, []


def _lines(source: str, prefix: str, end: str) -> list[str]:
    lines = split_lines(reindent(source.strip("\r\n") + "\n", prefix))
    return [line.rstrip("\r\n") + end for line in lines]


def _room(program: Program, cls: str, kind: str, path: str) -> tuple[int, str, int]:
    """Behind which line something new goes, its indentation, and how many empty lines come before it."""
    if cls and cls not in program.classes:
        raise ScriptError(f"cannot be written back: the file has no class {cls}", path)
    siblings = [item for item in program.own(cls) if item.kind == kind and not item.fixed]
    functions = [item for item in program.own(cls) if item.kind == "function" and not item.fixed]
    if kind == "constant":
        starts = [item.first for item in functions]
        starts += [head.line for head in program.classes.values()] if not cls else []
        before = [item for item in siblings if item.first < min(starts, default=1 << 30)]
        if before:
            return before[-1].last, _indent(program, before[-1]), 0
        if cls:
            return program.classes[cls].line + _docstring(program, cls), program.classes[cls].indent, 0
        return _after_imports(program), "", 1
    if siblings:
        last = siblings[-1]
        blank = 0
        if len(siblings) > 1:
            while last.first - 2 - blank >= 0 and not program.lines[last.first - 2 - blank].strip():
                blank += 1
        return last.last, _indent(program, last), blank or (1 if cls else 2)
    if cls:
        return program.classes[cls].last, program.classes[cls].indent, 1
    return len(program.lines), "", 2


def _indent(program: Program, item: Item) -> str:
    line = program.lines[item.first - 1]
    return line[: len(line) - len(line.lstrip())]


def _docstring(program: Program, cls: str) -> int:
    """How many lines of a class stand before its first statement that is not its docstring."""
    import ast

    node = next(n for n in program.tree.body if isinstance(n, ast.ClassDef) and n.name == cls)
    head = node.body[0].lineno - program.classes[cls].line
    if ast.get_docstring(node, clean=False) is not None:
        return (node.body[0].end_lineno or 0) - program.classes[cls].line
    return head - 1


def _after_imports(program: Program) -> int:
    import ast

    last = 0
    for at, node in enumerate(program.tree.body):
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and at == 0
        if isinstance(node, ast.Import | ast.ImportFrom) or text:
            last = node.end_lineno or last
    return last


def _verify(text: str, sources: Mapping[Place, tuple[str, str] | None], path: str) -> None:
    """What was written must read as what runs: layout has its corners, and the file is the user's."""
    after = read(text, path)
    for place, wanted in sources.items():
        item = after.items.get(place)
        if wanted is None:
            if item is not None:
                raise ScriptError(f"{place[1]} cannot be taken out of the file", path, item.first)
            continue
        (want,) = read(wanted[1], path).items.values()
        if item is None or item.shape != want.shape:
            raise ScriptError(f"{place[1]} cannot be written back so that it reads the same", path)


def replace_file(path: Path, data: bytes) -> None:
    """Write ``data`` in the place of a file, whole or not at all, with its mode. Raises :class:`OSError`."""
    path = path.resolve()
    mode = stat.S_IMODE(path.stat().st_mode)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
