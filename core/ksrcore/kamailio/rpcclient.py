"""RPC commands of a running Kamailio: over ``jsonrpcs``' datagram socket or fifo, or ``ctl``'s binrpc.

    RpcClient(find(config)).call("core.uptime")     # {"now": ..., "up_since": ..., "uptime": 12}
    RpcClient(find()).call("htable.get", ["ipban", "10.0.0.1"])

Blocking: a call takes at most its timeout. A command that fails raises :class:`~ksrcore.kemi.declare.RpcError` with
Kamailio's code and reason, a server that cannot be asked :class:`Unreachable`.
"""

from __future__ import annotations

import errno
import grp
import json
import os
import pwd
import random
import select
import socket
import stat
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..kemi.declare import RpcError
from . import binrpc
from .cfg import Config

__all__ = ["RpcClient", "RpcError", "Target", "Unreachable", "find"]

#: Where Kamailio puts sockets whose parameter is a relative path (its run_dir), and Debian's package everything.
RUN_DIR = "/run/kamailio"
#: Seconds for an answer.
TIMEOUT = 5.0

Kind = Literal["dgram", "fifo", "ctl-stream", "ctl-dgram"]


class Unreachable(Exception):
    """No answer from the server: one line that says which socket, why, and what to do."""


@dataclass(frozen=True)
class Target:
    """A way to the server's RPC. ``address``: a path, or for ``dgram`` and ``ctl-*`` also ``HOST:PORT``.

    ``reply_dir``: where the fifo's answers are (``fifo_reply_dir``).
    """

    kind: Kind
    address: str
    reply_dir: str = "/tmp"

    def __str__(self) -> str:
        name = {"dgram": "jsonrpcs socket", "fifo": "jsonrpcs fifo"}.get(self.kind, "ctl socket")
        return f"{name} {self.address}"

    @property
    def path(self) -> str:
        """The path in the file system, '' for an address of the network."""
        return self.address if self.address.startswith("/") else ""


def find(config: Config | None = None, run_dir: str = "") -> list[Target]:
    """The ways to a server's RPC, best first, by its kamailio.cfg; None: those of Debian's package.

    ``run_dir`` is Kamailio's ``-Y``.
    """
    base = run_dir or str(config.setting("run_dir", RUN_DIR) if config is not None else RUN_DIR)
    found: list[Target] = []
    if config is None or config.loads("jsonrpcs"):
        transport = _number(config, "transport", 6)
        dgram = _text(config, "dgram_socket", "kamailio_rpc.sock")
        fifo = _text(config, "fifo_name", "kamailio_rpc.fifo")
        if dgram and transport in (0, 4, 5, 6, 7):
            network = dgram.startswith(("udp:", "udp4:", "udp6:"))
            address = dgram.partition(":")[2] if network else os.path.join(base, dgram)
            found.append(Target("dgram", address))
        if fifo and transport in (0, 2, 3, 6, 7):
            reply_dir = _text(config, "fifo_reply_dir", "/tmp")
            found.append(Target("fifo", os.path.join(base, fifo), reply_dir))
    if config is None or config.loads("ctl"):
        addresses = [str(value) for value in config.params("ctl", "binrpc")] if config is not None else []
        found += [_ctl(text, base) for text in addresses or ["unix:kamailio_ctl"]]
    return found


def _text(config: Config | None, name: str, default: str) -> str:
    value = config.param("jsonrpcs", name) if config is not None else None
    return default if value is None else str(value)


def _number(config: Config | None, name: str, default: int) -> int:
    value = config.param("jsonrpcs", name) if config is not None else None
    return value if isinstance(value, int) else default


def _ctl(text: str, base: str) -> Target:
    """A value of ctl's ``binrpc``: ``[unix|unixs|unixd|udp|tcp:]ADDRESS``."""
    proto, colon, address = text.partition(":")
    if not colon or proto not in ("unix", "unixs", "unixd", "udp", "tcp"):
        proto, address = ("unix" if "/" in text else "udp"), text
    if proto in ("udp", "tcp"):
        host, colon, port = address.rpartition(":")
        host = "127.0.0.1" if host in ("", "*") else host
        return Target("ctl-dgram" if proto == "udp" else "ctl-stream", f"{host}:{port}")
    return Target("ctl-dgram" if proto == "unixd" else "ctl-stream", os.path.join(base, address))


