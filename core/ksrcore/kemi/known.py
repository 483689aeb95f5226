"""Every KEMI function of Kamailio, whether implemented here or not: from ``known.txt`` beside this file.

The table merges what a running Kamailio 5.6.3 lists and what the sources of 6.2-dev export. What functions do that are
not implemented here is in ``known_doc.txt``, a line each.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from .declare import Decl

_TYPES = {"i": "int", "s": "str"}
_RETURNS = {"i": "int", "b": "bool", "n": "none", "x": "xval"}

#: The versions of Kamailio in the table, oldest first.
VERSIONS = ("5.6.3", "6.2-dev")


def _lines(file: str) -> Iterator[tuple[str, str, str]]:
    """Module, name and the rest of each line; a line "[module]" begins a module's functions."""
    module = ""
    for line in files(__package__).joinpath(file).read_text("ascii").splitlines():
        if line.startswith("["):
            module = line[1:-1]
        elif line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            yield module, name, rest


@cache
def _table() -> dict[tuple[str, str], tuple[Decl, tuple[str, ...]]]:
    # A function is "name return params [versions]": return i int, b bool, n nothing, x str, int or None; params a
    # string of i (int) and s (str), "-" for none; versions 5 or 6 when only one of them has it.
    table: dict[tuple[str, str], tuple[Decl, tuple[str, ...]]] = {}
    docs = {(module, name): text for module, name, text in _lines("known_doc.txt")}
    for module, name, rest in _lines("known.txt"):
        ret, params, *only = rest.split()
        kinds = () if params == "-" else tuple(_TYPES[letter] for letter in params)
        versions = VERSIONS if not only else VERSIONS[:1] if only[0] == "5" else VERSIONS[1:]
        table[module, name] = (
            Decl(module, name, kinds, _RETURNS[ret], doc=docs.get((module, name), "")),
            versions,
        )
    return table


def known() -> list[Decl]:
    """The declarations of all functions, modules and names in alphabetical order."""
    return [decl for decl, _ in _table().values()]


def find(module: str, name: str) -> Decl | None:
    """The declaration of one function (module '' is the core), None when no Kamailio has it."""
    entry = _table().get((module, name))
    return entry[0] if entry is not None else None


def versions(module: str, name: str) -> tuple[str, ...]:
    """The versions of Kamailio that have the function, () when none has."""
    entry = _table().get((module, name))
    return entry[1] if entry is not None else ()
