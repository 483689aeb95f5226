"""``ksr.capture.get`` and ``ksr.capture.add``."""

from __future__ import annotations

from typing import Any

import pytest

from capture.samples import message
from ksrcore.control.captures import MOST, CaptureMethods
from ksrcore.control.errors import ControlError
from ksrcore.net.address import Listen
from ksrcore.proxy import Proxy


@pytest.fixture
def methods() -> CaptureMethods:
    return CaptureMethods(Proxy(transmit=lambda data, dest: True, listens=[Listen("udp", "127.0.0.1", 5060)]))


def given(**changes: Any) -> dict[str, Any]:
    return {
        "time": 1.5, "proto": "udp", "src": ["10.0.0.1", 5062], "dst": ["10.0.0.9", 5060],
        "data": message().decode(), "conid": 0, "out": False, **changes,
    }  # fmt: skip


def test_there_and_back(methods: CaptureMethods) -> None:
    one = given()
    two = given(out=True, src=["10.0.0.9", 5060], dst=["10.0.0.1", 5062], cause=-1)
    assert methods.add([one, two], "x.pcap") == {"ids": [1, 2], "room": 10_000}
    found = methods.get([1, 2, 3])["messages"]
    assert found == [{"id": 1, "cause": 0, "ran": [], **one}, {"id": 2, "ran": [], **two, "cause": 1}]
    recorder = methods.proxy.recorder
    assert [r.origin for r in recorder] == ["x.pcap"] * 2
    assert [r.sent for r in recorder] == [(2,), ()]
    assert methods.add([given(cause=1)], "x")["ids"] == [3]
    assert recorder.records[0].sent == (2, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        None, [], {}, given(proto="carrier pigeon"), given(src=["host", 1]), given(src=["10.0.0.1"]),
        given(data="\u20ac"),
        given(data=5), given(time="x"), given(dst=["10.0.0.1", 70000]), given(time=-1), given(time=float("1e30")),
        given(data="x" * 70_000), given(cause="x"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(methods: CaptureMethods, wrong: Any) -> None:
    with pytest.raises(ControlError, match=r"ksr.capture.add: messages are objects with time, proto"):
        methods.add([given(), wrong], "x")
    assert not methods.proxy.recorder.records


def test_so_many_at_once(methods: CaptureMethods) -> None:
    why = "at most 500 messages in one call, got 501"
    with pytest.raises(ControlError, match=why):
        methods.get([1] * (MOST + 1))
    with pytest.raises(ControlError, match=why):
        methods.add([given()] * (MOST + 1), "x")
