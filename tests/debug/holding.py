"""A playbook with holds: what holds and releases is on a real proxy core, without sockets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ksrcore.debug.held import Held
from ksrcore.debug.hold import Hold
from ksrcore.debug.holds import Holds
from ksrcore.debug.sandbox import Sandboxes
from tm.playbook import BOB, Playbook, Sent

RELAY = """
def ksr_request_route(self, msg):
    user = KSR.pv.get("$rU")
    self.ksr_route_relay(msg)
    return 1

def ksr_route_relay(self, msg):
    KSR.hdr.append("X-Seen: 1\\r\\n")
    KSR.tm.t_on_branch("ksr_branch")
    KSR.tm.t_on_reply("ksr_onreply")
    KSR.tm.t_on_failure("ksr_failure")
    if KSR.tm.t_relay() < 0:
        KSR.sl.sl_reply_error()
    return 1

def ksr_branch(self, msg):
    KSR.hdr.append("X-Branch: 1\\r\\n")
    return 1

def ksr_onreply(self, msg):
    KSR.info("a reply")
    return 1

def ksr_failure(self, msg):
    KSR.info("failed")
    return 1
"""


class Holding(Playbook):
    """``hold(...)`` arms; ``held`` are those that wait; ``events`` what was told."""

    def __init__(self, tmp_path: Path, script: str = RELAY, **options: Any) -> None:
        super().__init__(tmp_path, script, **options)
        self.holds = Holds(Sandboxes(self.proxy))
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.holds.tell = lambda event, params: self.events.append((event, params))

    def hold(self, where: str = "", **options: Any) -> Hold:
        return self.holds.arm(where, **options)

    @property
    def held(self) -> list[Held]:
        return list(self.holds.held.values())

    def reasons(self) -> list[str]:
        return [params["reason"] for event, params in self.events if event == "released"]

    def release(self, held: Held, reason: str = "resumed") -> list[Any]:
        self.holds.release(held, reason)
        return self.take()


Holdings = Callable[..., Holding]


def to_bob(sent: list[Sent]) -> list[str]:
    return [s.first for s in sent if s.dest.ip == BOB]
