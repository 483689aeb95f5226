"""The control channel's framing, dispatch and events over a real Unix socket."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ksrcore.control.errors import ControlError
from ksrcore.control.server import Connection, ControlServer
from ksrcore.kemi.declare import RpcError


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    here = Path.cwd()
    os.chdir(tmp_path)
    yield Path("a.sock")
    os.chdir(here)


async def _slow(connection: Connection, params: Any) -> str:
    await asyncio.sleep(0.01)
    if params == "fail":
        raise ControlError(1, "failed later")
    return "slow"


def _refuse(connection: Connection, params: Any) -> None:
    raise RpcError(404, "Not found")


def _break(connection: Connection, params: Any) -> None:
    raise ZeroDivisionError("a bug")


def _subscribe(connection: Connection, params: Any) -> dict[str, Any]:
    connection.events = set(params)
    return {}


METHODS: dict[str, Callable[[Connection, Any], Any]] = {
    "echo": lambda connection, params: params,
    "slow": _slow,
    "refuse": _refuse,
    "break": _break,
    "odd": lambda connection, params: object(),
    "subscribe": _subscribe,
}

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter, ControlServer], Awaitable[None]]


def with_server(path: Path, talk: Talk) -> None:
    async def main() -> None:
        server = ControlServer(path, "a", METHODS)
        await server.start()
        reader, writer = await asyncio.open_unix_connection(str(path))
        try:
            await asyncio.wait_for(talk(reader, writer, server), 5)
        finally:
            writer.close()
            await server.close()

    asyncio.run(main())
    assert not path.exists()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *lines: bytes) -> list[dict[str, Any]]:
    writer.writelines(line + b"\n" for line in lines)
    return [json.loads(await reader.readline()) for _ in lines]


def request(method: str, params: Any = None, id: Any = 1) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": id}).encode()


def test_results_and_errors(path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: ControlServer) -> None:
        answers = await ask(
            reader, writer, request("echo", {"a": "é"}), request("nope"), request("refuse"), request("break"),
            request("odd"), b"not json", b"[1]", b'{"id": 7}',
        )  # fmt: skip
        assert answers[0] == {"jsonrpc": "2.0", "result": {"a": "é"}, "id": 1}
        assert [answer["error"]["code"] for answer in answers[1:]] == [
            -32601,
            404,
            -32603,
            -32603,
            -32700,
            -32600,
            -32600,
        ]
        assert answers[3]["error"]["message"] == "ZeroDivisionError: a bug"
        assert "cannot be written as JSON" in answers[4]["error"]["message"]

    with_server(path, talk)


def test_a_slow_method_does_not_hold_up_the_others(path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: ControlServer) -> None:
        answers = await ask(
            reader, writer, request("slow", id="s"), request("echo", 1, id="e"), request("slow", "fail", id="f")
        )
        assert answers[0]["id"] == "e"
        assert {answer["id"]: answer.get("result") for answer in answers} == {"e": 1, "s": "slow", "f": None}

    with_server(path, talk)


def test_a_notification_is_not_answered(path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: ControlServer) -> None:
        writer.write(b'{"jsonrpc": "2.0", "method": "echo"}\n\n')
        assert (await ask(reader, writer, request("echo", 2)))[0]["result"] == 2

    with_server(path, talk)


def test_events_go_to_those_who_asked(path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: ControlServer) -> None:
        server.publish("swap", {"n": 1})
        await ask(reader, writer, request("subscribe", ["swap"]))
        assert server.wanted("swap") and not server.wanted("message")
        server.publish("message", {"n": 2})
        server.publish("swap", {"n": 3})
        event = json.loads(await reader.readline())
        assert event == {"jsonrpc": "2.0", "method": "ksr.event", "params": {"event": "swap", "n": 3}}

    with_server(path, talk)


def test_a_client_that_goes_takes_its_events_with_it(path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: ControlServer) -> None:
        closed: list[bool] = []
        await ask(reader, writer, request("subscribe", ["swap"]))
        next(iter(server.connections)).closers.append(lambda: closed.append(True))
        writer.close()
        while server.connections:
            await asyncio.sleep(0.001)
        assert closed == [True]
        server.publish("swap", {})

    with_server(path, talk)
