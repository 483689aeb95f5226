"""The watched proxy itself, and what random calls once made it do."""

from __future__ import annotations

import logging
from random import Random

import pytest

from fuzz.mutate import MAX_SIZE
from fuzz.talk import request
from fuzz.world import CALLS, DEMO, WATCH, Defect, World
from ksrcore.tm.states import COMPLETED


def test_a_defect_in_the_core_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(DEMO)
    try:
        monkeypatch.setattr(world.proxy, "_request", lambda msg, record: 1 // 0)
        with pytest.raises(Defect, match="ZeroDivisionError"):
            world.receive(request(Random(1), "OPTIONS", 1, "alice", "ip"))
    finally:
        world.close()
    assert WATCH not in logging.getLogger("ksrcore").handlers


def test_a_retransmission_timer_with_nothing_to_repeat_ends() -> None:
    world = World(CALLS)
    try:
        world.receive(request(Random(1), "INVITE", 1, "alice", "ip"))
        (t,) = world.tm.engine.clients.values()
        client = t.branches[0]
        client.state, client.retr_at, client.fr_at = COMPLETED, world.now + 0.1, world.now + 30
        world.tm.engine.timers.set(client, world.now, 0.1)
        world.advance(1.0)
        assert client.retr_at > world.now
    finally:
        world.close()


@pytest.mark.parametrize("fold", ["\r\n ", "\n\t"])
def test_a_datagram_full_of_folds_is_read(fold: str) -> None:
    world = World(DEMO)
    try:
        text = "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nX: a" + fold * 20_000
        world.receive(text.encode()[:MAX_SIZE])
    finally:
        world.close()
