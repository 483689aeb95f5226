"""ksrcore.kemi.known: the table of all KEMI functions, and that what is implemented agrees with it."""

from __future__ import annotations

import pytest

from ksrcore.kemi import MODULES
from ksrcore.kemi.declare import Decl
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


def test_a_function_of_one_version() -> None:
    assert versions("", "is_TCPX") == VERSIONS[1:]
    assert versions("", "is_TCP") == VERSIONS
    assert versions("app_sqlang", "run") == VERSIONS[:1]
    assert versions("", "nope") == ()
    assert find("", "nope") is None


def test_no_module_is_listed_twice() -> None:
    names = [module.name for module in MODULES]
    assert len(set(names)) == len(names)
