"""The server side of the control channel: connections, framing, dispatch, events."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
from collections.abc import Awaitable, Callable
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from ..kemi.declare import RpcError
from . import errors
from .errors import ControlError
from .socket import open_control_socket, peer_uid

log = logging.getLogger("ksrcore.control")

#: One request line; a swap of a whole script fits many times over.
MAX_LINE = 16 * 1024 * 1024
#: A client that does not read its events is disconnected when this much waits for it.
MAX_UNREAD = 32 * 1024 * 1024

Handler = Callable[["Connection", Any], Any]


class Connection:
    """One attached client. ``events`` are the kinds it asked for; ``closers`` run when it goes."""

    def __init__(self, server: ControlServer, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.writer = writer
        self.events: set[str] = set()
        self.closers: list[Callable[[], None]] = []
        self.tasks: set[asyncio.Task[None]] = set()

    def when_gone(self, told: Callable[[Connection], None]) -> None:
        """Call ``told(connection)`` when the client goes, once however often this is asked for."""
        closer = partial(told, self)
        if not any(isinstance(each, partial) and each.func == told for each in self.closers):
            self.closers.append(closer)

    def send(self, message: dict[str, Any]) -> None:
        if self.writer.transport.get_write_buffer_size() > MAX_UNREAD:
            log.warning("a control client does not read: disconnected")
            self.writer.transport.abort()
            return
        self.writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")


class ControlServer:
    """Answers on a Unix socket. ``methods``: name to ``handler(connection, params)``, which may be a coroutine."""

    def __init__(self, path: Path, name: str, methods: dict[str, Handler]) -> None:
        self.path = path
        self.methods = methods
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._sock = open_control_socket(path, name)

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, sock=self._sock, limit=MAX_LINE)

    def publish(self, event: str, params: dict[str, Any]) -> None:
        """Send an event to the clients that subscribed to its kind."""
        for connection in list(self.connections):
            if event in connection.events:
                connection.send({"jsonrpc": "2.0", "method": "ksr.event", "params": {**params, "event": event}})

    def wanted(self, event: str) -> bool:
        # A loop: a generator would cost more than the whole question, which is asked for each message.
        for connection in self.connections:
            if event in connection.events:
                return True
        return False

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        else:
            self._sock.close()
        for connection in list(self.connections):
            connection.writer.transport.abort()
        self.path.unlink(missing_ok=True)
        while self.connections:
            await asyncio.sleep(0.005)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = peer_uid(writer.get_extra_info("socket"))
        if uid not in (os.geteuid(), 0):
            log.warning("control connection of user %d refused", uid)
            writer.close()
            return
        connection = Connection(self, writer)
        self.connections.add(connection)
        try:
            while True:
                try:
                    line = await reader.readuntil(b"\n")
                except (asyncio.IncompleteReadError, ConnectionError):
                    break
                except asyncio.LimitOverrunError:
                    connection.send(
                        _error(None, errors.INVALID_REQUEST, f"a request line has at most {MAX_LINE} bytes")
                    )
                    await writer.drain()
                    break
                await self._line(connection, line)
        finally:
            self.connections.discard(connection)
            for task in connection.tasks:
                task.cancel()
            for closer in connection.closers:
                try:
                    closer()
                except Exception:
                    log.exception("a control client has gone, and not all of it could be taken back")
            writer.close()

    async def _line(self, connection: Connection, line: bytes) -> None:
        if not line.strip():
            return
        try:
            request = json.loads(line, parse_constant=_number, parse_float=_number)
        except (ValueError, RecursionError) as error:
            connection.send(_error(None, errors.PARSE_ERROR, f"not JSON: {error}"))
            return
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            connection.send(
                _error(
                    None,
                    errors.INVALID_REQUEST,
                    'expected {"jsonrpc": "2.0", "method": NAME, "params": ..., "id": ...}',
                )
            )
            return
        id = request.get("id")
        if not isinstance(id, str | int | float | None):
            connection.send(_error(None, errors.INVALID_REQUEST, "an id is a string, a number or null"))
            return
        try:
            handler = self.methods.get(request["method"])
            if handler is None:
                raise ControlError(
                    errors.METHOD_NOT_FOUND, f"unknown method {request['method']!r}; system.listMethods lists them"
                )
            result = handler(connection, request.get("params"))
        except Exception as error:
            self._answer(connection, id, _failure(id, error))
            return
        if inspect.isawaitable(result):
            # A step waits for the script's thread; other requests of this client go on meanwhile.
            task = asyncio.create_task(self._later(connection, id, result), name=f"control-{request['method']}")
            connection.tasks.add(task)
            task.add_done_callback(connection.tasks.discard)
        else:
            self._answer(connection, id, {"jsonrpc": "2.0", "result": result, "id": id})

    async def _later(self, connection: Connection, id: Any, result: Awaitable[Any]) -> None:
        try:
            answer = {"jsonrpc": "2.0", "result": await result, "id": id}
        except Exception as error:
            answer = _failure(id, error)
        self._answer(connection, id, answer)

    def _answer(self, connection: Connection, id: Any, answer: dict[str, Any]) -> None:
        if id is None:
            return  # a notification: nothing is answered
        try:
            connection.send(answer)
        except (TypeError, ValueError) as error:
            connection.send(_error(id, errors.INTERNAL_ERROR, f"the result cannot be written as JSON: {error}"))


def _number(text: str) -> float:
    """Python's json reads NaN, Infinity and 1e999, none of which it could write back as JSON."""
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text} is out of range")
    return value


def _failure(id: Any, error: Exception) -> dict[str, Any]:
    if isinstance(error, ControlError):
        return _error(id, error.code, error.message, error.data)
    if isinstance(error, RpcError):
        return _error(id, error.code, error.reason)
    log.exception("control request failed", exc_info=error)
    return _error(id, errors.INTERNAL_ERROR, f"{type(error).__name__}: {error}")


def _error(id: Any, code: int, message: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if data:
        error["data"] = data
    return {"jsonrpc": "2.0", "error": error, "id": id}
