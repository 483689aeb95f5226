"""Type stubs of ``KSR`` for editors and type checkers, from the KEMI tables and the declarations here.

    python -m ksrcore.kemi.stubs core/KSR-stubs

writes them anew. What may return Kamailio's null is ``Any | None`` (text or a number, which one the variable decides):
the functions that put something in its place (named ``gete``: an empty text, ``getw``: ``<<null>>``, ``getvs`` and
``getvn``: what is given) are not.
"""

from __future__ import annotations

import keyword
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

from . import MODULES, known
from .declare import Decl

_HEAD = "# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.\n"
_RETURNS = {"int": "int", "bool": "bool", "none": "None", "str": "str", "xval": "Any | None"}


def never_null(name: str) -> bool:
    """Whether a getter gives something in place of null: ``sht_gete``, ``getw``, ``gete_idx``."""
    return any(part in ("gete", "getw", "getvs", "getvn") for part in name.split("_"))


def declarations() -> list[Decl]:
    """Every KEMI function, those that are implemented with their own names and documentation."""
    own = {(d.module, d.name): d for module in MODULES for d in module.exports.values()}
    found = {(d.module, d.name): d for d in known()} | own
    return [found[key] for key in sorted(found)]


def stubs(decls: Iterable[Decl]) -> dict[str, str]:
    """The stub files by name: ``__init__.pyi`` and one for each module."""
    modules: dict[str, list[Decl]] = {"": []}
    for decl in decls:
        # Kamailio's module async cannot be named in Python: `KSR.async` does not compile.
        if not keyword.iskeyword(decl.module) and not keyword.iskeyword(decl.name):
            modules.setdefault(decl.module, []).append(decl)
    names = sorted(filter(None, modules))
    imports = "".join(f"from . import {name} as {name}\n" for name in names)
    files = {
        "__init__.pyi": f'{_HEAD}"""Kamailio\'s KEMI interface."""\n\nfrom typing import Any\n\n{imports}\n'
        + _functions(modules[""])
    }
    for name in names:
        doc = f'"""KEMI functions of Kamailio\'s module {name}."""\n\nfrom typing import Any\n\n'
        files[f"{name}.pyi"] = _HEAD + doc + _functions(modules[name])
    return files


def _functions(decls: Iterable[Decl]) -> str:
    return "\n".join(map(_function, decls))


def _function(decl: Decl) -> str:
    params = [f"{name}: {kind}" for name, kind in zip(decl.names, decl.params, strict=True)]
    if params:
        params.append("/")  # KEMI functions take no keywords
    if decl.variadic:
        params.append("*args: int | str")
    ret = _RETURNS[decl.ret]
    if decl.ret == "xval" and never_null(decl.name):
        ret = "Any"
    head = f"def {decl.name}({', '.join(params)}) -> {ret}:"
    if not decl.doc:
        return f"{head} ...\n"
    doc = decl.doc.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if doc.endswith('"'):
        doc += " "
    if "\n" not in doc:
        return f'{head}\n    """{doc}"""\n'
    body = textwrap.indent(doc, "    ")
    return f'{head}\n    """{body.strip()}\n    """\n'


def write(folder: Path) -> None:
    """Write the stubs into ``folder`` and remove those of modules that are not there any more."""
    folder.mkdir(parents=True, exist_ok=True)
    files = stubs(declarations())
    for old in folder.glob("*.pyi"):
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m ksrcore.kemi.stubs FOLDER")
    write(Path(sys.argv[1]))
