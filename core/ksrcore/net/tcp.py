"""SIP over TCP: connections, their reuse and their limits (RFC 3261 18, RFC 5923 aliases, RFC 5626 keepalive).

A message goes to the connection it names, else to the newest one to that address (see conntable.py), else a new
connection is opened and the message waits for it. A peer that does not read is cut off after tcp_send_timeout; what
may wait for it is bounded by tcp_conn_wq_max and, for all peers together, by tcp_wq_max.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import cast

from .address import SND_CLOSE, SND_FORCE_SOCKET, SND_NO_CONNECT, Dest, Listen, Rcv, bracketed
from .conntable import ConnTable
from .framing import Framer, Keepalive
from .transport import ConnInfo, Hub, ListenError, Transport, bind_socket, log
from .ws import Link

_WILDCARDS = ("0.0.0.0", "::")
_PONG = b"\r\n"
#: To an HTTP client that waits with its body; the length is Kamailio's.
_CONTINUE = b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n"
#: A read takes no more, so that one busy peer leaves turns for the others.
_READ_SIZE = 16384
#: How long close() lets queued bytes leave, seconds.
_GRACE = 0.5


class StreamConnection(asyncio.BufferedProtocol):
    """One connection. Its states: connecting, open, closing; a closed one is in no table any more."""

    def __init__(self, owner: StreamTransport, listen: Listen, outgoing: Dest | None = None) -> None:
        self.owner = owner
        self.listen = listen
        self.outgoing = outgoing is not None
        self.conid = 0
        self.state = "connecting"
        self.peer_ip = ""
        self.peer_port = 0
        self.local_ip = listen.host
        self.local_port = 0
        self.aliases: list[int] = []
        self.lifetime = owner.hub.options.tcp_connection_lifetime
        self.last_used = owner.loop.time()
        self.stalled_since: float | None = None
        self.waiting: list[tuple[Dest, bytes]] = []
        self.waiting_bytes = 0
        self._transport: asyncio.Transport | None = None
        options = owner.hub.options
        self._framer = Framer(options.tcp_rd_buf_size, options.tcp_accept_no_cl)
        self._rcv: Rcv | None = None
        #: What took the connection over after a handshake: then frames come and go.
        self.link: Link | None = None
        if outgoing is not None:
            self._set_peer(outgoing.ip, outgoing.port)

    def _set_peer(self, ip: str, port: int) -> None:
        self.conid = next(self.owner.hub.conids)
        self.peer_ip, self.peer_port = ip, port
        self.aliases = [port]
        listen = self.listen
        self._rcv = Rcv(listen.proto, ip, port, listen.host, listen.port, listen, self.conid)
        self.owner.table.add(self)

    @property
    def peer(self) -> str:
        return f"{bracketed(self.peer_ip)}:{self.peer_port}"

    @property
    def queued(self) -> int:
        """Bytes that wait for the peer."""
        return self.waiting_bytes if self._transport is None else self._transport.get_write_buffer_size()

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = self._transport = cast("asyncio.Transport", transport)
        if not self.outgoing:
            peer = stream.get_extra_info("peername")
            if not peer or not self.owner.has_room():
                stream.abort()  # never got an id: it is in no table
                return
            self._set_peer(peer[0], peer[1])
        elif self.state != "connecting":
            stream.abort()
            return
        local = stream.get_extra_info("sockname")
        if local:
            self.local_ip, self.local_port = local[0], local[1]
        sock: socket.socket | None = stream.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        stream.set_write_buffer_limits(high=0)  # told at once when the peer stops reading
        self.state = "open"
        self.touch()
        self.owner.wake_by(self.last_used + self.lifetime)
        waiting, self.waiting, self.waiting_bytes = self.waiting, [], 0
        flags = 0
        for dest, data in waiting:
            self.owner.counters.sent += 1
            self.write(data)
            flags |= dest.flags
        if flags & SND_CLOSE:
            self.close()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.owner.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self.state != "open" or self._rcv is None:
            return
        self.touch()
        owner = self.owner
        if self.link is not None:
            owner.counters.received += self.link.feed(bytes(owner.read_buffer[:nbytes]), self.last_used)
            return
        framer = self._framer
        for item in framer.feed(bytes(owner.read_buffer[:nbytes])):
            if self.state != "open":
                return  # the owner closed it because of the message before
            if isinstance(item, Keepalive):
                if item is Keepalive.CONTINUE:
                    self.write(_CONTINUE)
                elif owner.hub.options.tcp_crlf_ping and self.stalled_since is None:
                    self.write(_PONG)
            else:
                owner.counters.received += 1
                owner.hub.deliver(item, self._rcv)
        if framer.error is not None:
            owner.counters.errors += 1
            log.warning("%s connection %d from %s closed: %s", self.owner.proto, self.conid, self.peer, framer.error)
            self.close()

    def pause_writing(self) -> None:
        self.stalled_since = self.owner.loop.time()
        self.owner.stalled.add(self)
        self.owner.wake_by(self.stalled_since + self.owner.hub.options.tcp_send_timeout)

    def resume_writing(self) -> None:
        self.stalled_since = None
        self.owner.stalled.discard(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.state = "closed"
        self.owner.forget(self)
        if self.link is not None:
            self.link.lost()

    # for the transport

    def touch(self) -> None:
        self.last_used = self.owner.loop.time()

    def write(self, data: bytes, flags: int = 0) -> None:
        assert self._transport is not None
        self.touch()
        self._transport.write(data)
        if flags & SND_CLOSE:
            self.close()

    def close(self) -> None:
        """Close once everything queued has left."""
        if self.state == "closing":
            return
        self.state = "closing"
        if self._transport is not None:
            self.owner.wake_by(self.owner.loop.time() + self.owner.hub.options.tcp_send_timeout)
            self._transport.close()

    def abort(self) -> None:
        """Close now; what is queued is lost."""
        self.state = "closing"
        if self._transport is not None:
            self._transport.abort()

    def info(self) -> ConnInfo:
        return ConnInfo(
            id=self.conid,
            proto=self.link.proto if self.link is not None else self.owner.proto,
            src=self.peer,
            dst=f"{bracketed(self.local_ip)}:{self.local_port or self.listen.port}",
            idle=self.owner.loop.time() - self.last_used,
            lifetime=self.lifetime,
            state=self.state,
            outgoing=self.outgoing,
            queued=self.queued,
            aliases=tuple(self.aliases),
        )


class StreamTransport(Transport):
    """The connections of one stream proto. A subclass adds what its handshake needs."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self.loop = asyncio.get_running_loop()
        self.table: ConnTable[StreamConnection] = ConnTable()
        self.stalled: set[StreamConnection] = set()
        self.read_buffer = memoryview(bytearray(_READ_SIZE))  # shared: read into and cut up in one go
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._emptied = asyncio.Event()
        self._closing = False

    async def open(self, listen: Listen) -> None:
        sock = bind_socket(listen, socket.SOCK_STREAM)
        try:
            server = await self.loop.create_server(lambda: StreamConnection(self, listen), sock=sock)
        except OSError as err:
            sock.close()
            raise ListenError(err.errno, f"cannot listen on {listen.text}: {err.strerror}") from None
        self._servers.append(server)

    def has_room(self) -> bool:
        """Whether one more connection is allowed; says so in the log when not."""
        limit = self.hub.options.tcp_max_connections
        if len(self.table) < limit and not self._closing:
            return True
        self.counters.errors += 1
        log.warning(
            "%s connection refused: there are %d, tcp_max_connections is %d", self.proto, len(self.table), limit
        )
        return False

    def send(self, data: bytes, dest: Dest, listen: Listen | None) -> bool:
        source = ""
        if dest.flags & SND_FORCE_SOCKET and listen is not None and listen.host not in _WILDCARDS:
            source = listen.host
        conn = self._find(dest, source)
        if dest.proto != self.proto:
            if conn is None or conn.link is None:
                why = f"no WebSocket connection with {dest.text}; only the other side can open one"
                return self.failed(OSError(errno.ENOTCONN, why))
            framed = conn.link.wrap(data)
            if framed is None:
                return self.failed(OSError(errno.ENOTCONN, f"the WebSocket connection with {dest.text} is closing"))
            data = framed
        if conn is None:
            return self._connect(data, dest, listen, source)
        queued = conn.queued
        if queued and queued + len(data) > self.hub.options.tcp_conn_wq_max:
            return self.failed(OSError(errno.EAGAIN, f"{queued} bytes wait for {dest.text} (tcp_conn_wq_max)"))
        if conn.state == "connecting":
            conn.waiting.append((dest, data))
            conn.waiting_bytes += len(data)
            return True
        if queued and len(data) + sum(slow.queued for slow in self.stalled) > self.hub.options.tcp_wq_max:
            return self.failed(OSError(errno.EAGAIN, f"too much waits for slow peers to take {dest.text} (tcp_wq_max)"))
        self.counters.sent += 1
        conn.write(data, dest.flags)
        return True

    def _find(self, dest: Dest, source: str) -> StreamConnection | None:
        """The connection a message takes: the one it names, else the newest to its address that is not closing.

        A message of WebSocket's takes only one with frames, any other only one without.
        """
        linked = dest.proto != self.proto
        if dest.conid:
            conn = self.table.get(dest.conid)
            if conn is not None and conn.state != "closing" and (conn.link is not None) == linked:
                return conn
        conn = self.table.find(dest.ip, dest.port, source)
        if conn is not None and (conn.link is not None) != linked:
            same = (c for c in reversed(list(self.table)) if c.peer_ip == dest.ip and dest.port in c.aliases)
            conn = next((c for c in same if c.state != "closing" and (c.link is not None) == linked), None)
        return conn

    def _connect(self, data: bytes, dest: Dest, listen: Listen | None, source: str) -> bool:
        if self.hub.options.tcp_no_connect or dest.flags & SND_NO_CONNECT:
            return self.failed(OSError(errno.ENOTCONN, f"no connection to {dest.text}, and none may be opened"))
        if listen is None:
            return self.failed(OSError(errno.EADDRNOTAVAIL, f"no {self.proto} socket to send from to {dest.text}"))
        if not self.hub.numeric(dest.ip) or not 0 < dest.port < 65536:
            why = f"cannot connect to {dest.text}: expected an IP address and a port from 1 to 65535"
            return self.failed(OSError(errno.EINVAL, why))
        if not self.has_room():
            self.hub.last_error = OSError(errno.EMFILE, f"no room for a connection to {dest.text}: tcp_max_connections")
            return False
        conn = StreamConnection(self, listen, dest)
        conn.waiting.append((dest, data))
        conn.waiting_bytes = len(data)
        task = self.loop.create_task(self._dial(conn, source), name=f"{self.proto} connect {conn.peer}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _dial(self, conn: StreamConnection, source: str) -> None:
        limit = self.hub.options.tcp_connect_timeout
        error: OSError
        try:
            async with asyncio.timeout(limit):
                await self.handshake(conn, source)
            return
        except TimeoutError:
            error = TimeoutError(errno.ETIMEDOUT, f"no connection within {limit:g} s (tcp_connect_timeout)")
        except OSError as err:
            # asyncio's own text repeats the address; the number says it all.
            error = OSError(err.errno, os.strerror(err.errno)) if err.errno is not None else err
        conn.state = "closed"
        self.forget(conn)
        for dest, data in conn.waiting:
            self.failed(error)
            self.hub.report(dest, data, error)
        conn.waiting.clear()

    async def handshake(self, conn: StreamConnection, source: str) -> None:
        """Connect, from the address ``source`` unless it is empty. Raises OSError."""
        await self.loop.create_connection(
            lambda: conn, conn.peer_ip, conn.peer_port, local_addr=(source, 0) if source else None
        )

    def forget(self, conn: StreamConnection) -> None:
        """The connection is gone."""
        self.stalled.discard(conn)
        self.table.remove(conn)
        if not len(self.table):
            self._emptied.set()

    # Idle connections. One timer for all: it wakes for the earliest, no oftener than the number allows.

    def wake_by(self, when: float) -> None:
        """Look at the connections' ages at that time, or earlier."""
        if self._sweeper is not None:
            if self._sweeper.when() <= when:
                return
            self._sweeper.cancel()
        if not self._closing:
            self._sweeper = self.loop.call_at(when, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        now = self.loop.time()
        earliest = float("inf")
        for conn in self.table:
            if conn.state == "connecting":
                continue  # has its own timeout
            expires = conn.last_used + conn.lifetime
            if conn.stalled_since is not None:
                expires = min(expires, conn.stalled_since + self.hub.options.tcp_send_timeout)
            if expires > now:
                earliest = min(earliest, expires)
            elif conn.stalled_since is not None:
                log.info("%s connection %d to %s does not take its data, closed", self.proto, conn.conid, conn.peer)
                conn.abort()
            else:
                log.debug("%s connection %d with %s idle, closed", self.proto, conn.conid, conn.peer)
                conn.close()
        if len(self.table):
            self.wake_by(max(earliest, now + 0.05 + len(self.table) / 10000))

    # What the network offers of connections

    def set_lifetime(self, conid: int, seconds: float) -> bool:
        conn = self.table.get(conid)
        if conn is None:
            return False
        conn.lifetime = seconds
        self.wake_by(conn.last_used + seconds)
        return True

    def linked(self, dest: Dest) -> bool:
        return self._find(dest, "") is not None

    def upgrade(self, conid: int, link: Link) -> bool:
        conn = self.table.get(conid)
        if conn is None or conn.state != "open" or conn.link is not None:
            return False
        conn.link = link
        return True

    def write(self, conid: int, data: bytes, close: bool) -> bool:
        conn = self.table.get(conid)
        if conn is None or conn.state != "open":
            return False
        queued = conn.queued
        if queued and queued + len(data) > self.hub.options.tcp_conn_wq_max:
            return False
        conn.write(data, SND_CLOSE if close else 0)
        return True

    def close_connection(self, conid: int) -> bool:
        conn = self.table.get(conid)
        if conn is None:
            return False
        conn.close()
        return True

    def add_alias(self, conid: int, port: int) -> bool:
        return self.table.alias(conid, port)

    async def close(self) -> None:
        self._closing = True
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for conn in self.table:
            if conn.state == "connecting":
                self.table.remove(conn)
            conn.close()
        if len(self.table):
            self._emptied.clear()
            try:
                await asyncio.wait_for(self._emptied.wait(), _GRACE)
            except TimeoutError:
                for conn in self.table:
                    conn.abort()
        # The sockets are closed by callbacks of the next turn.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


class TcpTransport(StreamTransport):
    """Plain TCP."""

    proto = "tcp"
