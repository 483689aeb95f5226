"""Target: the control channel, on a proxy with the demo script."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from fuzz.holds import Broken, check
from fuzz.seeds import messages
from fuzz.world import DEMO, World
from ksrcore.control.errors import INTERNAL_ERROR
from ksrcore.control.methods import Methods
from ksrcore.control.rpc import rpc_methods
from ksrcore.control.server import Connection, ControlServer


class _Writer:
    """What a control connection writes to."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.transport = self

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.lines.append(data)


class _Channel:
    def __init__(self) -> None:
        self.world = World(DEMO)
        for data in messages()[:20]:
            self.world.receive(data)
        methods = Methods(self.world.proxy, lambda: None, dict)
        table = {**rpc_methods(self.world.proxy), **methods.table()}
        # Stepping starts threads, which a million inputs would pile up; it has tests of its own.
        table = {name: handler for name, handler in table.items() if not name.startswith("ksr.step.")}
        self.folder = TemporaryDirectory(prefix="ksr-fuzz-")
        self.server = ControlServer(Path(self.folder.name) / "s", "fuzz", table)
        self.loop = asyncio.new_event_loop()
        self.writer = _Writer()
        self.connection = Connection(self.server, cast(asyncio.StreamWriter, self.writer))

    def line(self, data: bytes) -> list[Any]:
        self.writer.lines.clear()
        self.loop.run_until_complete(self._answered(data))
        return [_strict(line) for line in self.writer.lines]

    async def _answered(self, data: bytes) -> None:
        await self.server._line(self.connection, data)
        if self.connection.tasks:
            await asyncio.wait(self.connection.tasks, timeout=5.0)

    def close(self) -> None:
        self.loop.run_until_complete(self.server.close())
        self.loop.close()
        self.world.close()
        self.folder.cleanup()


def _strict(line: bytes) -> Any:
    def refuse(name: str) -> None:
        raise Broken(f"{name} is not JSON: {line!r}")

    return json.loads(line, parse_constant=refuse)


@cache
def control_channel() -> _Channel:
    return _Channel()


def control(data: bytes) -> None:
    """Any line is answered by one JSON-RPC result or error at most, and never by an internal error."""
    channel = control_channel()
    for line in data.split(b"\n")[:5]:
        answers = [answer for answer in channel.line(line) if answer.get("method") != "ksr.event"]
        check(len(answers) <= 1, "one answer at most", answers)
        for answer in answers:
            check(answer.get("jsonrpc") == "2.0" and ("result" in answer) != ("error" in answer), "its shape", answer)
            error = answer.get("error", {"code": 0, "message": ""})
            check(isinstance(error["code"], int) and isinstance(error["message"], str), "an error's shape", answer)
            check(error["code"] != INTERNAL_ERROR, "no internal error", line, answer)
    channel.world.check()
