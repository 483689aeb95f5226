"""Makes the notebooks (``*.ipynb``) from ``sources/*.md``: ``python notebooks/build.py`` (``--check``: only compares).

A source is Markdown. Each code block marked ``python`` is a code cell, what stands between two is a Markdown cell,
other code blocks are part of the text. Behind ``python``: ``exercise`` (the reader's cell; the next block, marked
``solution``, goes below the check, folded), ``check`` (shown folded), ``raises`` (its error is meant). Lines behind a
code block that begin with ``=> `` are text that its output must have (``=> html:`` its HTML): the tests look.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FENCE = "```"


class SourceError(Exception):
    """A source cannot be made into a notebook: file, line, why."""


def build(text: str, name: str) -> dict[str, Any]:
    """The notebook of a source."""
    cells: list[dict[str, Any]] = []
    prose: list[str] = []
    solution = ""
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        words = line.removeprefix(FENCE + "python").split()
        if line.startswith("=> "):
            if prose or not cells or cells[-1]["cell_type"] != "code":
                raise SourceError(f"{name}:{number}: => belongs right behind a code block")
            cells[-1]["metadata"].setdefault("ksr", {}).setdefault("expect", []).append(line[3:])
            continue
        if not line.startswith(FENCE + "python"):
            if line.strip() or prose:
                prose.append(line)
            continue
        code: list[str] = []
        for _, inner in lines:
            if inner == FENCE:
                break
            code.append(inner)
        else:
            raise SourceError(f"{name}:{number}: the code block does not end")
        source = "\n".join(code)
        if words == ["solution"]:
            if prose or not cells or _role(cells[-1]) != "exercise":
                raise SourceError(f"{name}:{number}: a solution belongs right behind its exercise")
            solution = source
            cells[-1]["metadata"]["ksr"]["solution"] = source
            continue
        if prose:
            cells.append(_cell("markdown", "\n".join(prose), name, {}))
            prose = []
        cells.append(_cell("code", source, name, _metadata(words, f"{name}:{number}")))
        if words == ["check"]:
            if not solution:
                raise SourceError(f"{name}:{number}: a check without an exercise and its solution before it")
            folded = f"<details>\n<summary>A solution</summary>\n\n{FENCE}python\n{solution}\n{FENCE}\n</details>"
            cells.append(_cell("markdown", folded, name, {}))
            solution = ""
    if prose:
        cells.append(_cell("markdown", "\n".join(prose), name, {}))
    _distinct(cells)
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "KSR (SIP routing)", "language": "python", "name": "ksr"},
            "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _metadata(words: list[str], place: str) -> dict[str, Any]:
    if not words:
        return {}
    if words == ["exercise"]:
        return {"ksr": {"role": "exercise"}}
    if words == ["check"]:
        return {"ksr": {"role": "check"}, "jupyter": {"source_hidden": True}}
    if words == ["raises"]:
        return {"tags": ["raises-exception"]}
    raise SourceError(f"{place}: expected exercise, solution, check or raises behind python, got {' '.join(words)!r}")


def _role(cell: dict[str, Any]) -> str:
    return str(cell["metadata"].get("ksr", {}).get("role", ""))


def _cell(kind: str, source: str, name: str, metadata: dict[str, Any]) -> dict[str, Any]:
    source = source.strip("\n")
    # An id stays while its cell stays as it is, whatever comes before it.
    id = hashlib.sha256(f"{name} {kind} {source}".encode()).hexdigest()[:12]
    cell: dict[str, Any] = {"cell_type": kind, "id": id, "metadata": metadata, "source": source.splitlines(True)}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return dict(sorted(cell.items()))


def _distinct(cells: list[dict[str, Any]]) -> None:
    seen: dict[str, int] = {}
    for cell in cells:
        count = seen[cell["id"]] = seen.get(cell["id"], 0) + 1
        if count > 1:
            cell["id"] += f"-{count}"


def notebooks() -> dict[Path, str]:
    """Every notebook's path and text, as the sources have it."""
    made = {}
    for source in sorted((HERE / "sources").glob("*.md")):
        notebook = build(source.read_text(encoding="utf-8"), source.stem)
        made[HERE / f"{source.stem}.ipynb"] = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    return made


def stale() -> list[Path]:
    """The notebooks that are not as their sources, and those that have none."""
    made = notebooks()
    differing = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    return differing + [path for path in sorted(HERE.glob("*.ipynb")) if path not in made]


def main() -> int:
    try:
        if sys.argv[1:] == ["--check"]:
            found = stale()
            for path in found:
                sys.stderr.write(f"{path.name} is not as its source: python notebooks/build.py\n")
            return int(bool(found))
        for path, text in notebooks().items():
            path.write_text(text, encoding="utf-8")
    except SourceError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
