"""A sandbox for tests of KSR functions: a started proxy with every module, and a run over a message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from ksrcore.assemble import make_proxy
from ksrcore.net.address import Dest, Listen, Rcv
from ksrcore.proxy import Proxy
from ksrcore.run import REQUEST_ROUTE, Run
from ksrcore.sip.message import SipMessage, parse_message
from lab.observed import ALIASES, CLIENT, LISTENS, UDP, WALL


@dataclass
class Bench:
    """``KSR`` calls on ``run``; ``sent`` are the destinations and texts that left."""

    proxy: Proxy
    KSR: Any
    run: Run
    sent: list[tuple[Dest, str]] = field(default_factory=list)

    @property
    def msg(self) -> SipMessage:
        return self.run.msg

    @property
    def edited(self) -> str:
        """The header fields and the body with the edits made so far, for a message that leaves by the first socket."""
        dest = Dest("udp", "127.0.0.1", 5060, UDP)
        return self.msg.lumps.apply(self.msg.buf, self.msg.head_at, len(self.msg.buf), dest)


class MakeRun(Protocol):
    def __call__(
        self,
        text: str,
        route: int = REQUEST_ROUTE,
        *,
        modparams: tuple[str, ...] = (),
        listen: Listen = UDP,
        source: tuple[str, int] = ("127.0.0.1", CLIENT),
    ) -> Bench: ...


@pytest.fixture
def make_run() -> MakeRun:
    """``make_run(text, route)``: a proxy on lab.observed's sockets and aliases, with a run over ``text``.

    Line ends in ``text`` may be bare line feeds. ``source``: where the message came from.
    """

    def make(
        text: str,
        route: int = REQUEST_ROUTE,
        *,
        modparams: tuple[str, ...] = (),
        listen: Listen = UDP,
        source: tuple[str, int] = ("127.0.0.1", CLIENT),
    ) -> Bench:
        sent: list[tuple[Dest, str]] = []

        def transmit(data: bytes, dest: Dest) -> bool:
            sent.append((dest, data.decode("latin-1")))
            return True

        proxy, ksr = make_proxy(
            transmit=transmit, listens=LISTENS, aliases=ALIASES, modparams=modparams, now=10.0, wall=WALL
        )
        if "\r\n" not in text:
            text = text.replace("\n", "\r\n")
        rcv = Rcv(listen.proto, *source, listen.host, listen.port, listen, 0 if listen.proto == "udp" else 1)
        msg = parse_message(text.encode("latin-1"), rcv)
        msg.id = 1
        fake = proxy.fake_run()
        run = proxy.env.run = Run(proxy, msg, route, fake.record, fake.avps)
        return Bench(proxy, ksr, run, sent)

    return make
