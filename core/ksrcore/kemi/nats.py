"""Kamailio's nats: messages published to a NATS server and received from it.

There is one connection, made when a subject is subscribed (``subject_queue_group``) or at the first message, and made
again when it is lost. ``event_callback`` runs with ``nats:connected`` and ``nats:disconnected`` for each subscription,
and with ``nats:SUBJECT`` for each message of it, which is in ``$natsData``. A sandbox publishes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from ..net.nats import NatsClient, Subscription, parse_nats_url
from ..pv.registry import Value, pv
from ..run import EVENT_ROUTE
from .declare import Module, Param, ParamError, export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Nats"]

log = logging.getLogger("ksrcore.nats")

_DATA = "nats.data"
_DEFAULT = "nats://127.0.0.1:4222"


class Nats(Module):
    name = "nats"

    nats_url = Param("", f"nats://[USER:PASSWORD@]HOST[:PORT] of a server, {_DEFAULT} by default", multi=True)
    num_publish_workers = Param(2, "no effect: int")
    subject_queue_group = Param("", "SUBJECT:GROUP to subscribe", multi=True)
    event_callback = Param("", "callback run with the name of an event; '' none: str")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._client: NatsClient | None = None

    def start(self) -> None:
        subscriptions = []
        for text in self.subject_queue_group:
            subject, colon, group = text.partition(":")
            if not subject or not colon or not group or " " in text:
                raise ParamError(f"modparam nats:subject_queue_group expects SUBJECT:GROUP, got {text!r}")
            subscriptions.append(Subscription(subject, group))
        urls = self.nats_url or [_DEFAULT]
        try:
            for url in urls:
                parse_nats_url(url)
        except ValueError as error:
            raise ParamError(f"modparam nats:nats_url: {error}") from None
        self._client = NatsClient(urls, subscriptions, self._message, self._state)
        if subscriptions and not self.proxy.sandbox:
            self._connect()

    def _connect(self) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return  # nobody would serve the connection
        if self._client is not None:
            self._client.start()

    def stop(self) -> None:
        if self._client is not None:
            self._client.close()

    # -- events -------------------------------------------------------------------------------------------------------

    def _message(self, subscription: Subscription, payload: str, now: float) -> None:
        self._event(f"nats:{subscription.subject}", payload, now)

    def _state(self, subscription: Subscription, connected: bool, now: float) -> None:
        self._event("nats:connected" if connected else "nats:disconnected", None, now)

    def _event(self, name: str, data: str | None, now: float) -> None:
        proxy = self.proxy
        with proxy.lock:
            proxy.now = now
            script = proxy.script
            if not self.event_callback or script is None or not script.has(self.event_callback):
                return
            run = proxy.fake_run()
            run.route = EVENT_ROUTE
            if data is not None:
                run.msg.extra[_DATA] = data
        proxy.event(partial(script.call, run, self.event_callback, name), name)  # type: ignore[arg-type]

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    def _publish(self, subject: str, payload: str, reply: str) -> int:
        if self.proxy.sandbox:
            log.info("nats: a sandbox publishes nothing: %s", subject)
        elif self._client is not None:
            self._connect()
            self._client.publish(subject, payload, reply)
        return 1

    @export
    def publish(self, run: Run, subject: str, payload: str) -> int:
        """Publish a message, now or when there is a connection: 1, whatever becomes of it."""
        return self._publish(subject, payload, "")

    @export
    def publish_request(self, run: Run, subject: str, payload: str, reply: str) -> int:
        """Publish a message whose answers go to the subject ``reply``: 1."""
        return self._publish(subject, payload, reply)


@pv("natsData")
def nats_data(run: Run) -> Value:
    """In an event of nats: the message."""
    found = run.msg.extra.get(_DATA)
    return found if isinstance(found, str) else None
