"""Transactions end on the version they began with, where a swap was pinned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ksrcore.script.engine import ScriptError

Start = Callable[..., Any]

SCRIPT = """
    import KSR

    MARK = "old"
    count = 0

    def ksr_request_route(msg):
        KSR.seturi("sip:127.0.0.1:5090")
        KSR.tm.t_on_failure("ksr_failure")
        KSR.tm.t_on_reply("ksr_onreply")
        KSR.tm.t_on_branch("ksr_branch")
        KSR.tm.t_relay()
        return 1

    def mark():
        return MARK

    def ksr_branch(msg):
        KSR.hdr.append("X-Mark: " + mark() + "\\r\\n")
        return 1

    def ksr_onreply(msg):
        global count
        count += 1
        return 1

    def ksr_failure(msg):
        KSR.tm.t_reply(500, mark() + " " + str(count))
        return 1
"""

CLASS = """
    import KSR

    class Router:
        def __init__(self):
            self.seen = []

        def ksr_request_route(self, msg):
            KSR.seturi("sip:127.0.0.1:5090")
            KSR.tm.t_on_failure("ksr_failure")
            KSR.tm.t_relay()
            return 1

        def mark(self):
            return "old"

        def ksr_failure(self, msg):
            self.seen.append(self.mark())
            KSR.tm.t_reply(500, self.mark())
            return 1

    def mod_init():
        return Router()
"""


def refuse(world: Any, number: int) -> list[str]:
    """The callee refuses call ``number``; what goes to the caller then."""
    invite = next(t for t, _ in world.sent if t.startswith("INVITE") and f"Call-ID: c{number}\r\n" in t)
    vias = "".join(f"{line}\r\n" for line in invite.split("\r\n") if line.startswith("Via:"))
    reply = (
        f"SIP/2.0 486 Busy\r\n{vias}From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\nCall-ID: c{number}\r\n"
        "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    )
    return [t.split("\r\n")[0] for t in world.receive(reply) if t.startswith("SIP/")]


def test_old_transactions_end_on_the_old_version(start: Start) -> None:
    world = start(SCRIPT)
    world.receive(world.request("INVITE"))
    done = world.script.swap("MARK = 'new'\ndef mark():\n    return MARK + '!'\n", pin=True)
    assert (done.pinned, len(world.script.swaps.pins)) == (1, 1)
    world.receive(world.request("INVITE"))
    assert refuse(world, 1) == ["SIP/2.0 500 old 1"]
    assert refuse(world, 2) == ["SIP/2.0 500 new! 2"]
    # What the old version stored by `global` is stored.
    assert world.script.module.count == 2
    # Which version ran is in the record.
    by_call = {}
    for record in world.proxy.recorder:
        for run in record.runs:
            by_call[record.data.partition("Call-ID: ")[2][:2], run.callback] = run.version
    assert by_call["c1", "ksr_failure"] == 0 and by_call["c2", "ksr_failure"] == 1
    assert world.script.versions_at(0)["mark"] == 1


def test_nothing_stays_when_they_have_ended(start: Start) -> None:
    world = start(SCRIPT)
    assert "call" not in vars(world.script)
    world.receive(world.request("INVITE"))
    world.script.swap("MARK = 'new'\n", pin=True)
    assert "call" in vars(world.script)
    refuse(world, 1)
    for _ in range(80):
        world.advance(1.0)
    assert world.proxy.modules["tm"].count() == 0
    assert "call" not in vars(world.script) and not world.script.swaps.pins.overlays
    # Nothing to pin: nothing is put before the calls.
    assert world.script.swap("MARK = 'newer'\n", pin=True).pinned == 0
    assert "call" not in vars(world.script)


def test_several_pins(start: Start) -> None:
    world = start(SCRIPT)
    for mark in ("second", "third"):
        world.receive(world.request("INVITE"))
        assert world.script.swap(f"MARK = {mark!r}\n", pin=True).pinned == 1
    world.receive(world.request("INVITE"))
    assert [refuse(world, n)[0].split()[2] for n in (1, 2, 3)] == ["old", "second", "third"]


def test_a_swap_without_pin_is_for_all(start: Start) -> None:
    world = start(SCRIPT)
    world.receive(world.request("INVITE"))
    world.script.swap("MARK = 'new'\n", pin=True)
    done = world.script.swap("def mark():\n    return MARK * 2\n")
    assert done.ended == 1
    assert refuse(world, 1) == ["SIP/2.0 500 newnew 1"]


def test_methods_share_the_handlers_state(start: Start) -> None:
    world = start(CLASS)
    world.receive(world.request("INVITE"))
    world.script.swap("def mark(self):\n    return 'new'\n", pin=True)
    world.receive(world.request("INVITE"))
    assert refuse(world, 1) == ["SIP/2.0 500 old"]
    assert refuse(world, 2) == ["SIP/2.0 500 new"]
    assert world.script.handler.seen == ["old", "new"]


def test_what_cannot_be_pinned(start: Start) -> None:
    world = start(SCRIPT)
    world.receive(world.request("INVITE"))
    with pytest.raises(ScriptError, match="cannot be pinned"):
        world.script.swap("def mark():\n    return 'x'\n", pin=True, remove=["MARK"])
    assert world.script.generation == 0
