"""The link of a worker to the node: JSON objects, one a line, over a Unix stream socket that never blocks the worker.

From the node come orders ``{"id": n, "do": NAME, ...}``; back go answers ``{"re": n, "result": ...}`` or ``{"re": n,
"error": {"type", "text", ...}}``, and events ``{"event": NAME, ...}``.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import time
from collections import deque
from typing import Any

#: Bytes that wait for a node that does not read: then captured messages are lost, and counted.
MAX_WAITING = 1024 * 1024
#: Answers and what was asked for may take more; a node that leaves so much unread is none.
MAX_ANSWERS = 64 * 1024 * 1024


#: Seconds in which more of an order comes that has begun to come.
PAUSE = 0.02


class LinkLost(Exception):
    """The node is gone."""


def connect(folder: str) -> socket.socket:
    """A connection to the node that listens in ``folder``. Raises OSError when there is none, or no room."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    at = -1
    try:
        sock.setblocking(False)
        # By its descriptor: a folder's path may be longer than an address of a socket (108 bytes).
        at = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        sock.connect(f"/proc/self/fd/{at}/link.sock")
        # Whoever listens there gives orders: in a folder that was exchanged it may be anybody.
        _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
        if uid not in (os.geteuid(), 0):
            raise PermissionError(f"{folder}: user {uid} listens there")
    except BaseException:
        sock.close()
        raise
    finally:
        if at >= 0:
            os.close(at)
    return sock


class Link:
    """One connection. ``lost``: how many messages were thrown away because the node did not read."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.lost = 0
        self.closed = False
        self._out = bytearray()
        self._in = b""
        self._got: deque[dict[str, Any]] = deque()

    def fileno(self) -> int:
        return self.sock.fileno()

    def send(self, message: dict[str, Any], *, may_lose: bool = False) -> bool:
        """Send it, or keep it until the node reads; never waits. False: it was thrown away (``may_lose`` only).

        Raises :class:`LinkLost`.
        """
        if self.closed:
            raise LinkLost("closed")
        out = self._out
        if out and may_lose and len(out) > MAX_WAITING:
            self._flush()
            if len(out) > MAX_WAITING:
                self.lost += 1
                return False
        out += json.dumps(message, separators=(",", ":")).encode() + b"\n"
        self._flush()
        if len(out) > MAX_ANSWERS:
            self.close()
            raise LinkLost("the node does not read")
        return True

    def _flush(self) -> None:
        out = self._out
        try:
            while out:
                # MSG_NOSIGNAL: what a server does with SIGPIPE is its own affair.
                sent = self.sock.send(memoryview(out)[:262144], socket.MSG_NOSIGNAL)
                del out[:sent]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.close()
            raise LinkLost(str(error)) from None

    def poll(self) -> list[dict[str, Any]]:
        """The orders that are there, in order. Raises :class:`LinkLost` at the end, when there is none left.

        The rest of an order that is longer than the socket takes at a time is waited for, as long as it comes."""
        self._flush()
        self._receive()
        while self._in and not self.closed:
            poller = select.poll()
            poller.register(self.sock, select.POLLIN)
            if not poller.poll(PAUSE * 1000):
                break
            self._receive()
        got = list(self._got)
        self._got.clear()
        if self.closed and not got:
            raise LinkLost("the node has gone")
        return got

    def wait(self, deadline: float) -> dict[str, Any] | None:
        """The next order; None when ``deadline`` (monotonic seconds) comes first. Raises :class:`LinkLost`."""
        while True:
            if self._got:
                return self._got.popleft()
            if self.closed:
                raise LinkLost("the node has gone")
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            poller = select.poll()  # select() has no room for descriptors beyond 1023
            poller.register(self.sock, select.POLLIN | (select.POLLOUT if self._out else 0))
            poller.poll(min(left, 3600.0) * 1000 + 1)
            self._flush()
            self._receive()

    def _receive(self) -> None:
        """Take in what has come. At the end ``closed`` is set; orders that came whole are still there."""
        while not self.closed:
            try:
                data = self.sock.recv(1048576)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self.close()
                return
            *lines, self._in = (self._in + data).split(b"\n")
            for line in lines:
                try:
                    order = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(order, dict):
                    self._got.append(order)

    def close(self) -> None:
        """End it. Idempotent."""
        self.closed = True
        self.sock.close()
