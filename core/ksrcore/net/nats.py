"""A client of NATS by its text protocol: one connection, made again when it is lost.

https://docs.nats.io/reference/reference-protocols/nats-protocol. Payloads are latin-1 text: a character a byte.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["NatsClient", "NatsError", "Subscription", "parse_nats_url"]

log = logging.getLogger("ksrcore.nats")

PORT = 4222
#: Seconds until it is tried again.
AGAIN = 2.0
_CONNECT = 5.0
#: Bytes that are kept for a server that is away.
_KEPT = 8 * 1024 * 1024
_LONGEST_LINE = 64 * 1024


class NatsError(ConnectionError):
    """The server refuses, or does not speak the protocol."""


def parse_nats_url(url: str) -> tuple[str, int, str, str, bool]:
    """(host, port, user, password, TLS) of ``nats://[USER:PASSWORD@]HOST[:PORT]`` or ``tls://...``. Raises ValueError.

    A user without a password is a token.
    """
    text = url if "://" in url else f"nats://{url}"
    parts = urlsplit(text)
    if parts.scheme not in ("nats", "tls") or not parts.hostname:
        raise ValueError(f"expected nats://[USER:PASSWORD@]HOST[:PORT], got {url!r}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return parts.hostname, parts.port or PORT, user, password, parts.scheme == "tls"


class Subscription:
    """A subject and the queue group that shares its messages."""

    def __init__(self, subject: str, group: str) -> None:
        self.subject = subject
        self.group = group


class NatsClient:
    """``on_message(subscription, payload, now)`` and ``on_state(subscription, connected, now)`` are called in the
    event loop, with monotonic seconds."""

    def __init__(
        self,
        urls: list[str],
        subscriptions: list[Subscription],
        on_message: Callable[[Subscription, str, float], None],
        on_state: Callable[[Subscription, bool, float], None],
    ) -> None:
        self.servers = [parse_nats_url(url) for url in urls]
        self.subscriptions = subscriptions
        self.on_message, self.on_state = on_message, on_state
        self.connected = False
        self.max_payload = 1024 * 1024
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect and stay connected; needs a running event loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="nats")

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def publish(self, subject: str, payload: str, reply: str = "") -> bool:
        """Publish, now or when there is a connection. False: the server would not take it."""
        data = payload.encode("latin-1")
        if not subject or len(data) > self.max_payload:
            what = "without a subject" if not subject else f"of {len(data)} bytes, the server takes {self.max_payload}"
            log.error("nats: a message %s cannot be published", what)
            return False
        head = f"PUB {subject} {reply + ' ' if reply else ''}{len(data)}\r\n"
        self._send(head.encode("latin-1") + data + b"\r\n")
        return True

    def _send(self, data: bytes) -> None:
        if self.connected and self._writer is not None:
            self._writer.write(data)
            return
        self._waiting.append(data)
        self._size += len(data)
        while self._size > _KEPT:
            self._size -= len(self._waiting.popleft())

    async def _run(self) -> None:
        problem = ""
        while True:
            for server in self.servers:
                try:
                    await self._serve(server)
                    problem = ""
                except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
                    said = f"{server[0]}:{server[1]}: {error or type(error).__name__}"
                    if said != problem:
                        log.error("nats: %s; it is tried every %g s", said, AGAIN)
                    problem = said
                finally:
                    self._lost()
            await asyncio.sleep(AGAIN)

    def _lost(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self.connected:
            self.connected = False
            for subscription in self.subscriptions:
                self.on_state(subscription, False, time.monotonic())

    async def _serve(self, server: tuple[str, int, str, str, bool]) -> None:
        host, port, user, password, tls = server
        opened = asyncio.open_connection(host, port, limit=_LONGEST_LINE)
        reader, writer = await asyncio.wait_for(opened, _CONNECT)
        self._writer = writer
        info = await asyncio.wait_for(self._info(reader), _CONNECT)
        if tls or info.get("tls_required"):
            await writer.start_tls(ssl.create_default_context(), server_hostname=host)
        options: dict[str, Any] = {
            "verbose": False, "pedantic": False, "tls_required": tls, "name": "", "lang": "python",
            "version": "1", "protocol": 1, "echo": True, "headers": False, "no_responders": False,
        }  # fmt: skip
        if password:
            options |= {"user": user, "pass": password}
        elif user:
            options["auth_token"] = user
        writer.write(f"CONNECT {json.dumps(options, separators=(',', ':'))}\r\nPING\r\n".encode("latin-1"))
        # Whoever is refused is told before the answer to its PING.
        while (line := await asyncio.wait_for(self._line(reader), _CONNECT)) != "PONG":
            if line.startswith("-ERR"):
                raise NatsError(line)
        for sid, subscription in enumerate(self.subscriptions, 1):
            group = f"{subscription.group} " if subscription.group else ""
            writer.write(f"SUB {subscription.subject} {group}{sid}\r\n".encode("latin-1"))
        self.connected = True
        while self._waiting:
            writer.write(self._waiting.popleft())
        self._size = 0
        for subscription in self.subscriptions:
            self.on_state(subscription, True, time.monotonic())
        while True:
            await self._one(reader, writer)

    async def _info(self, reader: asyncio.StreamReader) -> dict[str, Any]:
        line = await self._line(reader)
        if not line.startswith("INFO "):
            raise NatsError(f"expected INFO, got {line[:60]!r}")
        info: dict[str, Any] = json.loads(line[5:])
        self.max_payload = int(info.get("max_payload", self.max_payload))
        return info

    @staticmethod
    async def _line(reader: asyncio.StreamReader) -> str:
        return (await reader.readuntil(b"\r\n"))[:-2].decode("latin-1")

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await self._line(reader)
        verb, _, rest = line.partition(" ")
        if verb == "PING":
            writer.write(b"PONG\r\n")
        elif verb == "MSG":
            words = rest.split()
            if len(words) not in (3, 4) or not words[1].isdigit() or not words[-1].isdigit():
                raise NatsError(f"expected MSG SUBJECT SID [REPLY] SIZE, got {line[:60]!r}")
            size, sid = int(words[-1]), int(words[1])
            if size > max(self.max_payload, 1024 * 1024) or not 0 < sid <= len(self.subscriptions):
                raise NatsError(f"expected another message, got {line[:60]!r}")
            payload = (await reader.readexactly(size + 2))[:-2].decode("latin-1")
            self.on_message(self.subscriptions[sid - 1], payload, time.monotonic())
        elif verb == "-ERR":
            log.error("nats: the server says %s", rest)
