"""A WebSocket connection of the websocket module: its state, and what frames do to it.

As Kamailio: what a peer's mistake gets is a close frame and the end of the connection; a message that cannot be read
ends it without one. A connection that has ended stays known for ``rm_delay_interval`` seconds.
"""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Final

from ..net.address import bracketed
from ..net.ws import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Fragments,
    Frame,
    FrameError,
    FrameReader,
    close_payload,
    encode,
)

if TYPE_CHECKING:
    from ..net.address import Rcv
    from .websocket import Websocket

__all__ = ["CLOSING", "NORMAL", "OPEN", "REMOVED", "WsConnection"]

log = logging.getLogger("ksrcore.websocket")

OPEN: Final = "OPEN"
CLOSING: Final = "CLOSING"
#: It has ended: only the event and the statistics are to come.
REMOVED: Final = "REMOVED"

NORMAL: Final = (1000, "Normal closure")
_PROTOCOL: Final = (1002, "Protocol error")
_OPCODE: Final = (1008, "Unsupported opcode")

_KNOWN: Final = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_KEEPALIVES: Final = (b"\r\n", b"\r\n\r\n")


class WsConnection:
    """One connection; the network's link (see :class:`~ksrcore.net.ws.Link`).

    ``rcv``: what its messages come with, ``http`` the handshake. ``last_used``, ``removed_at``: monotonic seconds.
    ``event``: ``websocket:closed`` is run when it is forgotten.
    """

    def __init__(self, module: Websocket, http: Rcv, rcv: Rcv, now: float, max_frame: int) -> None:
        self.module = module
        self.http = http
        self.rcv = rcv
        self.proto = rcv.proto
        self.state = OPEN
        self.awaiting_pong = False
        self.last_used = now
        self.removed_at = 0.0
        self.event = False
        self._reader = FrameReader(max_frame)
        self._fragments = Fragments()

    @property
    def conid(self) -> int:
        return self.rcv.conid

    def copy(self, module: Websocket) -> WsConnection:
        """For a sandbox: what it changes is its own."""
        new = copy.copy(self)
        new.module = module
        return new

    # -- what comes ---------------------------------------------------------------------------------------------------

    def feed(self, data: bytes, now: float) -> int:
        """Frames, or parts of them. The number of messages of SIP that were in them."""
        proxy = self.module.proxy
        messages = 0
        for frame in self._reader.feed(data):
            with proxy.lock:
                proxy.now = now
                message = self._take(frame)
            if message is not None:
                # Without the lock: the message may get a thread of its own.
                messages += 1
                if not proxy.receive(message, self.rcv, now):
                    self.end()
            if self.state is REMOVED:
                return messages
        if self._reader.error is not None:
            log.warning("WebSocket connection %d from %s closed: %s", self.conid, self.peer, self._reader.error)
            self.end()
        return messages

    def _take(self, frame: Frame) -> bytes | None:
        """A frame; the message that it completes."""
        self.module.count("received_frames")
        self.last_used = self.module.proxy.now
        opcode = frame.opcode
        if frame.reserved:
            self._refuse(_PROTOCOL, "reserved bits are set")
        elif opcode not in _KNOWN:
            self._refuse(_OPCODE, f"opcode 0x{opcode:x}")
        elif not frame.masked:
            self._refuse(_PROTOCOL, "it is not masked")
        elif opcode == CLOSE:
            self._closed_by_peer()
        elif opcode == PING:
            # As Kamailio, which cannot repeat what is not final, and takes what RFC 6455 5.5 calls too long.
            if not frame.fin or not self.send(PONG, frame.payload):
                self.end()
        elif opcode == PONG:
            if frame.payload == self.module.ping_data:
                self.awaiting_pong = False
        else:
            return self._data(frame)
        return None

    def _data(self, frame: Frame) -> bytes | None:
        try:
            message = self._fragments.take(frame)
        except FrameError as error:
            log.warning("WebSocket connection %d from %s closed: %s", self.conid, self.peer, error)
            self.end()
            return None
        if message is None:
            return None
        self.module.count("sip_received_frames")
        if message in _KEEPALIVES:
            self.send(TEXT, b"\r\n")
            return None
        if len(message) < 16 and not message.strip(b"\r\n\0 "):
            self.end()
            return None
        return message

    def _refuse(self, close: tuple[int, str], why: str) -> None:
        log.warning("a frame of WebSocket connection %d from %s was refused: %s", self.conid, self.peer, why)
        if self.state is OPEN:
            self.module.count("local_closed_connections", sip=True)
            self._send_close(*close, last=True)
        self.end()

    def _closed_by_peer(self) -> None:
        if self.state is OPEN:
            self.module.count("remote_closed_connections", sip=True)
            self._send_close(*NORMAL, last=True)
        self.end(event=True)

    def lost(self) -> None:
        """The network's connection is gone."""
        proxy = self.module.proxy
        with proxy.lock:
            proxy.now = self.module.clock()
            self._remove()

    # -- what leaves --------------------------------------------------------------------------------------------------

    def wrap(self, data: bytes) -> bytes | None:
        """A message as a frame: text, or binary when it is not UTF-8. None when the connection is being closed."""
        if self.state is not OPEN:
            log.warning("sending on closing WebSocket connection %d", self.conid)
            return None
        opcode = TEXT
        if not data.isascii():
            try:
                data.decode("utf-8")
            except UnicodeDecodeError:
                opcode = BINARY
        self.module.count("transmitted_frames")
        self.module.count("sip_transmitted_frames")
        self.last_used = self.module.proxy.now
        return encode(opcode, data)

    def send(self, opcode: int, payload: bytes, *, last: bool = False) -> bool:
        """Send a frame, ``last``: and end the connection. False: it is being closed, or could not be sent."""
        if self.state is not OPEN:
            log.warning("sending on closing WebSocket connection %d", self.conid)
            return False
        module = self.module
        self.last_used = module.proxy.now
        if not module.write(self.conid, encode(opcode, payload), last):
            return False
        module.count("transmitted_frames")
        return True

    def _send_close(self, code: int, reason: str, *, last: bool) -> bool:
        sent = self.send(CLOSE, close_payload(code, reason.encode("latin-1")), last=last)
        self.state = CLOSING
        return sent

    def close(self, code: int, reason: str) -> bool:
        """Start the closing handshake; end the connection when it was started before. False: nothing could be sent."""
        if self.state is OPEN:
            self.module.count("local_closed_connections", sip=True)
            return self._send_close(code, reason, last=False)
        self.end(event=True)
        return True

    def end(self, *, event: bool = False) -> None:
        """End it without another word. ``event``: ``websocket:closed`` is to be run."""
        if self.state is REMOVED:
            return
        self.event = event
        self._remove()
        self.module.drop(self.conid)

    def _remove(self) -> None:
        if self.state is not REMOVED:
            self.state = REMOVED
            self.removed_at = self.module.proxy.now

    # -- for people ---------------------------------------------------------------------------------------------------

    @property
    def peer(self) -> str:
        return f"{bracketed(self.rcv.src_ip)}:{self.rcv.src_port}"

    def text(self, now: float) -> str:
        """A line of ``ws.dump``."""
        rcv = self.rcv
        state = f"{self.state}, awaiting Pong" if self.awaiting_pong else self.state
        return (
            f"{self.conid}: {self.proto}:{self.peer} -> {self.proto}:{bracketed(rcv.dst_ip)}:{rcv.dst_port} "
            f"(state: {state},  last used {int(now - self.last_used)}s ago, sub-protocol: sip)"
        )
