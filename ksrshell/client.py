"""The client's end of the control channel: JSON-RPC 2.0, one object a line, over a Unix socket.

The protocol is described in docs/control-channel.md. :class:`Client` is synchronous and may be used from several
threads; a reader thread of its own hands answers to the callers that wait and events to their listeners.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from .errors import AttachError, Disconnected, NoAnswer, RemoteError

#: Seconds to wait for the answer to a call, unless the call says otherwise.
TIMEOUT = 10.0
#: Seconds between attempts of a persistent client to reach a proxy that went away.
RETRY = 1.0

_HELLO = b'{"jsonrpc":"2.0","id":0,"method":"ksr.hello","params":{}}\n'


class _Pending:
    """A call that waits for its answer."""

    __slots__ = ("done", "answer")

    def __init__(self) -> None:
        self.done = threading.Event()
        #: None when the connection ended first.
        self.answer: dict[str, Any] | None = None


class Client:
    """A connection to the control socket at ``path``.

    ``persistent``: when the proxy goes away the reader thread tries to reach it again every second; otherwise the next
    call does. ``on_lost(text)`` and ``on_back(text, same)`` tell it once each (``same``: it is the same process as
    before); they run on the reader thread or in the call that reconnected. ``process`` counts the processes met:
    message ids, sandboxes and steps of one mean nothing in the next.
    """

    def __init__(self, path: str | Path, *, timeout: float = TIMEOUT, persistent: bool = False) -> None:
        self.path = Path(path)
        self.timeout = timeout
        self.persistent = persistent
        self.process = 0
        #: The proxy's answer to ``ksr.hello``: name, pid, version, script, listens ...
        self.hello: dict[str, Any] = {}
        self.on_event: list[Callable[[dict[str, Any]], None]] = []
        self.on_lost: Callable[[str], None] | None = None
        self.on_back: Callable[[str, bool], None] | None = None
        #: Called with the path before another attempt to reach a proxy that went away: it may start what is to answer.
        self.revive: Callable[[Path], None] | None = None
        self._sock: socket.socket | None = None
        self._lock = threading.Lock()
        self._connecting = threading.RLock()
        self._closed = threading.Event()
        self._next_id = 0
        self._pending: dict[int, _Pending] = {}
        self._events: list[str] = []
        self._connect()

    # -- calls ----------------------------------------------------------------------------------------------------

    def call(
        self, method: str, params: dict[str, Any] | list[Any] | None = None, *, timeout: float | None = None
    ) -> Any:
        """Call ``method`` and return its result.

        Raises :class:`RemoteError` when the proxy refuses, :class:`Disconnected` when it is not there,
        :class:`NoAnswer` after ``timeout`` seconds (the call may still happen).
        """
        if self._sock is None:
            self._connect()
        pending = _Pending()
        with self._lock:
            self._next_id = id = self._next_id + 1
            self._pending[id] = pending
            sock = self._sock
        request = {"jsonrpc": "2.0", "id": id, "method": method, "params": {} if params is None else params}
        seconds = self.timeout if timeout is None else timeout
        try:
            if sock is None:
                raise self._gone()
            try:
                sock.sendall(json.dumps(request).encode() + b"\n")
            except OSError:
                raise self._gone() from None
            if not pending.done.wait(seconds):
                raise NoAnswer(f"{self.name} did not answer {method} within {seconds:g} s; the call may still happen")
        finally:
            with self._lock:
                self._pending.pop(id, None)
        answer = pending.answer
        if answer is None:
            raise self._gone()
        error = answer.get("error")
        if error is not None:
            raise RemoteError(int(error.get("code", 0)), str(error.get("message", "unknown error")), error.get("data"))
        return answer.get("result")

    def subscribe(self, *events: str) -> None:
        """Ask for events ("message", "exception", "swap", "stats"); they go to the functions in ``on_event``.

        A reconnect asks again by itself. The functions run on the reader thread and must not call the client.
        """
        self.call("ksr.subscribe", {"events": list(events)})
        self._events = list(events)

    @property
    def name(self) -> str:
        """The proxy's name, as it was when it last answered."""
        return str(self.hello.get("name") or self.path.stem)

    @property
    def connected(self) -> bool:
        return self._sock is not None

    def close(self) -> None:
        """End the connection. Idempotent."""
        self._closed.set()
        with self._lock:
            sock, self._sock = self._sock, None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._reader:
            self._reader.join(2.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- the connection -------------------------------------------------------------------------------------------

    def _gone(self) -> Disconnected:
        return Disconnected(f"the proxy {self.name} went away ({self.path}); the next call tries to reach it again")

    def _connect(self) -> None:
        """Connect and start a reader, unless another thread just did."""
        with self._connecting:
            if self._closed.is_set():
                raise Disconnected(f"the connection to {self.name} was closed")
            if self._sock is None:
                buffer = self._establish()
                self._reader = threading.Thread(target=self._run, args=(buffer,), name="ksrshell-client", daemon=True)
                self._reader.start()

    def _establish(self) -> bytes:
        """Open the socket and say hello; returns what was read beyond the answer. Tells ``on_back``."""
        with self._connecting:
            if self.hello and self.revive is not None:
                self.revive(self.path)
            sock = open_socket(self.path, self.timeout)
            try:
                sock.sendall(_HELLO)
                buffer = b""
                while b"\n" not in buffer:
                    chunk = sock.recv(65536)
                    if not chunk:
                        raise Disconnected(f"{self.path} closed the connection at once")
                    buffer += chunk
                line, _, rest = buffer.partition(b"\n")
                hello = json.loads(line)["result"]
                sock.settimeout(None)
                if self._events:
                    request = {
                        "jsonrpc": "2.0",
                        "id": -1,
                        "method": "ksr.subscribe",
                        "params": {"events": self._events},
                    }
                    sock.sendall(json.dumps(request).encode() + b"\n")
            except (OSError, ValueError, KeyError, TypeError) as error:
                sock.close()
                if isinstance(error, Disconnected):
                    raise
                raise Disconnected(f"{self.path} does not speak ksrshell's control protocol ({error})") from None
            before, self.hello = self.hello, hello
            same = bool(before) and all(before.get(key) == hello.get(key) for key in ("pid", "started", "node"))
            self.process += not same
            self._sock = sock
        if before and self.on_back is not None:
            note = f"; {hello['note']}" if hello.get("note") and not same else ""
            anew = "" if same else ": a new process, its capture begins anew"
            self.on_back(f"reconnected to {self.name}{anew}{note}", same)
        return rest

    def _run(self, buffer: bytes) -> None:
        """The reader thread: lines to callers and listeners, until the connection ends for good."""
        while True:
            self._read(buffer)
            self._lost()
            if not self.persistent:
                return
            while True:
                if self._closed.wait(RETRY):
                    return
                if self._sock is not None:
                    return  # a call was faster: its reader took over
                try:
                    with self._connecting:
                        if self._sock is not None:
                            return
                        buffer = self._establish()
                        self._reader = threading.current_thread()
                    break
                except (Disconnected, AttachError):
                    continue

    def _read(self, buffer: bytes) -> None:
        sock = self._sock
        if sock is None:
            return
        parts = [buffer]
        while True:
            if b"\n" in parts[-1]:
                *lines, rest = b"".join(parts).split(b"\n")
                parts = [rest]
                for line in lines:
                    self._dispatch(line)
            try:
                chunk = sock.recv(262144)
            except OSError:
                chunk = b""
            if not chunk:
                sock.close()
                return
            parts.append(chunk)

    def _dispatch(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        if message.get("method") == "ksr.event":
            for listener in self.on_event:
                with suppress(Exception):  # a listener's defect must not end the connection
                    listener(message.get("params") or {})
            return
        id = message.get("id")
        with self._lock:
            pending = self._pending.get(id) if isinstance(id, int) else None
        if pending is not None:
            pending.answer = message
            pending.done.set()

    def _lost(self) -> None:
        with self._lock:
            self._sock = None
            waiting = list(self._pending.values())
        for pending in waiting:
            pending.done.set()
        if not self._closed.is_set() and self.on_lost is not None:
            self.on_lost(f"lost the proxy {self.name}")


def open_socket(path: Path, timeout: float = TIMEOUT) -> socket.socket:
    """A connected Unix socket to a proxy of our own user (root may attach to anybody's).

    Raises :class:`Disconnected` when nothing listens there, :class:`AttachError` when it is somebody else's.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    folder = -1
    try:
        address = os.fspath(path)
        if len(os.fsencode(address)) > 107:  # sun_path's size: reach it through its folder's descriptor
            folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
            address = f"/proc/self/fd/{folder}/{path.name}"
        sock.connect(address)
        check_peer(sock, path)
    except BaseException as error:
        sock.close()
        if isinstance(error, FileNotFoundError):
            raise Disconnected(f"no proxy at {path}: there is no such socket") from None
        if isinstance(error, ConnectionRefusedError):
            if not path.is_socket():
                raise Disconnected(f"no proxy at {path}: it is no socket") from None
            raise Disconnected(f"no proxy at {path}: the socket is stale, nobody listens on it") from None
        if isinstance(error, PermissionError):
            raise AttachError(f"{path} belongs to {owner(path)}: attach as that user") from None
        if isinstance(error, OSError) and not isinstance(error, AttachError | Disconnected):
            raise Disconnected(f"cannot attach to {path}: {error.strerror or error}") from None
        raise
    finally:
        if folder >= 0:
            os.close(folder)
    return sock


def check_peer(sock: socket.socket, path: Path) -> None:
    """Raises :class:`AttachError` when the process at the other end runs as another user."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    if os.geteuid() not in (0, uid):
        raise AttachError(f"the proxy at {path} runs as {user_name(uid)}: attach as that user")


def owner(path: Path) -> str:
    """The user that a file belongs to, as far as it can be seen."""
    for each in (path, *path.parents):
        with suppress(OSError):
            return user_name(each.stat().st_uid)
    return "another user"


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
