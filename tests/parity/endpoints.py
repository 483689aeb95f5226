"""The sockets of a case's parties: UDP and TCP on loopback, read in the order in which the kernel got the datagrams."""

from __future__ import annotations

import re
import selectors
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

from lab import websocket

#: From Linux' socket.h; CPython has no name for it.
_SO_TIMESTAMPNS = 35
#: Source port of a party's own TCP connection: the same on both sides, so that it may be written into a case.
TCP_PORT = 5070
#: The same for WebSocket.
WS_PORT = 5071
_LENGTH = re.compile(rb"^(?:Content-Length|l)[ \t]*:[ \t]*(\d+)", re.I | re.M)


@dataclass(frozen=True)
class Heard:
    """A message that came to a party. ``at``: nanoseconds; of the kernel for UDP."""

    at: int
    address: str
    proto: str
    source: str
    data: bytes
    stream: Stream | None = None


class Stream:
    """A TCP connection of a party's."""

    proto = "tcp"

    def __init__(self, sock: socket.socket, address: str, source: str) -> None:
        self.sock = sock
        self.address = address
        self.source = source
        self.buffer = b""
        # A reset instead of TIME_WAIT: the next case connects from the same port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def take(self) -> list[bytes]:
        """Whole messages out of what was read; line ends between them are dropped."""
        found: list[bytes] = []
        while True:
            self.buffer = self.buffer.lstrip(b"\r\n")
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return found
            length = _LENGTH.search(self.buffer, 0, end + 2)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < size:
                return found
            found.append(self.buffer[:size])
            self.buffer = self.buffer[size:]

    def wrap(self, data: bytes) -> bytes:
        """A message as the stream carries it."""
        return data


class WebSocket(Stream):
    """A WebSocket connection of a party's. What is no message is heard as ``[frame OPCODE] payload``, ``[closed]``."""

    proto = "ws"

    def __init__(self, sock: socket.socket, address: str, source: str) -> None:
        super().__init__(sock, address, source)
        self.reader = websocket.Reader()
        sock.sendall(websocket.handshake())

    def take(self) -> list[bytes]:
        answered = bool(self.reader.answer)
        frames = self.reader.feed(self.buffer)
        self.buffer = b""
        found = [data if opcode in (1, 2) else b"[frame %x] %s" % (opcode, data) for opcode, data in frames]
        if self.reader.answer and not answered and b" 101 " not in self.reader.answer:
            found.insert(0, self.reader.answer)
        return found

    def wrap(self, data: bytes) -> bytes:
        return websocket.frame(1, data)


class Endpoints:
    """All sockets towards one server. Addresses are those of the server's own network (``IP:PORT``)."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.udp: dict[str, socket.socket] = {}
        self.listeners: dict[str, socket.socket] = {}
        self.streams: list[Stream] = []

    def open(self, address: str) -> None:
        """Listen on UDP and TCP at ``address``, unless that is done."""
        if address in self.udp:
            return
        host, _, port = address.rpartition(":")
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        udp.setblocking(False)
        udp.bind((host, int(port)))
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((host, int(port)))
        tcp.listen(16)
        tcp.setblocking(False)
        self.udp[address], self.listeners[address] = udp, tcp
        self.selector.register(udp, selectors.EVENT_READ, ("udp", address))
        self.selector.register(tcp, selectors.EVENT_READ, ("listen", address))

    def send_udp(self, address: str, data: bytes, to: str) -> None:
        host, _, port = to.rpartition(":")
        self.udp[address].sendto(data, (host, int(port)))

    def connect(self, address: str, to: str, proto: str = "tcp") -> Stream:
        """The party's connection to the server: the one there is, or a new one. ``proto``: tcp or ws."""
        for stream in self.streams:
            if stream.address == address and stream.source == to and stream.proto == proto:
                return stream
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address.rpartition(":")[0], WS_PORT if proto == "ws" else TCP_PORT))
        sock.settimeout(2.0)
        host, _, port = to.rpartition(":")
        sock.connect((host, int(port)))
        return self._stream(sock, address, to, WebSocket if proto == "ws" else Stream)

    def _stream(self, sock: socket.socket, address: str, source: str, kind: type[Stream] = Stream) -> Stream:
        sock.setblocking(False)
        stream = kind(sock, address, source)
        self.streams.append(stream)
        self.selector.register(sock, selectors.EVENT_READ, ("stream", stream))
        return stream

    def drop(self, stream: Stream) -> None:
        if stream in self.streams:
            self.streams.remove(stream)
            self.selector.unregister(stream.sock)
            stream.sock.close()

    def close_streams(self, address: str = "") -> None:
        """End the connections of the party at ``address``, or all."""
        for stream in [s for s in self.streams if not address or s.address == address]:
            self.drop(stream)

    def read(self, timeout: float) -> tuple[list[Heard], list[Any]]:
        """What is there within ``timeout`` seconds: messages, and the data of foreign sockets that became readable."""
        heard: list[Heard] = []
        others: list[Any] = []
        for key, _ in self.selector.select(timeout):
            kind, what = key.data
            if kind == "udp":
                heard += self._datagrams(self.udp[what], what)
            elif kind == "listen":
                sock, source = self.listeners[what].accept()
                self._stream(sock, what, f"{source[0]}:{source[1]}")
            elif kind == "stream":
                heard += self._from_stream(what)
            else:
                others.append(what)
        return heard, others

    def _datagrams(self, sock: socket.socket, address: str) -> list[Heard]:
        found: list[Heard] = []
        while True:
            try:
                data, control, _, source = sock.recvmsg(65536, 64)
            except (BlockingIOError, ConnectionError):
                return found
            at = time.time_ns()
            for level, kind, value in control:
                if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                    seconds, nanoseconds = struct.unpack("qq", value[:16])
                    at = seconds * 1_000_000_000 + nanoseconds
            found.append(Heard(at, address, "udp", f"{source[0]}:{source[1]}", data))

    def _from_stream(self, stream: Stream) -> list[Heard]:
        try:
            data = stream.sock.recv(65536)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        at = time.time_ns()
        if not data:
            self.drop(stream)
            if stream.proto == "ws":
                return [Heard(at, stream.address, "ws", stream.source, b"[closed]", stream)]
            return []
        stream.buffer += data
        return [Heard(at, stream.address, stream.proto, stream.source, text, stream) for text in stream.take()]

    def close(self) -> None:
        self.close_streams()
        for sock in (*self.udp.values(), *self.listeners.values()):
            self.selector.unregister(sock)
            sock.close()
        self.udp.clear()
        self.listeners.clear()
        self.selector.close()
