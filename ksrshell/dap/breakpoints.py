"""The editor's breakpoints as holds of the proxy. Each request of the protocol says all of its kind anew."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

from ..errors import KsrShellError
from .target import Target

Body = dict[str, Any]

_HITS = re.compile(r"\s*(>=|==|=|>)?\s*(\d+)\s*\Z")


def hit_condition(text: str) -> tuple[int, bool]:
    """``5`` and ``>= 5``: from the fifth match on; ``== 5``: at the fifth alone; ``> 5``: from the sixth on.

    Returns (hits, once). Raises :class:`KsrShellError`.
    """
    found = _HITS.match(text)
    if found is None or not int(found[2]):
        raise KsrShellError(f"a hit condition is a number such as 5, >= 5, > 5 or == 5, got {text!r}")
    number = int(found[2])
    return (number + 1 if found[1] == ">" else number), found[1] in ("==", "=")


class Breakpoints:
    """What is armed for this editor, by kind: a file's lines, functions, exceptions, data."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._ids = count(1)
        #: By kind, the holds of the last request: (breakpoint id, hold id).
        self._armed: dict[str, list[tuple[int, int]]] = {}
        self._pause = 0

    def _replace(self, kind: str, wanted: list[tuple[Body, dict[str, Any]]]) -> list[Body]:
        for _, hold in self._armed.pop(kind, []):
            self.target.disarm(hold)
        armed = self._armed[kind] = []
        found: list[Body] = []
        for one, spec in wanted:
            id = next(self._ids)
            shown: Body = {"id": id, "verified": False}
            if "line" in one:
                shown["line"] = one["line"]
            try:
                if one.get("hitCondition"):
                    spec["hits"], spec["once"] = hit_condition(str(one["hitCondition"]))
                hold = self.target.arm(**spec)
                armed.append((id, hold))
                shown["verified"] = True
            except KsrShellError as error:
                shown["message"] = str(error)
            found.append(shown)
        return found

    def set_lines(self, path: str, wanted: list[Body]) -> list[Body]:
        def spec(one: Body) -> dict[str, Any]:
            where = f"{path}:{one['line']}"
            return {"where": where, "if_": str(one.get("condition") or ""), "log": str(one.get("logMessage") or "")}

        return self._replace(f"file {path}", [(one, spec(one)) for one in wanted])

    def set_functions(self, wanted: list[Body]) -> list[Body]:
        specs = [(one, {"where": str(one["name"]).strip(), "if_": str(one.get("condition") or "")}) for one in wanted]
        return self._replace("function", specs)

    def set_exceptions(self, wanted: list[Body]) -> list[Body]:
        known = [one for one in wanted if one.get("filterId") == "exception"]
        specs = [(one, {"where": "exception", "if_": str(one.get("condition") or "")}) for one in known[-1:]]
        found = self._replace("exception", specs)
        missing = [one for one in wanted if one not in known]
        return found + [{"verified": False, "message": f"no filter {one.get('filterId')!r}"} for one in missing]

    def set_data(self, wanted: list[Body]) -> list[Body]:
        specs = [
            (one, {"where": "", "watch": str(one["dataId"]), "if_": str(one.get("condition") or "")}) for one in wanted
        ]
        return self._replace("data", specs)

    def pause(self) -> None:
        """Hold the next message, once."""
        if self._pause:
            self.target.disarm(self._pause)
        self._pause = self.target.arm(where="", once=True)

    def _kind(self, hold: Any) -> tuple[str, int]:
        for kind, armed in self._armed.items():
            for id, each in armed:
                if each == hold:
                    return kind.partition(" ")[0], id
        return "", 0

    def reason(self, event: Body) -> str:
        """Why the message of a "held" event stopped, in the protocol's words."""
        hold = event.get("hold")
        if hold == self._pause:
            self._pause = 0
            return "pause"
        reasons = {"file": "breakpoint", "function": "function breakpoint", "data": "data breakpoint"}
        return reasons.get(self._kind(hold)[0], self._kind(hold)[0] or "breakpoint")

    def hit(self, event: Body) -> Body:
        """The part of a "stopped" event that names the breakpoint."""
        _, id = self._kind(event.get("hold"))
        return {"hitBreakpointIds": [id]} if id else {}
