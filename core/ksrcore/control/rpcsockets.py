"""The sockets of Kamailio's module jsonrpcs: a datagram socket (Unix or UDP) and a fifo, for kamcli, kamctl and others.

A datagram is a document, and so is its answer. The fifo takes documents one after the other; each names a fifo in
``reply_dir`` for its answer, which the client makes and opens.
"""

from __future__ import annotations

import asyncio
import errno
import grp
import logging
import os
import pwd
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..net.address import AddressError, parse_host_port
from .jsonrpc import Answer

__all__ = ["Access", "DatagramRpc", "FifoRpc", "RpcSocketError"]

log = logging.getLogger("ksrcore.jsonrpcs")

#: What a document does: None, it is none.
Execute = Callable[[str], Answer | None]

#: The largest document, bytes.
MAX_DOCUMENT = 65536
#: A client that does not open or read its fifo is given up after so many seconds.
PATIENCE = 2.0
_RETRY = 0.02


class RpcSocketError(Exception):
    """A socket or fifo that cannot be opened: one line for the user."""


class Access:
    """Who may use it: ``mode``, and '' or a name or number for the owner and the group."""

    def __init__(self, mode: int, user: str = "", group: str = "") -> None:
        self.mode = mode
        self.user = user
        self.group = group

    def apply(self, path: str) -> None:
        """Raises :class:`RpcSocketError`."""
        try:
            uid = -1 if not self.user else int(self.user) if self.user.isdigit() else pwd.getpwnam(self.user).pw_uid
            gid = -1 if not self.group else int(self.group) if self.group.isdigit() else grp.getgrnam(self.group).gr_gid
        except KeyError:
            raise RpcSocketError(f"{path}: no such user or group: {self.user or '-'}:{self.group or '-'}") from None
        try:
            os.chmod(path, self.mode)
            if (uid, gid) != (-1, -1):
                os.chown(path, uid, gid)
        except OSError as error:
            raise RpcSocketError(f"{path}: its owner or mode cannot be set: {error.strerror}") from None


# -- datagrams --------------------------------------------------------------------------------------------------------


class DatagramRpc:
    """``address``: the path of a Unix socket, or ``udp:HOST:PORT``."""

    def __init__(self, address: str, execute: Execute, access: Access) -> None:
        self.address = address
        self._execute = execute
        self._path = ""
        if address.startswith(("udp:", "udp4:", "udp6:")):
            self._sock = self._udp(address)
        else:
            self._path = address
            self._sock = self._unix(address, access)
        self._sock.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock, self._readable)
        self._tasks: set[asyncio.Task[None]] = set()

    @staticmethod
    def _udp(address: str) -> socket.socket:
        try:
            host, port = parse_host_port(address.partition(":")[2])
        except AddressError as error:
            raise RpcSocketError(f"dgram_socket {address}: {error}") from None
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind((host, port))
        except OSError as error:
            sock.close()
            raise RpcSocketError(f"dgram_socket {address}: {error.strerror}") from None
        return sock

    @staticmethod
    def _unix(path: str, access: Access) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            _free(path, sock)
            # Nobody reaches it before it has its mode.
            before = os.umask(0o177)
            try:
                sock.bind(path)
            finally:
                os.umask(before)
            access.apply(path)
        except OSError as error:
            sock.close()
            raise RpcSocketError(f"dgram_socket {path}: {error.strerror or error}") from None
        except RpcSocketError:
            sock.close()
            raise
        return sock

    def _readable(self) -> None:
        while True:
            try:
                data, peer = self._sock.recvfrom(MAX_DOCUMENT)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                log.warning("%s: %s", self.address, error)
                return
            answer = self._execute(data.decode("latin-1"))
            if answer is None:
                continue
            if not peer:
                log.warning("%s: a request from a socket without a name cannot be answered", self.address)
                continue
            self._send(answer.body.encode("latin-1"), peer)

    def _send(self, data: bytes, peer: Any) -> None:
        try:
            self._sock.sendto(data, peer)
        except BlockingIOError:
            task = asyncio.create_task(self._later(data, peer), name="jsonrpcs-datagram")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        except OSError as error:
            self._lost(data, error)

    async def _later(self, data: bytes, peer: Any) -> None:
        """The client's queue is full: it has not read earlier answers."""
        for _ in range(int(PATIENCE / _RETRY)):
            await asyncio.sleep(_RETRY)
            try:
                self._sock.sendto(data, peer)
                return
            except BlockingIOError:
                continue
            except OSError as error:
                self._lost(data, error)
                return
        log.warning("%s: a client does not read its answers", self.address)

    def _lost(self, data: bytes, error: OSError) -> None:
        why = "it does not fit a datagram; use the fifo" if error.errno == errno.EMSGSIZE else str(error.strerror)
        log.error("%s: an answer of %d bytes is not sent: %s", self.address, len(data), why)

    def close(self) -> None:
        self._loop.remove_reader(self._sock)
        for task in self._tasks:
            task.cancel()
        self._sock.close()
        if self._path:
            Path(self._path).unlink(missing_ok=True)


