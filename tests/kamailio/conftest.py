"""An agent outside Kamailio: a KSR that answers what a test says, and a node that is a socket of the test."""

import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ksrcore.kamailio.ksragent.agent import Agent
from ksrcore.kamailio.ksragent.folder import Meeting
from ksrcore.kamailio.ksragent.install import Front
from ksrcore.kamailio.ksragent.state import Page

# kamcli is not among what the tests install.
collect_ignore = [] if shutil.which("kamcli") else ["test_kamcli.py"]

MESSAGE = (
    "OPTIONS sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:7;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
    "To: <sip:b@b>\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)

SCRIPT = """
import KSR

LIMIT = 3


def mod_init():
    return kamailio()


class kamailio:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        KSR.info("routing\\n")
        return self.answer(msg)

    def answer(self, msg):
        KSR.sl.send_reply(200, "OK")
        return 1

    def ksr_failing(self, msg):
        raise ValueError("no")

    def ksr_none(self, msg):
        KSR.info("nothing\\n")
"""


class FakeKsr(ModuleType):
    """``pvs``: pseudo-variables by name; ``made``: the calls that were made."""

    def __init__(self) -> None:
        super().__init__("KSR")
        self.made: list[tuple[Any, ...]] = []
        self.pvs: dict[str, Any] = {
            "$mi": 1, "$mb": MESSAGE, "$si": "127.0.0.1", "$sp": 7, "$Ri": "127.0.0.1", "$Rp": 5060, "$proto": "udp",
            "$rm": "OPTIONS", "$ci": "c1",
        }  # fmt: skip
        pv, sl = ModuleType("KSR.pv"), ModuleType("KSR.sl")
        pv.get = self.get  # type: ignore[attr-defined]
        sl.send_reply = self.send_reply  # type: ignore[attr-defined]
        self.pv, self.sl = pv, sl

    def get(self, name: str) -> Any:
        value = self.pvs.get(name)
        if isinstance(value, bytes):
            return value.decode()
        return value

    def send_reply(self, code: int, reason: str) -> int:
        self.made.append(("send_reply", code, reason))
        return 1

    def info(self, text: str) -> None:
        self.made.append(("info", text))

    def warn(self, text: str) -> None:
        self.made.append(("warn", text))


class Server:
    """The agent of one process, its script, and the node's end of its link."""

    def __init__(self, folder: Path, script: str = SCRIPT) -> None:
        self.ksr = FakeKsr()
        self.base = folder / "base"
        self.base.mkdir(mode=0o700)
        self.path = folder / "route.py"
        self.path.write_text(script)
        module = ModuleType("route")
        module.__file__ = str(self.path)
        sys.modules["KSR"] = self.ksr
        sys.modules["route"] = module
        exec(compile(script, str(self.path), "exec"), module.__dict__)
        self.module = module
        self.meeting = Meeting("", str(self.base))
        self.agent = Agent(self.ksr, self.meeting)
        self.agent.loaded(module)
        self.agent.handler = module.mod_init()
        self.front: Any = Front(self.agent)
        self.front.child_init(1)
        self.folder = self.base / "route.kamailio"
        self.listener: socket.socket | None = None
        self.node: socket.socket | None = None
        self._lines = b""

    @property
    def page(self) -> Page:
        assert self.agent.page is not None
        return self.agent.page

    def attach(self) -> dict[str, Any]:
        """A node comes; the next callback connects to it. What the agent says first."""
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        here = os.open(self.folder, os.O_PATH)
        self.listener.bind(f"/proc/self/fd/{here}/link.sock")
        os.close(here)
        self.listener.listen(1)
        self.page.attached = True
        self.page.bump()
        self.request()
        self.node, _ = self.listener.accept()
        self.node.settimeout(2)
        hello, *_ = self.got()
        return hello

    def got(self) -> list[dict[str, Any]]:
        """What the agent has sent."""
        assert self.node is not None
        data = self.node.recv(1 << 20)
        while not data.endswith(b"\n"):
            data += self.node.recv(1 << 20)
        return [json.loads(line) for line in data.splitlines()]

    def order(self, **order: Any) -> None:
        assert self.node is not None
        self.node.sendall(json.dumps(order).encode() + b"\n")
        self.page.bump()

    def request(self) -> int:
        """A request comes to the process."""
        self.ksr.pvs["$mi"] += 1
        found: int = self.front.ksr_request_route(SimpleNamespace(Type="SIP_REQUEST"))
        return found

    def close(self) -> None:
        for sock in (self.node, self.listener):
            if sock is not None:
                sock.close()
        if self.agent.link is not None:
            self.agent.leave()
        if self.agent.page is not None:
            self.agent.slot_words = self.agent.words = None
            self.agent.page = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    before = {name: sys.modules.get(name) for name in ("KSR", "route")}
    made = Server(tmp_path)
    yield made
    made.close()
    for name, module in before.items():
        if module is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = module
