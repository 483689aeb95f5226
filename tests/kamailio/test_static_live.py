"""Both modules that run Python, both ways of putting the agent in: app_python3s calls functions, without a message."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kamailio.agents import look
from ksrcore.kamailio.rpcclient import RpcClient, Target
from ksrshell import nodes
from ksrshell.holds import HeldList
from ksrshell.session import Session, connect
from lab.agentserver import AgentServer, Phone
from lab.kamailio import APP_PYTHON3, python_modules
from lab.needs import need

FUNCTIONS = """
def ksr_request_route():
    if KSR.pv.get("$rm") == "OPTIONS":
        KSR.sl.send_reply(200, "OK")
        return 1
    return ksr_route_relay()

def ksr_route_relay():
    target = "sip:callee@127.0.0.1:" + KSR.pv.get("$hdr(X-At)")
    KSR.seturi(target)
    KSR.tm.t_on_reply("ksr_onreply_manage")
    KSR.tm.t_on_failure("ksr_failure_manage")
    KSR.tm.t_relay()
    return 1

def ksr_onreply_manage():
    status = KSR.pv.get("$rs")

def ksr_failure_manage():
    code = KSR.pv.get("$T_reply_code")
"""


def script(module: str) -> str:
    """The same for both: app_python3 wants an object, and passes the message."""
    if module != APP_PYTHON3:
        return "import KSR\n" + FUNCTIONS
    text = FUNCTIONS.replace("return ksr_route", "return self.ksr_route").replace("\n", "\n    ")
    for name in ("request_route", "onreply_manage", "failure_manage"):
        text = text.replace(f"def ksr_{name}()", f"def ksr_{name}(self, msg)")
    text = text.replace("def ksr_route_relay()", "def ksr_route_relay(self)")
    init = "    def child_init(self, rank):\n        return 0\n"
    return f"import KSR\n\nclass kamailio:\n{init}{text}\n\ndef mod_init():\n    return kamailio()\n"


@pytest.fixture(params=[(module, beside) for module in python_modules() for beside in (False, True)], ids=str)
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AgentServer]:
    need("kamailio", package="kamailio kamailio-python3-modules")
    module, beside = request.param
    monkeypatch.setattr(nodes, "LINGER", 0.3)
    monkeypatch.setenv("KSRSHELL_DIR", str(tmp_path / "server" / "run"))
    with AgentServer(tmp_path / "server", script(module), log_level=1, module=module, beside=beside) as made:
        yield made


@pytest.fixture
def phones(server: AgentServer) -> Iterator[tuple[Phone, Phone]]:
    made = Phone(server.address), Phone(server.address)
    yield made
    for phone in made:
        phone.close()


def wait(true: Callable[[], Any]) -> None:
    end = time.monotonic() + 15
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def attach() -> Session:
    session = connect("held")
    wait(lambda: all(each["connected"] for each in session.call("ksr.workers")))
    return session


def statuses(session: Session) -> set[str]:
    return {each["status"] for each in session.call("ksr.workers")}


def swapped(session: Session, name: str, value: str) -> str:
    """The function with a header appended first."""
    head, _, body = str(session.routes[name].source).partition("\n")
    indent = body[: len(body) - len(body.lstrip())]
    return f'{head}\n{indent}KSR.hdr.append("X-Swap: {value}\\r\\n")\n{body}'


def test_captured_held_swapped_and_left(server: AgentServer, phones: tuple[Phone, Phone]) -> None:
    a, b = phones
    wait(lambda: look(server.folder).workers == 5)  # four for UDP, one for TCP
    assert sorted(proc.rank for proc in look(server.folder).procs if proc.rank > 0) == [1, 2, 3, 4, 5]
    with attach() as session:
        # What came and left, and what ran.
        a.send("MESSAGE", "seen", at=b.port)
        b.reply(b.get(), 486)
        assert a.get().startswith("SIP/2.0 486")
        wait(lambda: len(session.msgs.where('callid == "seen"')) == 4)
        found = session.msgs.where('callid == "seen"')
        assert [(m.out, m.status or m.method) for m in found] == [
            (False, "MESSAGE"), (True, "MESSAGE"), (False, 486), (True, 486),
        ]  # fmt: skip
        both = ["ksr_reply_route", "ksr_onreply_manage"]
        wait(lambda: [run.callback for run in list(found)[2].runs] == both)
        # A request, then a reply.
        held = HeldList(session)
        hold = session.hold("ksr_route_relay", 'method == "MESSAGE"')
        a.send("MESSAGE", "held", at=b.port)
        wait(lambda: held)
        assert held[0].KSR.hdr.append("X-Seen: yes\r\n") == 1
        step = held[0].step()
        step.next()
        assert step.locals["target"] == f"'sip:callee@127.0.0.1:{b.port}'" and step.changed == ["target"]
        assert [frame[0] for frame in step.frames] == ["ksr_route_relay", "ksr_request_route"]
        step.finish()
        request = b.get()
        assert "X-Seen: yes\r\n" in request
        hold.disarm()
        hold = session.hold("ksr_onreply_manage", "status == 486")
        b.reply(request, 486)
        wait(lambda: held)
        state = session.call("ksr.hold.state", {"held": held[0].id})
        assert (state["route"], state["callback"]) == ("onreply", "ksr_onreply_manage")
        hold.disarm()
        held[0].resume()
        assert a.get().startswith("SIP/2.0 486")
        # Other code.
        session.swap(swapped(session, "ksr_route_relay", "1"))
        wait(lambda: statuses(session) == {"applied"})
        a.send("MESSAGE", "swapped", at=b.port)
        request = b.get()
        assert "X-Swap: 1\r\n" in request
        b.reply(request, 200)
        session.rollback()
        wait(lambda: statuses(session) == {"applied"})
        a.send("MESSAGE", "back", at=b.port)
        request = b.get()
        assert "X-Swap" not in request
        b.reply(request, 200)
    wait(lambda: not look(server.folder).attached)
    wait(lambda: not any(proc.linked for proc in look(server.folder).procs))
    assert server.answers(timeout=2)


def test_the_script_is_loaded_again_by_others(server: AgentServer, phones: tuple[Phone, Phone]) -> None:
    """app_python.reload: each worker has the file as it is now, and the swaps on top; they stay attached."""
    a, b = phones
    with attach() as session:
        session.swap(swapped(session, "ksr_route_relay", "2"))
        wait(lambda: statuses(session) == {"applied"})
        server.script.write_text(server.script.read_text().replace('200, "OK"', '202, "New"'))
        method = "app_python.reload" if server.module == APP_PYTHON3 else "app_python3s.reload"
        RpcClient([Target("dgram", f"{server.directory}/rpc.sock")]).call(method, [])
        # A worker that finds another one in a callback does not load it yet.
        numbers, new = itertools.count(), 0
        while new < 12:
            assert (number := next(numbers)) < 200
            a.send("OPTIONS", f"again{number}")
            new = new + 1 if a.get().startswith("SIP/2.0 202 New") else 0
        wait(lambda: len(session.msgs.where('method == "OPTIONS" and not out')) == number + 1)
        wait(lambda: statuses(session) == {"applied"})
        a.send("MESSAGE", "swapped", at=b.port)
        assert "X-Swap: 2\r\n" in b.get()


def test_started_again(server: AgentServer, phones: tuple[Phone, Phone]) -> None:
    """What was swapped in is gone with the server, and who is attached comes back."""
    a, b = phones
    with attach() as session:
        session.swap(swapped(session, "ksr_route_relay", "3"))
        wait(lambda: statuses(session) == {"applied"})
    server.stop()
    wait(lambda: not look(server.folder).alive)
    server.start()
    with attach() as session:
        a.send("MESSAGE", "anew", at=b.port)
        assert "X-Swap" not in b.get()
        wait(lambda: session.msgs)
