"""Probing of dispatcher's destinations: requests every ``ds_ping_interval`` seconds, states by their replies."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from ..tm import uac
from .declare import ParamError
from .dispatcher_list import DISABLED, INACTIVE, PROBING, TRYING, Destination, Set

if TYPE_CHECKING:
    from ..proxy import Timer
    from .dispatcher import Dispatcher

__all__ = ["Pinger", "reply_codes"]

log = logging.getLogger("ksrcore.dispatcher")


def reply_codes(text: str) -> tuple[set[int], set[int]]:
    """The codes and classes of ``code=403;class=2``. Raises :class:`ParamError`."""
    codes: set[int] = set()
    classes: set[int] = set()
    for part in text.replace(":", ";").split(";"):
        name, equals, value = part.strip().partition("=")
        if not name:
            continue
        if name not in ("code", "class") or not equals or not value.strip().isdigit():
            raise ParamError(
                f"modparam dispatcher:ds_ping_reply_codes expects a list such as class=2;code=403, got {text!r}"
            )
        (codes if name == "code" else classes).add(int(value))
    return codes, classes


class Pinger:
    """Sends the probes. ``active``: the switch of ``dispatcher.ping_active``."""

    def __init__(self, module: Dispatcher) -> None:
        self.module = module
        self.active = 1
        self.timer: Timer | None = None
        self.codes, self.classes = reply_codes(module.ds_ping_reply_codes)

    def start(self) -> None:
        interval = self.module.ds_ping_interval
        if interval > 0:
            self.timer = self.module.proxy.after(interval, self.tick, every=interval)

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def wanted(self, item: Destination) -> bool:
        """Whether ``ds_probing_mode`` has this one probed now."""
        flags = item.flags
        if flags & DISABLED:
            return False
        mode = self.module.ds_probing_mode
        if mode == 1:
            return True
        return bool(flags & PROBING) and (mode != 2 or bool(flags & INACTIVE))

    def tick(self) -> None:
        """Probe all that are to be probed now."""
        if not self.active:
            return
        for each, item in list(self.module.sets.destinations()):
            if self.wanted(item):
                self.ping(each, item)

    def ping(self, each: Set, item: Destination) -> None:
        module = self.module
        proxy = module.proxy
        uri = item.uri
        headers = f"To: <{uri}>\r\nFrom: <{item.attrs.get('ping_from') or module.ds_ping_from}>\r\n"
        hop = item.attrs.get("obproxy") or module.outbound_proxy
        told = partial(self._told, each.id, uri, proxy.now)
        record = proxy.fake_run().record
        try:
            uac.send(
                proxy.modules.tm.engine,
                module.ds_ping_method,
                uri,
                hop,
                item.listen.text if item.listen is not None else "",
                headers,
                "",
                record,
                told,
            )
        except uac.UacError as error:
            log.error("cannot probe %s: %s", uri, error)

    def good(self, code: int) -> bool:
        return code == 200 or code in self.codes or code // 100 in self.classes

    def _told(self, number: int, uri: str, sent: float, event: int, t: Any, run: Any, reply: Any, code: int) -> None:
        """A probe's final reply; 408 of our own when none came."""
        module = self.module
        mode = module.ds_probing_mode
        found = module.sets.get(number)
        item = next((item for item in found.items if item.uri == uri), None) if found is not None else None
        if found is None or item is None:
            return
        if module.ds_ping_latency_stats:
            if reply is None:
                item.latency.timeout += 1
            else:
                ms = int(round((module.proxy.now - sent) * 1000, 3))
                item.latency.add(ms, module.ds_latency_estimator_alpha / 1000)
            if item.congestion:
                found.deal_relative(module.proxy.random)
        if item.flags & DISABLED:
            return
        state = 0 if self.good(code) else TRYING
        if mode == 1 or (mode == 3 and item.flags & PROBING) or (mode == 2 and state):
            state |= PROBING
        module.update(None, number, uri, state, code, reply.reason if reply is not None else "")
