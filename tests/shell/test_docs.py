"""The documents name what there is: commands, names of the prompt, magics; and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from ksrshell import magics
from ksrshell.main import COMMANDS, main
from ksrshell.namespace import TOPICS

FOLDER = Path(__file__).parents[2] / "docs"
SHELL = (FOLDER / "shell.md").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command(name: str) -> None:
    assert f"`ksrshell {name}" in SHELL


@pytest.mark.parametrize("name", [name for name, _, _ in TOPICS])
def test_every_name_of_the_prompt(name: str) -> None:
    assert re.search(rf"\b{name}\b", SHELL)


@pytest.mark.parametrize("name", sorted({f"%{name}" for name in magics.LINE} | {f"%%{name}" for name in magics.CELL}))
def test_every_magic(name: str) -> None:
    assert re.search(rf"(?<!%){name}\b", SHELL)


def test_every_option_of_serve_is_somewhere() -> None:
    serve = main.get_command(click.Context(main), "serve")
    assert serve is not None
    text = "".join(page.read_text() for page in FOLDER.glob("*.md"))
    options = [param for param in serve.params if isinstance(param, click.Option) and not param.hidden]
    names = [max(param.opts, key=len) for param in options]
    assert [name for name in names if name not in text] == []


@pytest.mark.parametrize("page", sorted(FOLDER.glob("*.md")), ids=lambda page: str(page.name))
def test_links(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target
