"""A proxy in this process with a script of two callbacks, and one INVITE that went through it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from debug.holding import Holding, Holdings
from ksrcore.assemble import load_script, make_proxy
from ksrcore.net.address import Dest, Listen, Rcv
from ksrcore.proxy import Proxy
from ksrcore.store.database import Database

SCRIPT = """\
import KSR

def ksr_request_route(msg):
    where = target(msg)
    KSR.hdr.append("X-Route: 1\\r\\n")
    KSR.seturi(where)
    KSR.tm.t_on_branch("ksr_branch")
    KSR.tm.t_relay()
    return 1

def target(msg):
    user = KSR.pv.get("$rU")
    return "sip:" + user + "@127.0.0.1:5090"

def ksr_branch(msg):
    KSR.hdr.append("X-Branch: 1\\r\\n")
    return 1
"""

INVITE = (
    "INVITE sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n"
    "To: <sip:b@x>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)

Make = Callable[..., Proxy]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """``make(source)`` gives a proxy that has routed INVITE as message 1; ``sent`` collects what left it."""
    dbs = []

    def build(source: str = SCRIPT) -> Proxy:
        path = tmp_path / "stepped.py"
        path.write_text(source)
        db = Database.open(":memory:")
        dbs.append(db)
        sent: list[tuple[bytes, Dest]] = []

        def transmit(data: bytes, dest: Dest) -> bool:
            sent.append((data, dest))
            return True

        listen = Listen("udp", "127.0.0.1", 5060)
        proxy, ksr = make_proxy(transmit=transmit, listens=[listen], db=db, now=1.0, wall=1_800_000_000.0)
        load_script(str(path), proxy, ksr)
        proxy.receive(INVITE.encode(), Rcv("udp", "127.0.0.1", 5080, "127.0.0.1", 5060, listen), 2.0)
        return proxy

    yield build
    for db in dbs:
        db.close()
    sys.modules.pop("stepped", None)
    sys.modules.pop("KSR", None)


@pytest.fixture
def holding(tmp_path: Path) -> Iterator[Holdings]:
    """``holding(...)`` gives a playbook with holds; nothing of it may stay behind."""
    made: list[Holding] = []

    def build(*args: Any, **options: Any) -> Holding:
        made.append(Holding(tmp_path, *args, **options))
        return made[-1]

    yield build
    for each in made:
        each.holds.close()
        assert each.proxy.debugger is None
        assert each.proxy.env.hook is None
    assert not [t for t in threading.enumerate() if t.name.startswith("ksr-task")]
