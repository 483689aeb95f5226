"""Kamailio's evapi: events of the script to applications that are connected by TCP, and messages of theirs to it.

The socket is there when ``bind_addr`` or ``event_callback`` is set. What a client sends runs ``event_callback`` with
``evapi:message-received``; it is also run with ``evapi:connection-new`` and ``evapi:connection-closed``, but for one
that the script closed. A sandbox sends nothing to clients.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from ..net.address import AddressError, parse_host_port
from ..net.clients import Client, ClientServer
from ..pv.errors import PvError
from ..pv.registry import Accessor, Value, pv_class
from ..pv.spec import Spec
from ..run import EVENT_ROUTE
from ..tm import suspend
from .declare import Module, Param, ParamError, export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Evapi", "netstring", "split_netstrings"]

log = logging.getLogger("ksrcore.evapi")

_EVENT = "evapi"
_DEFAULT = "127.0.0.1:8448"
#: A message may have as many bytes, as in Kamailio.
LONGEST = 32768
_TAG = 64


def netstring(data: bytes) -> bytes:
    """``5:hello,``."""
    return b"%d:%s," % (len(data), data)


def split_netstrings(data: bytes) -> tuple[list[bytes], bytes]:
    """The netstrings in ``data``, and what may be the beginning of another one.

    Before a length anything but digits is passed over; with something that is no netstring all that follows is lost.
    """
    found: list[bytes] = []
    while True:
        data = data.lstrip(bytes(c for c in range(256) if not 0x30 <= c <= 0x39))
        length, colon, rest = data.partition(b":")
        if not colon:
            return found, data if length.isdigit() and len(length) < 10 else b""
        if not length.isdigit() or int(length[:10]) > LONGEST:
            log.error("evapi: this is no netstring: %.60r", data)
            return found, b""
        size = int(length)
        if len(rest) <= size:
            return found, data
        if rest[size : size + 1] != b",":
            log.error("evapi: this is no netstring: %.60r", data)
            return found, b""
        if size:
            found.append(rest[:size])
        data = rest[size + 1 :]


class Evapi(Module):
    name = "evapi"

    workers = Param(1, "no effect: int")
    bind_addr = Param("", "HOST:PORT to listen on, 127.0.0.1:8448 when only event_callback is set: str")
    netstring_format = Param(1, "1: messages are netstrings, 0: whatever arrives at once: int")
    event_callback = Param("", "callback run with the name of an event; '' none: str")
    max_clients = Param(8, "clients at once: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._server: ClientServer | None = None

    def start(self) -> None:
        if self.max_clients < 1:
            raise ParamError(f"modparam evapi:max_clients expects a number from 1, got {self.max_clients}")
        try:
            host, port = parse_host_port(self.bind_addr or _DEFAULT)
        except AddressError as error:
            raise ParamError(f"modparam evapi:bind_addr: {error}") from None
        if not (self.bind_addr or self.event_callback) or self.proxy.sandbox:
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return  # nobody would serve the socket
        self._server = ClientServer(host, port, self.max_clients, self._new, self._data, self._closed)

    @property
    def port(self) -> int:
        """The port that is listened on, 0 for none."""
        return self._server.port if self._server is not None else 0

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    # -- what clients do ----------------------------------------------------------------------------------------------

    def _new(self, client: Client, now: float) -> None:
        self._event("evapi:connection-new", client, None, now)

    def _closed(self, client: Client, now: float) -> None:
        self._event("evapi:connection-closed", client, None, now)

    def _data(self, client: Client, data: bytes, now: float) -> None:
        if not self.netstring_format:
            self._event("evapi:message-received", client, data.decode("latin-1"), now)
            return
        messages, client.rest = split_netstrings(client.rest + data)
        for message in messages:
            if client.open:
                self._event("evapi:message-received", client, message.decode("latin-1"), now)

    def _event(self, name: str, client: Client, message: str | None, now: float) -> None:
        proxy = self.proxy
        with proxy.lock:
            proxy.now = now
            script = proxy.script
            if not self.event_callback or script is None or not script.has(self.event_callback):
                return
            run = proxy.fake_run()
            run.route = EVENT_ROUTE
            run.msg.extra[_EVENT] = (client, message)
        proxy.event(partial(script.call, run, self.event_callback, name), name)  # type: ignore[arg-type]

    # -- to clients ---------------------------------------------------------------------------------------------------

    def _relay(self, text: str, tag: str, one: bool) -> int:
        if not text and not self.netstring_format:
            log.error("evapi: there is nothing to send")
            return -1
        data = text.encode("latin-1")
        if self.netstring_format:
            data = netstring(data)
        if self.proxy.sandbox:
            log.info("evapi: a sandbox sends nothing: %r", data)
            return 1
        for client in self._server.clients if self._server is not None else ():
            if tag and client.tag != tag:
                continue
            client.send(data)
            if one:
                break
        return 1

    def _async(self, run: Run, text: str, tag: str, one: bool) -> int:
        if not text and not self.netstring_format:
            return -1
        if suspend.suspend(self.proxy.modules.tm.engine, run) < 0:
            log.error("evapi: the request cannot be suspended")
            return -1
        return self._relay(text, tag, one)

    @staticmethod
    def _client(run: Run) -> Client | None:
        event = run.msg.extra.get(_EVENT)
        return event[0] if isinstance(event, tuple) else None

    @export
    def relay(self, run: Run, evdata: str) -> int:
        """Send to all clients: 1; -1 for nothing without netstrings."""
        return self._relay(evdata, "", False)

    @export
    def relay_multicast(self, run: Run, evdata: str, etag: str) -> int:
        """Send to the clients with that tag, '' for all: 1 even if there is none."""
        return self._relay(evdata, etag, False)

    @export
    def relay_unicast(self, run: Run, evdata: str, etag: str) -> int:
        """Send to the first client with that tag: 1 even if there is none."""
        return self._relay(evdata, etag, True)

    @export
    def async_relay(self, run: Run, evdata: str) -> int:
        """Suspend the request, in a transaction made if it has none, and send to all clients: 1, or -1."""
        return self._async(run, evdata, "", False)

    @export
    def async_multicast(self, run: Run, evdata: str, etag: str) -> int:
        """Suspend the request and send to the clients with that tag: 1, or -1."""
        return self._async(run, evdata, etag, False)

    @export
    def async_unicast(self, run: Run, evdata: str, etag: str) -> int:
        """Suspend the request and send to the first client with that tag: 1, or -1."""
        return self._async(run, evdata, etag, True)

    @export
    def close(self, run: Run) -> int:
        """In an event: close the client's connection: 0, -1 when there is none."""
        client = self._client(run)
        if client is None or not client.open:
            return -1
        if not self.proxy.sandbox:
            client.close()
        return 0

    @export
    def set_tag(self, run: Run, stag: str) -> int:
        """In an event: give the client a tag of up to 64 characters: 1, -1 when there is none."""
        client = self._client(run)
        if client is None or not client.open or len(stag) >= _TAG:
            return -1
        if not self.proxy.sandbox:
            client.tag = stag
        return 1


@pv_class("evapi")
def _evapi(spec: Spec) -> Accessor:
    """``$evapi(msg)``, ``srcaddr``, ``srcport``, ``conidx``: what an event is about."""
    key = (spec.inner or "").strip()
    if key not in ("msg", "srcaddr", "srcport", "conidx"):
        raise PvError(f"$evapi expects msg, srcaddr, srcport or conidx, got {key!r}", str(spec))

    def get(run: Run) -> Value:
        event = run.msg.extra.get(_EVENT)
        if not isinstance(event, tuple):
            return None
        client, message = event
        if key == "msg":
            return message  # type: ignore[no-any-return]
        return (client.index, *client.address)[("conidx", "srcaddr", "srcport").index(key)]  # type: ignore[no-any-return]

    return Accessor(spec, get)
