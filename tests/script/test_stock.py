"""Every function of whole scripts swapped, saved, loaded again and rolled back."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ksrshell
from lab.needs import STOCK_SCRIPT, need_file

Start = Callable[..., Any]

DEMO = Path(ksrshell.__file__ or "").parent / "demo" / "routing.py"


@pytest.mark.parametrize("path", [DEMO, STOCK_SCRIPT], ids=["demo", "stock"])
def test_each_function_there_and_back(start: Start, path: Path) -> None:
    text = need_file(path, package="kamailio").read_text()
    world = start(text)
    script = world.script
    names = [route.name for route in script.routes() if route.name not in ("mod_init", "child_init", "__init__")]
    assert len(names) > 5
    for name in names:
        head, line, body = script.route(name).version.source.partition("\n")
        first = next(each for each in body.splitlines() if each.strip())
        indent = first[: len(first) - len(first.lstrip())]
        assert script.swap(f"{head}{line}{indent}mark = {name!r}\n{body}").numbers == {name: 2}
    assert sorted(script.swaps.save()[1]) == sorted(names)
    saved = world.path.read_text()
    before, after = text.splitlines(), saved.splitlines()
    added = [line for line in after if line.strip().startswith("mark = ")]
    assert [line for line in after if line not in added] == before
    assert len(added) == len(names)
    script.reload()
    assert {name: script.route(name).current for name in names} == dict.fromkeys(names, 3)
    for name in names:
        script.rollback(name, 1)
    script.swaps.save()
    assert world.path.read_text() == text
    assert ast.dump(ast.parse(world.path.read_text())) == ast.dump(ast.parse(text))
