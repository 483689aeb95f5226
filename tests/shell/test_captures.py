"""Captures saved and loaded at the prompt: over a real control channel, without a proxy's sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capture.samples import read
from ksrcore.control.captures import CaptureMethods
from ksrcore.control.views import summary
from ksrcore.net.address import Listen
from ksrcore.proxy import Proxy
from ksrshell.captures import load, save
from ksrshell.errors import NotFound, UsageError
from ksrshell.messages import Messages
from ksrshell.session import Session
from replay.scene import call, scene, timed


class Client:
    """The channel's methods on a recorder, without a channel."""

    name = "test"
    process = 0

    def __init__(self, room: int = 10_000) -> None:
        self.proxy = Proxy(transmit=lambda data, dest: True, listens=[Listen("udp", "127.0.0.1", 5060)])
        self.proxy.recorder.resize(room, 1 << 26)
        self.hello: dict[str, Any] = {"script": "", "aliases": []}
        self.methods = CaptureMethods(self.proxy).table()

    def call(self, method: str, params: Any = None, *, timeout: float | None = None) -> Any:
        if method != "ksr.messages":
            return self.methods[method](**params)
        records = [r for r in self.proxy.recorder if r.id > params.get("after", 0)]
        records = [r for r in records if r.id < params.get("before", 1 << 60)]
        found = records[-params["limit"] :] if params.get("newest", True) else records[: params["limit"]]
        kept = self.proxy.recorder.records
        return {
            "messages": [summary(r) for r in found],
            "first": kept[0].id if kept else 0,
            "last": kept[-1].id if kept else 0,
            "gone": self.proxy.recorder.gone,
        }

    def close(self) -> None:
        pass


def session(room: int = 10_000) -> Session:
    client: Any = Client(room)
    return Session(client)


def test_load_and_save_and_load_again(tmp_path: Path) -> None:
    here = session()
    loaded = load(here, scene(tmp_path, timed(call()))[0])
    assert [(m.id, m.out, m.origin) for m in loaded] == [
        (n + 1, out, "x.pcap") for n, out in enumerate([False, True, True, False, True, False, True, False, True])
    ]
    assert repr(loaded) == (
        "x.pcap: pcap, 9 SIP messages\nproxy 10.0.0.9:5060\nloaded as messages 1 to 9: use(msgs[1])"
    )
    saved = here.msgs.save(tmp_path / "y.pcapng")
    assert repr(saved).split() == f"9 messages saved in {tmp_path / 'y.pcapng'}".split()
    found, _ = read(tmp_path / "y.pcapng")
    assert [(m.data, m.out) for m in found] == [(m.data, r.out) for m, r in zip(timed(call()), loaded, strict=True)]
    again = here.load(tmp_path / "y.pcapng")
    assert [(m.out, m.src) for m in again] == [(m.out, m.src) for m in loaded]
    assert again[0].id == 10


def test_causes_survive(tmp_path: Path) -> None:
    here = session()
    messages = timed(call())
    comments = [
        "message 40",
        "message 41, because of 40",
        "message 42, because of 40",
        "",
        "x",
        "message 44",
        "",
        "",
        "",
    ]
    from ksrcore.capture.writer import save as write

    write(tmp_path / "x.pcapng", [m._replace(comment=c) for m, c in zip(messages, comments, strict=True)])
    loaded = load(here, tmp_path / "x.pcapng")
    assert [m._summary["cause"] for m in loaded] == [0, 1, 1, 0, 0, 0, 0, 0, 0]
    assert loaded[0]._summary["sent"] == [2, 3]


def test_one_message_a_slice_and_masked(tmp_path: Path) -> None:
    here = session()
    load(here, scene(tmp_path, timed(call()))[0])
    assert here.msgs[3].save(tmp_path / "one.pcap").count == 1
    assert here.msgs[2:4].save(tmp_path / "two.pcap").count == 2
    assert here.msgs.save(tmp_path / "masked.pcap", mask=True).to_json()["masked"]
    assert b"alice" not in (tmp_path / "masked.pcap").read_bytes()


def test_a_limit_and_room(tmp_path: Path) -> None:
    path, _ = scene(tmp_path, timed([each for n in range(60) for each in call(f"c{n}", f"z9hG4bK{n}")]))
    loaded = load(session(), path, limit=20)
    assert (len(loaded), loaded.stopped) == (20, True)
    assert "only the first 20 were loaded" in repr(loaded)
    small = load(session(50), path)
    assert len(small) == 50


def test_the_proxys_address(tmp_path: Path) -> None:
    path, _ = scene(tmp_path, timed(call()))
    assert [m.out for m in load(session(), path, proxy="udp:10.0.0.2:5063")] == [False, True, True, False]
    with pytest.raises(NotFound, match="no message comes from or goes to 10.0.0.77:5060"):
        load(session(), path, proxy=["udp:10.0.0.77:5060"])


def test_what_cannot_be_done(tmp_path: Path) -> None:
    here = session()
    path, _ = scene(tmp_path, timed(call()))
    for wrong in (0, True, "x"):
        with pytest.raises(UsageError, match="limit is a number of messages"):
            load(here, path, limit=wrong)  # type: ignore[arg-type]
    for target, why in ((tmp_path / "none", "cannot read"), (__file__, "no capture that is known")):
        with pytest.raises(UsageError, match=why):
            load(here, target)
    with pytest.raises(UsageError, match="no transport"):
        load(here, path, proxy="10.0.0.1")
    with pytest.raises(NotFound, match="no message to save"):
        Messages(here).save(tmp_path / "x.pcap")
    with pytest.raises(NotFound, match="no message to save"):
        save(here, [], tmp_path / "x.pcap")
    load(here, path)
    with pytest.raises(UsageError, match="ends in .pcapng or .pcap"):
        here.msgs.save(tmp_path / "x.doc")


def test_replay(tmp_path: Path) -> None:
    here = session()
    path, script = scene(tmp_path, timed(call()))
    with pytest.raises(NotFound, match="runs no script"):
        here.replay(path)
    here.hello["script"] = script
    done = here.replay(path)
    assert (len(done), done.raised, done.differing) == (4, [], [])
    assert "4 messages replayed, no exception, 0 differ from the capture" in repr(done)
    assert done.to_json()["messages"] == 4
    with pytest.raises(UsageError, match="cannot read"):
        here.replay(tmp_path / "none")
