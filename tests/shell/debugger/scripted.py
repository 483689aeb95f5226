"""A step that goes through states made beforehand, for tests of what shows steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ksrshell.messages import Message
from ksrshell.session import Session
from ksrshell.stepper import Moves, Step
from shell.fake import CALL, summary

LINES = [f"    line_{n}()" for n in range(1, 61)]
FILE = "/srv/router.py"


def state(position: int, line: int, **more: Any) -> dict[str, Any]:
    return {
        "step": 1,
        "done": False,
        "event": "line",
        "function": "ksr_route_relay",
        "file": FILE,
        "line": line,
        "locals": {"self": "<Router>", "user": f"'bob{position}'"},
        "changed": ["user"],
        "stack": [
            {"function": "ksr_request_route", "file": FILE, "line": 5},
            {"function": "ksr_route_relay", "file": FILE, "line": line},
        ],
        "calls": [{"name": "KSR.is_INVITE", "args": [], "result": True, "error": None, "duration": 1e-5}] * position,
        "effects": {"sent": [], "diff": "", "state": {}, "writes": []},
        "watches": {},
        "position": position,
        "length": 4,
        "at_end": position == 3,
        **more,
    }


class Scripted(Moves):
    """Four states: three lines and the end."""

    def __init__(self) -> None:
        sent = {"proto": "udp", "dst": "127.0.0.1:5072", "data": "SIP/2.0 404 Not here\r\nVia: x\r\n\r\n"}
        diff = "--- as it came\n+++ as it would leave\n@@ -1 +1 @@\n-Max-Forwards: 70\n+Max-Forwards: 69"
        effects = {"sent": [sent], "diff": diff, "state": {"$du": "sip:b"}, "writes": []}
        self.states = [
            state(0, 10),
            state(1, 11, event="call", call="KSR.tm.t_relay()"),
            state(2, 40, effects=effects, watches={"$du": None}),
            state(3, 0, done=True, event="end", locals={}, stack=[], effects=effects, result="1"),
        ]
        super().__init__(Message(cast(Session, None), summary(*CALL[0])), self.states[0])

    def _move(self, op: str, line: int = 0) -> Mapping[str, Any]:
        at = self.position
        target = {"first": 0, "last": 3, "finish": 3, "back": at - (line or 1), "goto": line}.get(op, at + 1)
        return self.states[max(0, min(3, target))]

    def _when(self, spec: str, header: str) -> Sequence[Mapping[str, Any]]:
        change = {"function": "ksr_route_relay", "file": FILE, "line": 10, "before": None, "after": "sip:b"}
        return [{"position": 1, **change}, {"position": 2, **change}]

    def _ended(self) -> str:
        return "back() goes back in it"

    @property
    def lines(self) -> list[str]:
        return LINES if self.where.file else []

    def eval(self, expression: str) -> str:
        return f"<{expression}>"


def scripted() -> Step:
    return cast(Step, Scripted())
