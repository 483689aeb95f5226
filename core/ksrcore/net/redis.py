"""Redis: commands out, replies back, in RESP version 2, over connections that threads share by turns.

A call waits for its reply, for ``timeout`` seconds at most. Text is latin-1: each character is one byte of the wire.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

__all__ = ["Connection", "RedisClosed", "Reply", "Server", "encode", "parse_command"]

#: hiredis' numbers of the types of replies.
STRING, ARRAY, INTEGER, NIL, STATUS, ERROR = 1, 2, 3, 4, 5, 6

#: A reply longer than this, or an array with more elements, is not taken.
_LONGEST = 512 * 1024 * 1024
#: Arrays in arrays.
_DEEPEST = 9


class RedisClosed(OSError):
    """The server closed the connection, or what it sends is not RESP."""


@dataclass(frozen=True, slots=True)
class Reply:
    """``type`` is hiredis' number; ``value``: text (string, status, error), int, tuple of replies, or None."""

    type: int
    value: str | int | tuple[Reply, ...] | None


def encode(words: list[str]) -> bytes:
    """A command as an array of bulk strings."""
    parts = [f"*{len(words)}\r\n", *(f"${len(word)}\r\n{word}\r\n" for word in words)]
    return "".join(parts).encode("latin-1")


def parse_command(text: str, args: tuple[str, ...]) -> list[str]:
    """The words of a command: split at blanks, each ``%s`` of the text replaced by the next of ``args`` as it is.

    ``%%`` is a percent sign, and a percent sign at the end is one. Arguments that are not used are dropped. Raises
    ValueError for another conversion, for an argument too few, for a command without words.
    """
    words: list[str] = []
    given = iter(args)
    for raw in text.split(" "):
        if not raw:
            continue
        head, *parts = raw.split("%")
        word = head
        at = 0
        while at < len(parts):
            part = parts[at]
            at += 1
            if part[:1] == "s":
                value = next(given, None)
                if value is None:
                    raise ValueError(f"%s has no argument in {text!r}: {len(args)} given")
                word += value + part[1:]
            elif not part and at < len(parts):  # %%
                word += "%" + parts[at]
                at += 1
            elif not part:
                word += "%"
            else:
                raise ValueError(f"expected %s or %%, got %{part[0]} in {text!r}")
        words.append(word)
    if not words:
        raise ValueError("the command is empty")
    return words


