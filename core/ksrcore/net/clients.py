"""A TCP server for a few clients that send and get bytes at any time."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable

from .address import Listen
from .transport import bind_socket

__all__ = ["Client", "ClientServer"]

log = logging.getLogger("ksrcore.net")

#: What may wait to be sent to a client that does not read; then it is closed.
_UNSENT = 4 * 1024 * 1024


class Client:
    """A client that is connected. ``index``: its place, used again by later ones."""

    def __init__(self, server: ClientServer, sock: socket.socket, index: int, address: tuple[str, int]) -> None:
        self.server = server
        self.sock = sock
        self.index = index
        self.address = address
        self.tag = ""
        #: What came and is no whole message yet.
        self.rest = b""
        self.open = True
        self._out = b""

    def send(self, data: bytes) -> bool:
        """Send, now or when the client reads. False: it is gone."""
        if not self.open:
            return False
        if not self._out:
            try:
                data = data[self.sock.send(data) :]
            except BlockingIOError:
                pass
            except OSError:
                return False  # the reader will see it
        if data:
            self._out += data
            if len(self._out) > _UNSENT:
                log.error("the client %s:%d does not read: it is closed", *self.address)
                self.close()
                return False
            self.server.loop.add_writer(self.sock.fileno(), self._write)
        return True

    def _write(self) -> None:
        try:
            self._out = self._out[self.sock.send(self._out) :]
        except BlockingIOError:
            return
        except OSError:
            self._out = b""
        if not self._out:
            self.server.loop.remove_writer(self.sock.fileno())

    def close(self) -> None:
        """Close the connection; nobody is told."""
        if self.open:
            self.open = False
            self.server.forget(self)
            self.server.loop.remove_writer(self.sock.fileno())
            self.server.loop.remove_reader(self.sock.fileno())
            self.sock.close()


class ClientServer:
    """Listens on a host and port, for as many clients as there are places. Raises ListenError.

    ``on_new(client, now)``, ``on_data(client, data, now)`` and ``on_closed(client, now)`` are called in the event
    loop, with monotonic seconds.
    """

    def __init__(
        self,
        host: str,
        port: int,
        places: int,
        on_new: Callable[[Client, float], None],
        on_data: Callable[[Client, bytes, float], None],
        on_closed: Callable[[Client, float], None],
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.on_new, self.on_data, self.on_closed = on_new, on_data, on_closed
        self.places: list[Client | None] = [None] * places
        self.sock = bind_socket(Listen("tcp", host, port), socket.SOCK_STREAM)
        self.sock.listen(16)
        self.port: int = self.sock.getsockname()[1]
        self.loop.add_reader(self.sock.fileno(), self._accept)

    @property
    def clients(self) -> list[Client]:
        """Those connected, by their places."""
        return [client for client in self.places if client is not None]

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.loop.remove_reader(self.sock.fileno())
        self.sock.close()

    def forget(self, client: Client) -> None:
        self.places[client.index] = None

    def _accept(self) -> None:
        try:
            sock, address = self.sock.accept()
        except OSError:
            return
        if None not in self.places:
            log.error("too many clients: %s:%d is closed", *address[:2])
            sock.close()
            return
        sock.setblocking(False)
        client = Client(self, sock, self.places.index(None), address[:2])
        self.places[client.index] = client
        self.loop.add_reader(sock.fileno(), self._read, client)
        self.on_new(client, time.monotonic())

    def _read(self, client: Client) -> None:
        try:
            data = client.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        now = time.monotonic()
        if data:
            self.on_data(client, data, now)
        elif client.open:
            client.close()
            self.on_closed(client, now)
