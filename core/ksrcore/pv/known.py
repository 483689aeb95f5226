"""Every pseudo-variable and transformation of Kamailio, implemented here or not: from ``known.txt`` in this folder."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["module_of"]


@cache
def _table() -> dict[str, str]:
    # A line is "module,module: name name ...".
    table = {}
    for line in files(__package__).joinpath("known.txt").read_text("ascii").splitlines():
        if not line.startswith("#"):
            modules, _, names = line.partition(": ")
            table.update(dict.fromkeys(names.split(), modules))
    return table


def module_of(name: str) -> str:
    """The Kamailio modules that have the variable ``name`` or the transformation ``{class.operation}``, '' for none."""
    return _table().get(name, "")
