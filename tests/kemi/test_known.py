"""ksrcore.kemi.known: the table of all KEMI functions, and that what is implemented agrees with it."""

from __future__ import annotations

from importlib.resources import files

import pytest

from ksrcore.kemi import MODULES
from ksrcore.kemi.catalog import Function, functions
from ksrcore.kemi.declare import SUMMARY, Decl
from ksrcore.kemi.known import VERSIONS, find, known, versions

#: Not in Kamailio's tables: the engines themselves add KSR.x.
OUTSIDE = {"x"}

IMPLEMENTED = [decl for module in MODULES for decl in module.exports.values() if decl.module not in OUTSIDE]


def test_the_table_is_whole() -> None:
    every = known()
    assert len(every) == 1430
    assert len({(decl.module, decl.name) for decl in every}) == len(every)
    assert sum("5.6.3" in versions(decl.module, decl.name) for decl in every) == 1128
    assert sum("6.2-dev" in versions(decl.module, decl.name) for decl in every) == 1423


@pytest.mark.parametrize("decl", IMPLEMENTED, ids=lambda decl: str(decl.path))
def test_types_are_kamailios(decl: Decl) -> None:
    table = find(decl.module, decl.name)
    assert table is not None, f"no Kamailio has {decl.path}"
    assert (decl.params, decl.ret) == (table.params, table.ret)


@pytest.mark.parametrize("function", functions({}), ids=lambda function: str(function.decl.path))
def test_a_line_says_what_it_does(function: Function) -> None:
    line = function.decl.summary
    assert 10 <= len(line) <= SUMMARY, line
    assert line.endswith(".")
    assert line.isprintable()


def test_lines_are_of_functions_that_there_are() -> None:
    text = files("ksrcore.kemi").joinpath("known_doc.txt").read_text("ascii")
    found = []
    module = ""
    for line in text.splitlines():
        if line.startswith("["):
            module = line[1:-1]
        elif not line.startswith("#"):
            found.append((module, line.partition(" ")[0]))
    assert len(set(found)) == len(found)
    assert [key for key in found if not versions(*key)] == []


def test_the_line_is_the_beginning_of_the_documentation() -> None:
    def line(doc: str) -> str:
        return Decl("x", "f", (), "int", doc=doc).summary

    assert line("") == ""
    assert line("Do ``this``.\n\nAnd more.") == "Do this."
    assert line("Do this\nand that.") == "Do this and that."
    assert line("Do this. The flags are:\n\n1 that") == "Do this."
    assert line("Do this; " + "1 is that, " * 12 + "2.") == "Do this."


def test_a_function_of_one_version() -> None:
    assert versions("", "is_TCPX") == VERSIONS[1:]
    assert versions("", "is_TCP") == VERSIONS
    assert versions("app_sqlang", "run") == VERSIONS[:1]
    assert versions("", "nope") == ()
    assert find("", "nope") is None


def test_no_module_is_listed_twice() -> None:
    names = [module.name for module in MODULES]
    assert len(set(names)) == len(names)
