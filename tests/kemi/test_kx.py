"""KSR.kx: every call as recorded from Kamailio 5.6.3, and what is another on purpose."""

from __future__ import annotations

import pytest

from lab.observed import Case, check, load

from .conftest import MakeRun

DIFFERS: dict[str, dict[str, str]] = {}


@pytest.mark.parametrize("case", load("kx"), ids=lambda case: str(case["name"]))
def test_as_in_kamailio(case: Case) -> None:
    check(case, DIFFERS)


def test_defines_and_environment(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    # As recorded from Kamailio 5.6.3 with "#!define FOO abc" and "#!define BAR 15".
    monkeypatch.setenv("KSRNUM", "12")
    monkeypatch.setenv("KSRTXT", "hello")
    bench = make_run(load("kx")[0]["text"])
    bench.proxy.defines.update(FOO="abc", BAR="15")
    kx = bench.KSR.kx
    names = ("FOO", "BAR", "NOPE", "KSRNUM", "KSRTXT", "")
    assert [kx.get_def(name) for name in names] == ["abc", "15", "", "", "", ""]
    assert [kx.get_defn(name) for name in names] == [0, 15, 0, 0, 0, 0]
    assert [kx.get_env(name) for name in names] == ["", "", "", "12", "hello", ""]
    assert [kx.get_envn(name) for name in names] == [0, 0, 0, 12, 0, 0]
    assert [kx.ifdef(name) for name in names] == [True, True, False, False, False, False]
    assert [kx.ifndef(name) for name in names] == [False, False, True, True, True, True]