class RpcClient:
    """Calls over the first of ``targets`` that answers; the one that did is asked first from then on."""

    def __init__(self, targets: Iterable[Target], timeout: float = TIMEOUT) -> None:
        self.targets = list(targets)
        self.timeout = timeout
        self.used: Target | None = None

    def call(self, method: str, params: Sequence[Any] = (), timeout: float | None = None) -> Any:
        """The result of a command, as Kamailio's jsonrpcs has it. Over ``ctl``, which has no list of one: one value is
        itself, several are a list, none is {}.

        Raises :class:`RpcError` (code and reason of the server), :class:`Unreachable`. A command that was sent is
        never sent again over another way: it may have been carried out.
        """
        if not self.targets:
            raise Unreachable(
                "the server has no RPC to ask: load jsonrpcs (with transport 2, 4 or 6) or ctl in its kamailio.cfg"
            )
        seconds = self.timeout if timeout is None else timeout
        problems = []
        for target in [self.used, *self.targets] if self.used is not None else self.targets:
            try:
                result = _CALLS[target.kind](target, method, list(params), seconds)
            except _NotSent as error:
                problems.append(str(error))
                continue
            self.used = target
            return result
        raise Unreachable("; ".join(dict.fromkeys(problems)))


class _NotSent(Exception):
    """The command did not reach the server."""


def _why(target: Target, error: OSError) -> str:
    """One line on a socket that cannot be used."""
    match error.errno:
        case errno.ENOENT:
            return f"{target} is not there: the server does not run, or its module is not loaded"
        case errno.ECONNREFUSED | errno.ENXIO:
            return f"{target}: nobody listens, the server does not run any more"
        case errno.EACCES | errno.EPERM:
            return f"{target}: no permission{_owner(target.path)}"
    return f"{target}: {error.strerror or error}"


def _owner(path: str) -> str:
    """Who may write to a socket or fifo, for the message about a permission."""
    try:
        found = os.stat(path)
    except OSError:
        return f" to look into {os.path.dirname(path)}; run as the server's user or as root"
    user, group = _name(pwd.getpwuid, found.st_uid), _name(grp.getgrgid, found.st_gid)
    mode = stat.S_IMODE(found.st_mode)
    remedy = f"run as {user}"
    if mode & 0o020:
        remedy += f" or as a member of the group {group}"
    return f": it belongs to {user}:{group} with mode {mode:04o}; {remedy}"


def _name(look: Any, number: int) -> str:
    try:
        return str(look(number)[0])
    except KeyError:
        return str(number)


def _late(target: Target, method: str, timeout: float) -> Unreachable:
    more = ", or its answer does not fit a datagram (64 KiB)" if target.kind == "dgram" else ""
    return Unreachable(f"{target}: no answer to {method} in {timeout:g} s; the server is busy{more}")


# -- jsonrpcs ---------------------------------------------------------------------------------------------------------


def _document(method: str, params: list[Any], id: int, **more: str) -> bytes:
    document: dict[str, Any] = {"jsonrpc": "2.0", "method": method, **more, "id": id}
    if params:
        document["params"] = params
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _result(target: Target, data: bytes, id: int) -> Any:
    try:
        answer = json.loads(data.decode("utf-8", "surrogateescape"), strict=False)
    except ValueError as error:
        raise Unreachable(f"{target}: the answer is no JSON ({error}): {data[:80]!r}") from None
    if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
        raise Unreachable(f"{target}: the answer is not one of JSON-RPC: {data[:80]!r}")
    if answer.get("id", id) != id:
        raise Unreachable(f"{target}: the answer is to another request: {data[:80]!r}")
    fault = answer.get("error")
    if fault is not None:
        raise RpcError(int(fault.get("code", 500)), str(fault.get("message", "")))
    return answer["result"]


def _inet(address: str) -> tuple[int, tuple[str, int]]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, int(port))


def _connected(target: Target, kind: socket.SocketKind, timeout: float) -> socket.socket:
    """A socket connected to the target. Raises :class:`_NotSent`."""
    try:
        if target.path:
            sock = socket.socket(socket.AF_UNIX, kind)
        else:
            family, address = _inet(target.address)
            sock = socket.socket(family, kind)
    except OSError as error:
        raise _NotSent(_why(target, error)) from None
    try:
        sock.settimeout(timeout)
        if target.path:
            if kind == socket.SOCK_DGRAM:
                # An abstract address: no file, so no permission that the server could lack to answer to it.
                sock.bind("")
            sock.connect(target.path)
        else:
            sock.connect(address)
    except OSError as error:
        sock.close()
        raise _NotSent(_why(target, error)) from None
    return sock


def _dgram(target: Target, method: str, params: list[Any], timeout: float) -> Any:
    id = random.randrange(1, 2**31)
    with _connected(target, socket.SOCK_DGRAM, timeout) as sock:
        try:
            sock.send(_document(method, params, id))
            return _result(target, sock.recv(1 << 20), id)
        except TimeoutError:
            raise _late(target, method, timeout) from None
        except OSError as error:
            raise _NotSent(_why(target, error)) from None


