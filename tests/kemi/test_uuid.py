"""KSR.uuid and $uuid."""

from __future__ import annotations

import uuid

import pytest

from ksrcore.kemi.declare import KsrError
from lab.sequence import WALL, Bench


def test_versions() -> None:
    bench = Bench()
    calls = ["KSR.uuid.get()", "KSR.uuid.rget()", "KSR.uuid.tget()"]
    calls += [f"KSR.pv.get('$uuid({kind})')" for kind in ("g", "r", "x", "t", "s")]
    got = bench.request({}, calls)[0]
    assert [uuid.UUID(text).version for text in got[:-1]] == [4, 4, 1, 4, 4, 4, 1]
    assert got[-1] is None and len(set(got)) == len(got)
    assert abs((uuid.UUID(got[2]).time - 0x01B21DD213814000) / 1e7 - WALL) < 1


def test_without_a_name() -> None:
    with pytest.raises(KsrError, match=r"expected \$uuid\(g\)"):
        Bench().request({}, ["KSR.pv.get('$uuid()')"])
