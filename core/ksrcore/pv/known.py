"""Every pseudo-variable and transformation of Kamailio, implemented here or not, and a line on each variable that is:
from ``known.txt`` and ``doc.txt`` in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

__all__ = ["doc_of", "module_of"]


def _lines(file: str) -> Iterator[tuple[str, str]]:
    """What stands before and after the first ``: `` of each line."""
    for line in files(__package__).joinpath(file).read_text("ascii").splitlines():
        if not line.startswith("#"):
            before, _, after = line.partition(": ")
            yield before, after


@cache
def _table() -> dict[str, str]:
    return {name: modules for modules, names in _lines("known.txt") for name in names.split()}


@cache
def _docs() -> dict[str, str]:
    return {name: text for names, text in _lines("doc.txt") for name in names.split()}


def module_of(name: str) -> str:
    """The Kamailio modules that have the variable ``name`` or the transformation ``{class.operation}``, '' for none."""
    return _table().get(name, "")


def doc_of(name: str) -> str:
    """A line that says what the variable ``name`` is, '' for one that is not implemented."""
    return _docs().get(name, "")