def _fifo(target: Target, method: str, params: list[Any], timeout: float) -> Any:
    id = random.randrange(1, 2**31)
    deadline = time.monotonic() + timeout
    try:
        commands = os.open(target.address, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise _NotSent(_why(target, error)) from None
    # What was opened is looked at: the server's user can put something else in its place at any time.
    if not stat.S_ISFIFO(os.fstat(commands).st_mode):
        os.close(commands)
        raise _NotSent(f"{target} is no fifo")
    name = f"ksrshell_{os.getpid()}_{random.randrange(10**9)}"
    path = os.path.join(target.reply_dir, name)
    answers = -1
    try:
        try:
            os.mkfifo(path, 0o600)
            answers = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
            made = os.fstat(answers)
            if not stat.S_ISFIFO(made.st_mode) or made.st_uid != os.geteuid():
                raise _NotSent(f"{target}: somebody else's file came in the place of {path}")
            # The server, often another user, writes; nobody else reads.
            os.fchmod(answers, 0o622)
        except OSError as error:
            raise _NotSent(f"{target}: no fifo for the answer in {target.reply_dir}: {error.strerror}") from None
        document = _document(method, params, id, reply_name=name) + b"\n"
        if len(document) > select.PIPE_BUF:
            raise _NotSent(f"{target} takes at most {select.PIPE_BUF} bytes at once, {method} has {len(document)}")
        try:
            os.write(commands, document)
        except OSError as error:
            raise _NotSent(_why(target, error)) from None
        return _result(target, _read_fifo(answers, deadline, target, method, timeout), id)
    finally:
        os.close(commands)
        if answers >= 0:
            os.close(answers)
        Path(path).unlink(missing_ok=True)


def _read_fifo(fd: int, deadline: float, target: Target, method: str, timeout: float) -> bytes:
    """What is written to the fifo until its writer closes it."""
    data = b""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise _late(target, method, timeout)
        events = poller.poll(min(left, 0.5) * 1000)
        if not events:
            continue
        chunk = os.read(fd, 65536) if events[0][1] & select.POLLIN else b""
        data += chunk
        if not chunk:
            if data:
                return data
            # The server has opened and closed it without a word.
            raise Unreachable(f"{target}: no answer to {method}: the server's log says why")


# -- ctl --------------------------------------------------------------------------------------------------------------


def _ctl_stream(target: Target, method: str, params: list[Any], timeout: float) -> Any:
    cookie = random.randrange(1, 2**32)
    deadline = time.monotonic() + timeout
    with _connected(target, socket.SOCK_STREAM, timeout) as sock:
        data = b""
        try:
            sock.sendall(binrpc.request(cookie, method, params))
            while not (total := binrpc.size(data)) or len(data) < total:
                sock.settimeout(max(deadline - time.monotonic(), 0.001))
                chunk = sock.recv(65536)
                if not chunk:
                    raise Unreachable(f"{target}: closed before the answer to {method}")
                data += chunk
        except TimeoutError:
            raise _late(target, method, timeout) from None
        except OSError as error:
            raise Unreachable(_why(target, error)) from None
        except binrpc.BinrpcError as error:
            raise Unreachable(f"{target}: {error}") from None
    return _reply(target, data, cookie)


def _ctl_dgram(target: Target, method: str, params: list[Any], timeout: float) -> Any:
    cookie = random.randrange(1, 2**32)
    with _connected(target, socket.SOCK_DGRAM, timeout) as sock:
        try:
            sock.send(binrpc.request(cookie, method, params))
            data = sock.recv(1 << 20)
        except TimeoutError:
            raise _late(target, method, timeout) from None
        except OSError as error:
            raise _NotSent(_why(target, error)) from None
    return _reply(target, data, cookie)


def _reply(target: Target, data: bytes, cookie: int) -> Any:
    try:
        packet = binrpc.decode(data)
    except binrpc.BinrpcError as error:
        raise Unreachable(f"{target}: {error}") from None
    if packet.cookie != cookie:
        raise Unreachable(f"{target}: the answer is to another request")
    if packet.kind == binrpc.FAULT:
        code, reason = (*packet.values, 500, "")[:2]
        raise RpcError(int(code), str(reason))
    if not packet.values:
        return {}
    return packet.values[0] if len(packet.values) == 1 else packet.values


_CALLS = {"dgram": _dgram, "fifo": _fifo, "ctl-stream": _ctl_stream, "ctl-dgram": _ctl_dgram}