class Connection:
    """One connection. ``db`` is the database that is selected. ``transaction``: between MULTI and EXEC."""

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self.sock = sock
        self.timeout = timeout
        self.db = 0
        self.bound_until = 0.0
        self._buffer = b""
        self._end = 0.0

    def close(self) -> None:
        self.sock.close()

    def command(self, words: list[str]) -> Reply:
        """Send a command and wait for its reply. Raises OSError; the connection is of no use then."""
        self._end = monotonic() + self.timeout
        self.sock.settimeout(self.timeout)
        self.sock.sendall(encode(words))
        return self._reply(0)

    def _more(self) -> None:
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError("no reply in time")
        self.sock.settimeout(left)
        data = self.sock.recv(65536)
        if not data:
            raise RedisClosed("the server closed the connection")
        self._buffer += data

    def _line(self) -> str:
        while (at := self._buffer.find(b"\r\n")) < 0:
            self._more()
        line, self._buffer = self._buffer[:at], self._buffer[at + 2 :]
        return line.decode("latin-1")

    def _number(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise RedisClosed(f"expected a number, got {text!r}") from None
        if number > _LONGEST:
            raise RedisClosed(f"{number} is too long")
        return number

    def _reply(self, depth: int) -> Reply:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == "+":
            return Reply(STATUS, rest)
        if kind == "-":
            return Reply(ERROR, rest)
        if kind == ":":
            try:
                return Reply(INTEGER, int(rest))
            except ValueError:
                raise RedisClosed(f"expected a number, got {rest!r}") from None
        if kind == "$":
            size = self._number(rest)
            if size < 0:
                return Reply(NIL, None)
            while len(self._buffer) < size + 2:
                self._more()
            data, self._buffer = self._buffer[:size], self._buffer[size + 2 :]
            return Reply(STRING, data.decode("latin-1"))
        if kind == "*":
            size = self._number(rest)
            if size < 0:
                return Reply(NIL, None)
            if depth >= _DEEPEST:
                raise RedisClosed("arrays are nested too deeply")
            return Reply(ARRAY, tuple(self._reply(depth + 1) for _ in range(size)))
        raise RedisClosed(f"expected a reply in RESP2, got {line[:40]!r}")


class Server:
    """One Redis server and the connections to it that nobody uses now.

    ``locate()`` gives (host, port) when it is not known beforehand: a sentinel has to be asked. Several threads call
    at once; ``reopened`` is called with each connection that takes the place of one that failed.
    """

    def __init__(
        self,
        *,
        host: str = "",
        port: int = 6379,
        unix: str = "",
        password: str = "",
        db: int = 0,
        connect_timeout: float = 1.0,
        timeout: float = 1.0,
        locate: Callable[[], tuple[str, int]] | None = None,
    ) -> None:
        self.host, self.port, self.unix = host, port, unix
        self.password = password
        self.db = db
        self.connect_timeout = connect_timeout
        self.timeout = timeout
        self.locate = locate
        self.free: list[Connection] = []

    @property
    def where(self) -> str:
        """For people."""
        return self.unix or f"{self.host}:{self.port}/{self.db}"

    def open(self) -> Connection:
        """A new connection: authenticated, alive, its database selected. Raises OSError."""
        if self.unix:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.settimeout(self.connect_timeout)
                sock.connect(self.unix)
            except BaseException:
                sock.close()
                raise
        else:
            if self.locate is not None:
                self.host, self.port = self.locate()
            sock = socket.create_connection((self.host, self.port), self.connect_timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, self.timeout)
        try:
            if self.password:
                self._must(connection, ["AUTH", self.password])
            self._must(connection, ["PING"])
            self._must(connection, ["SELECT", str(self.db)])
        except BaseException:
            connection.close()
            raise
        connection.db = self.db
        return connection

    def _must(self, connection: Connection, words: list[str]) -> None:
        reply = connection.command(words)
        # Kamailio goes on after a PING that is refused; what matters is that somebody answers.
        if reply.type == ERROR and words[0] != "PING":
            raise RedisClosed(f"{words[0]}: {reply.value}")

    def take(self) -> Connection | None:
        """A connection that nobody uses, None when there is none; :meth:`give` gives it back."""
        try:
            return self.free.pop()
        except IndexError:
            return None

    def give(self, connection: Connection) -> None:
        self.free.append(connection)

    def close(self) -> None:
        while self.free:
            self.free.pop().close()


def sentinel(addresses: list[tuple[str, int]], group: str, master: bool, timeout: float) -> tuple[str, int]:
    """Ask the sentinels in turn where the master, or a replica, of a group is. Raises OSError."""
    problem: OSError = RedisClosed("no sentinel is configured")
    for address in addresses:
        try:
            with socket.create_connection(address, timeout) as sock:
                asked = Connection(sock, timeout)
                if master:
                    found = _strings(asked.command(["SENTINEL", "get-master-addr-by-name", group]))
                    if len(found) == 2:
                        return found[0], int(found[1])
                else:
                    reply = asked.command(["SENTINEL", "slaves", group])
                    entries = reply.value if isinstance(reply.value, tuple) else ()
                    for entry in entries:
                        flat = _strings(entry)
                        fields = dict(zip(flat[::2], flat[1::2], strict=False))
                        if "ip" in fields and "port" in fields:
                            return fields["ip"], int(fields["port"])
            problem = RedisClosed(f"the sentinel {address[0]}:{address[1]} knows no such server of {group}")
        except OSError as error:
            problem = error
        except ValueError as error:
            problem = RedisClosed(str(error))
    raise problem


def _strings(reply: Reply) -> list[str]:
    if not isinstance(reply.value, tuple):
        return []
    return [each.value for each in reply.value if isinstance(each.value, str)]