def _free(path: str, sock: socket.socket) -> None:
    """Remove a socket that nobody listens on any more. Raises :class:`RpcSocketError`, OSError."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise RpcSocketError(f"dgram_socket {path}: there is a file of that name that is no socket")
    with socket.socket(socket.AF_UNIX, sock.type) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise RpcSocketError(f"dgram_socket {path}: another server listens there")


# -- the fifo ---------------------------------------------------------------------------------------------------------


class FifoRpc:
    """The fifo ``path``; answers go to fifos in ``reply_dir``."""

    def __init__(self, path: str, execute: Execute, access: Access, reply_dir: str) -> None:
        self.path = path
        self.reply_dir = reply_dir
        self._execute = execute
        self._text = ""
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            pass
        else:
            if not stat.S_ISFIFO(found.st_mode):
                raise RpcSocketError(f"fifo_name {path}: there is a file of that name that is no fifo")
            if _has_reader(path):
                raise RpcSocketError(f"fifo_name {path}: another server reads there")
            os.unlink(path)
        try:
            os.mkfifo(path, 0o600)
            # Both ends: with no writer at all it would be at its end for ever.
            self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise RpcSocketError(f"fifo_name {path}: {error.strerror}") from None
        try:
            access.apply(path)
        except RpcSocketError:
            os.close(self._fd)
            os.unlink(path)
            raise
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._readable)
        self._tasks: set[asyncio.Task[None]] = set()

    def _readable(self) -> None:
        try:
            self._text += os.read(self._fd, MAX_DOCUMENT).decode("latin-1")
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            log.warning("%s: %s", self.path, error)
            return
        while document := self._next():
            answer = self._execute(document)
            if answer is None:
                continue
            if not answer.reply_name:
                log.error("%s: a request without reply_name is not answered", self.path)
                continue
            task = asyncio.create_task(self._reply(answer), name="jsonrpcs-fifo")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next(self) -> str:
        """The next whole document, '' for none. Kamailio looks for the closing brace, too: lines do not count."""
        start = self._text.find("{")
        if start < 0:
            self._text = ""
            return ""
        depth, quoted, escaped = 0, False, False
        for at in range(start, len(self._text)):
            char = self._text[at]
            if escaped:
                escaped = False
            elif quoted:
                quoted, escaped = char != '"', char == "\\"
            elif char == '"':
                quoted = True
            elif char in "{}":
                depth += 1 if char == "{" else -1
                if not depth:
                    document, self._text = self._text[start : at + 1], self._text[at + 1 :]
                    return document
        if len(self._text) > MAX_DOCUMENT:
            log.error("%s: a document of more than %d bytes is left out", self.path, MAX_DOCUMENT)
            self._text = ""
        return ""

    async def _reply(self, answer: Answer) -> None:
        name = answer.reply_name
        if "/" in name or name in (".", ".."):
            log.error("%s: reply_name is a name without '/', got %r", self.path, name)
            return
        path = os.path.join(self.reply_dir, name)
        try:
            fd = await self._open(path)
        except OSError as error:
            log.error("%s: the answer's fifo %s cannot be opened: %s", self.path, path, error.strerror)
            return
        data = answer.body.encode("latin-1")
        waited = 0.0
        try:
            while data:
                try:
                    data = data[os.write(fd, data) :]
                except BlockingIOError:
                    waited += _RETRY
                    if waited > PATIENCE:
                        log.warning("%s: a client does not read its answer", self.path)
                        return
                    await asyncio.sleep(_RETRY)
                except OSError as error:
                    log.warning("%s: a client has gone before its answer: %s", self.path, error.strerror)
                    return
        finally:
            os.close(fd)

    @staticmethod
    async def _open(path: str) -> int:
        """Open the client's fifo; kamctl sends its command before its reader has opened it. Raises OSError."""
        waited = 0.0
        while True:
            try:
                fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError as error:
                if error.errno not in (errno.ENXIO, errno.ENOENT) or waited > PATIENCE:
                    raise
                waited += _RETRY
                await asyncio.sleep(_RETRY)
                continue
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                return fd
            os.close(fd)
            raise OSError(errno.EINVAL, "it is no fifo")

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        for task in self._tasks:
            task.cancel()
        os.close(self._fd)
        Path(self.path).unlink(missing_ok=True)


def _has_reader(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        return error.errno != errno.ENXIO
    return True
