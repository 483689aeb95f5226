"""A proxy on a script in this process: ``start(source)``, then ``world.answer()``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from ksrcore.assemble import load_script, make_proxy
from ksrcore.net.address import Dest, Listen, Rcv
from ksrcore.script.python import PythonScript
from ksrcore.store.database import Database

LISTEN = Listen("udp", "127.0.0.1", 5060)


class World:
    """``answer()``: the reason of the reply to a new OPTIONS, which is how the scripts of these tests tell what ran."""

    def __init__(self, path: Path, db: Database) -> None:
        self.path = path
        self.sent: list[tuple[str, Dest]] = []
        self.now = 2.0
        self.number = 0
        self.proxy, ksr = make_proxy(
            transmit=self._transmit, listens=[LISTEN], db=db, now=1.0, wall=1_800_000_000.0
        )  # fmt: skip
        script = load_script(str(path), self.proxy, ksr)
        assert isinstance(script, PythonScript)
        self.script = script

    def _transmit(self, data: bytes, dest: Dest) -> bool:
        self.sent.append((data.decode("latin-1"), dest))
        return True

    def request(self, method: str = "OPTIONS", number: int = 0) -> str:
        self.number = number = number or self.number + 1
        return (
            f"{method} sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK{number}\r\n"
            f"From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c{number}\r\nCSeq: 1 {method}\r\n"
            "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )

    def receive(self, text: str) -> list[str]:
        """What leaves because of it."""
        before = len(self.sent)
        self.now += 0.01
        self.proxy.receive(text.encode("latin-1"), Rcv("udp", "127.0.0.1", 5080, "127.0.0.1", 5060, LISTEN), self.now)
        return [text for text, _ in self.sent[before:]]

    def answer(self) -> str:
        found = self.receive(self.request())
        return found[-1].split("\r\n")[0].split(" ", 2)[2] if found else ""

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.proxy.advance(self.now)


Start = Callable[..., World]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    before = dict(sys.modules)
    dbs = []

    def make(source: str, name: str = "swapped.py") -> World:
        path = tmp_path / name
        path.write_bytes(dedent(source).encode())
        db = Database.open(":memory:")
        dbs.append(db)
        return World(path, db)

    yield make
    for db in dbs:
        db.close()
    for name in set(sys.modules) - set(before):
        if name in ("KSR", "swapped"):
            del sys.modules[name]
