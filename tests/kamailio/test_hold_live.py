"""Holding messages in the workers of a real Kamailio."""

from __future__ import annotations

import os
import queue
import signal
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import ksrshell
from ksrshell.errors import KsrShellError
from ksrshell.holds import HeldList
from ksrshell.session import Session
from lab.agentserver import AgentServer, Phone
from lab.dap import DapClient

SCRIPT = """
import KSR


class kamailio:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        method = KSR.pv.get("$rm")
        if method == "OPTIONS":
            KSR.sl.send_reply(200, "OK")
            return 1
        if KSR.tm.t_check_trans() == 0:
            return 1
        if method == "MESSAGE":
            return {}[method]
        return self.ksr_route_relay(msg)

    def ksr_route_relay(self, msg):
        target = "sip:" + KSR.pv.get("$rU") + "@127.0.0.1:" + KSR.pv.get("$hdr(X-At)")
        KSR.seturi(target)
        KSR.tm.t_on_branch("ksr_branch_manage")
        KSR.tm.t_on_failure("ksr_failure_manage")
        if KSR.tm.t_relay() < 0:
            KSR.sl.sl_reply_error()
        return 1

    def ksr_branch_manage(self, msg):
        KSR.hdr.append("X-Branch: 1\\r\\n")
        return 1

    def ksr_failure_manage(self, msg):
        code = KSR.pv.get("$T_reply_code")
        return 1

    def ksr_reply_route(self, msg):
        status = KSR.pv.get("$rs")
        return 1


def mod_init():
    return kamailio()

"""

_calls = count(1)


class Lab:
    """The server, a session attached to it, and its events."""

    def __init__(self, server: AgentServer, session: Session) -> None:
        self.server = server
        self.session = session
        self.held = HeldList(session)
        self.told: queue.Queue[dict[str, Any]] = queue.Queue()
        session.client.on_event.append(self.told.put)
        session.client.subscribe("held", "released", "log")
        self.phones: list[Phone] = []

    @property
    def reads_edits(self) -> bool:
        """Before 6.1 the message as it would leave can be looked at without harm."""
        version = str(self.session.hello["version"]).split(".")
        return (int(version[0]), int(version[1])) < (6, 1)

    def phone(self) -> Phone:
        phone = Phone(self.server.address)
        self.phones.append(phone)
        return phone

    def call(self, to: str = "bob", method: str = "INVITE") -> tuple[Phone, Phone, str]:
        """Caller, callee and the name of a call that has begun."""
        a, b = self.phone(), self.phone()
        name = f"hold{os.getpid()}x{next(_calls)}"
        a.send(method, name, to, b.port)
        return a, b, name

    def wait(self, event: str, seconds: float = 6.0) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while True:
            found = self.told.get(timeout=max(0.001, end - time.monotonic()))
            if found["event"] == event:
                return found

    def answered(self, times: int = 8) -> int:
        """How many of so many OPTIONS are answered at once."""
        phone = self.phone()
        found = 0
        for _ in range(times):
            phone.send("OPTIONS", f"ping{next(_calls)}")
            found += phone.get(1.0).startswith("SIP/2.0 200")
        return found

    def clear(self) -> None:
        for hold in list(self.session.call("ksr.hold.list")):
            self.session.call("ksr.hold.disarm", {"id": hold["id"]})
        for held in list(self.held):
            held.resume()
        for phone in self.phones:
            phone.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentServer]:
    with AgentServer(tmp_path_factory.mktemp("held"), SCRIPT, modparams=(("tm", "fr_timer", 8000),)) as running:
        yield running


@pytest.fixture(scope="module")
def control(server: AgentServer) -> Iterator[Path]:
    with server.node() as path:
        yield path


@pytest.fixture
def lab(server: AgentServer, control: Path) -> Iterator[Lab]:
    with ksrshell.connect(control) as session:
        found = Lab(server, session)
        yield found
        found.clear()


def test_a_header_arrives(lab: Lab) -> None:
    lab.session.hold("ksr_route_relay", 'method == "INVITE" and rU == "bob"')
    a, b, _ = lab.call()
    event = lab.wait("held")
    held = lab.held[0]
    assert event["text"].startswith("held ") and "INVITE alice -> bob at ksr_route_relay:" in event["text"]
    assert 0 < held.left <= 0.8 * 8.0 and held.message.method == "INVITE" and held.message.id == event["message"]
    assert a.lines() == ["SIP/2.0 100 Trying"]
    assert held.KSR.hdr.append("X-Seen: yes\r\n") == 1
    step = held.step()
    first = step.where.line
    step.next()
    assert step.where.line == first + 1 and step.changed == ["target"]
    assert step.locals["target"] == f"'sip:bob@127.0.0.1:{b.port}'"
    if lab.reads_edits:
        assert "+X-Seen: yes" in str(step.diff)
    else:
        assert not step.diff and "takes its edits away" in step.diff.unknown
    step.set("target", f"'sip:carol@127.0.0.1:{b.port}'")
    step.next()
    assert step.pv("$rU") == "carol" and step.eval("target[:9]") == "'sip:carol'"
    assert [frame[0] for frame in step.frames] == ["ksr_route_relay", "ksr_request_route"]
    assert step.lines[step.where.line - 1].strip().startswith("KSR.tm.t_on_branch")
    assert b.get(0.1) == ""
    step.finish()
    assert step.done and step.result == "1"
    request = b.get()
    assert request.startswith("INVITE sip:carol@") and "X-Seen: yes\r\n" in request and "X-Branch: 1" in request
    assert lab.wait("released")["reason"] == "resumed"
    b.reply(request, 486)
    assert "SIP/2.0 486 Test" in a.lines()
    shown = lab.session.call("ksr.message", {"id": held.message.id})
    assert len(shown["held"]) == 1 and "resumed" in shown["held"][0]
    calls = [call["name"] for run in shown["runs"] if run["callback"] == "ksr_request_route" for call in run["calls"]]
    assert "KSR.hdr.append" in calls  # also the one made by hand


def test_only_what_matches(lab: Lab) -> None:
    lab.session.hold("ksr_route_relay", 'rU == "carol"')
    _, b, _ = lab.call("bob")
    assert b.get().startswith("INVITE")
    _, c, _ = lab.call("carol")
    lab.wait("held")
    assert c.get(0.1) == ""
    lab.held[0].resume()
    assert c.get().startswith("INVITE")


def test_repetitions_and_cancel_wait(lab: Lab) -> None:
    lab.session.hold("", 'method == "INVITE"')
    a, b, name = lab.call()
    lab.wait("held")
    for _ in range(6):
        a.send("INVITE", name, at=b.port)
        time.sleep(0.02)
    a.send("CANCEL", name, at=b.port)
    assert set(a.lines()) == {"SIP/2.0 100 Trying"}
    assert b.get(0.05) == ""
    data = lab.held[0].to_json()
    assert data["absorbed"] == 6 and data["waiting"] == ["CANCEL alice -> bob"]
    assert lab.answered() == 8
    lab.held[0].resume()
    assert b.get().startswith("INVITE") and b.lines() == []
    absorbed = lab.session.call("ksr.messages", {"where": f'callid == "{name}" and error != ""'})["messages"]
    assert len(absorbed) == 7 and "absorbed" in absorbed[0]["error"]
    # The CANCEL comes again, as its sender's timers have it, and is not absorbed any more.
    lab.session.call("ksr.hold.disarm", {"id": lab.session.call("ksr.hold.list")[0]["id"]})
    a.send("CANCEL", name, at=b.port)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        shown = lab.session.call("ksr.messages", {"where": f'callid == "{name}" and method == "CANCEL"'})["messages"]
        if len(shown) == 2:
            break
    assert [bool(each["error"]) for each in shown] == [True, False]


def test_drop_and_answer(lab: Lab) -> None:
    lab.session.hold("ksr_route_relay")
    a, b, _ = lab.call()
    lab.wait("held")
    lab.held[0].drop()
    assert lab.wait("released")["reason"] == "dropped"
    assert a.lines() == ["SIP/2.0 100 Trying"] and b.lines() == []
    a, b, _ = lab.call()
    lab.wait("held")
    lab.held[0].answer(486)
    assert lab.wait("released")["reason"] == "answered"
    assert a.lines() == ["SIP/2.0 100 Trying", "SIP/2.0 486 Busy Here"] and b.lines() == []


def test_drop_and_answer_in_a_branch_route(lab: Lab) -> None:
    lab.session.hold("ksr_branch_manage")
    a, b, _ = lab.call()
    state = lab.wait("held")["state"]
    assert state["route"] == "branch"
    assert [each["function"] for each in state["stack"]] == [
        "ksr_request_route",
        "ksr_route_relay",
        "ksr_branch_manage",
    ]
    lab.held[0].drop()
    lab.wait("released")
    assert not any(" 100 " not in line for line in a.lines(0.3)) and b.lines() == []
    a, b, _ = lab.call()
    lab.wait("held")
    lab.held[0].answer(480, "Gone")
    lab.wait("released")
    assert a.lines()[-1] == "SIP/2.0 480 Gone" and b.lines() == []


def test_ends_after_it_was_relayed(lab: Lab) -> None:
    """What is on its way stays; a final reply that tm has chosen goes on, unless another is sent."""
    lab.session.hold("ksr_route_relay:+7", once=True)
    a, b, _ = lab.call()
    request = b.get()
    lab.wait("held")
    lab.held[0].drop()
    lab.wait("released")
    b.reply(request, 486)
    assert a.lines()[-1] == "SIP/2.0 486 Test"
    lab.session.hold("ksr_failure_manage")
    for code, reply in ((0, "486 Test"), (480, "480 Gone")):
        a, b, _ = lab.call()
        b.reply(b.get(), 486)
        lab.wait("held")
        if code:
            lab.held[0].answer(code, "Gone")
        else:
            lab.held[0].drop()
        assert a.lines()[-1] == f"SIP/2.0 {reply}"


def test_time_is_over(lab: Lab) -> None:
    lab.session.hold("ksr_route_relay", timeout=0.3)
    _, b, _ = lab.call()
    lab.wait("held")
    step = lab.held[0].step()
    released = lab.wait("released")
    assert released["reason"] == "timeout" and 0.25 < released["seconds"] < 1.5
    assert b.get().startswith("INVITE")
    with pytest.raises(KsrShellError, match="waits no more"):
        step.next()
    with pytest.raises(KsrShellError, match="longer than tm's fr_timer"):
        lab.session.hold("ksr_route_relay", timeout=9)


def test_replies(lab: Lab) -> None:
    lab.session.hold("ksr_reply_route", 'rU == "bob" and status == 180')
    a, b, _ = lab.call()
    request = b.get()
    b.reply(request, 180)
    event = lab.wait("held")
    assert "180 to INVITE at ksr_reply_route:" in event["text"] and event["route"] == "reply"
    with pytest.raises(KsrShellError, match="a held reply cannot be answered"):
        lab.held[0].answer(486)
    lab.held[0].drop()
    assert not any(" 180 " in line for line in a.lines())
    b.reply(request, 180)
    lab.wait("held")
    lab.held[0].resume()
    assert a.lines() == ["SIP/2.0 180 Test"]
    b.reply(request, 486)
    assert a.lines() == ["SIP/2.0 486 Test"]


def test_replies_to_what_is_held_in_a_failure_route(lab: Lab) -> None:
    """They would wait for the transaction's lock, each in a worker of its own, until none is left."""
    lab.session.hold("ksr_failure_manage", 'rU == "bob"')
    a, b, name = lab.call()
    request = b.get()
    b.reply(request, 486)
    assert lab.wait("held")["route"] == "failure"
    for _ in range(8):
        b.reply(request, 486)
        a.send("INVITE", name, at=b.port)
    assert lab.answered() == 8
    lab.held[0].resume()
    assert a.lines()[-1] == "SIP/2.0 486 Test"


def test_calls_exceptions_and_watches(lab: Lab) -> None:
    call = lab.session.hold("KSR.tm.t_relay", once=True)
    _, b, _ = lab.call()
    assert lab.wait("held")["state"]["call"] == "KSR.tm.t_relay()"
    step = lab.held[0].step()
    assert step.into().where.function == "ksr_branch_manage"
    step.finish()
    assert b.get().startswith("INVITE")
    assert call.id not in [hold["id"] for hold in lab.session.call("ksr.hold.list")]

    hold = lab.session.hold("exception")
    lab.call(method="MESSAGE")
    state = lab.wait("held")["state"]
    assert state["exception"] == "KeyError: 'MESSAGE'" and state["event"] == "exception"
    step = lab.held[0].step()
    step.finish()
    assert step.exception is not None and "KeyError" in step.exception
    hold.disarm()

    hold = lab.session.hold(watch="$ru", if_='method == "INVITE"')
    _, b, _ = lab.call()
    assert f"-> 'sip:bob@127.0.0.1:{b.port}'" in lab.wait("held")["why"]
    hold.disarm()
    lab.held[0].resume()
    if not lab.reads_edits:
        with pytest.raises(KsrShellError, match="takes its edits away"):
            lab.session.hold(watch="X-Branch")
        return
    hold = lab.session.hold(watch="X-Branch", if_='method == "INVITE"')
    _, b, _ = lab.call()
    event = lab.wait("held")
    assert event["why"] == "X-Branch changed: None -> '1'" and event["function"] == "ksr_branch_manage"
    hold.disarm()


def test_logpoints_and_hits(lab: Lab) -> None:
    hold = lab.session.hold("ksr_route_relay:+2", log="{method} to {$ru}, {target} {hdr('CSeq')}")
    _, b, _ = lab.call()
    assert b.get().startswith("INVITE")
    event = lab.wait("log")
    target = f"sip:bob@127.0.0.1:{b.port}"
    assert event["text"] == f"INVITE to sip:bob@{lab.server.address}, {target} 1 INVITE" and event["message"] > 0
    hold.disarm()
    lab.session.hold("ksr_request_route:+2", 'method == "OPTIONS"', hits=3, once=True)
    phone = lab.phone()
    for n in range(5):
        phone.send("OPTIONS", f"hits{next(_calls)}")
        assert phone.get(0.3 if n == 2 else 2.0).startswith("SIP/2.0 200") is (n != 2)
    assert len(lab.held) == 1 and lab.session.call("ksr.hold.list") == []


def test_one_worker_is_left(lab: Lab) -> None:
    lab.session.hold("", 'method == "OPTIONS"')
    phones = [lab.phone() for _ in range(6)]
    for n, phone in enumerate(phones):
        phone.send("OPTIONS", f"left{next(_calls)}")
        if n < 3:
            lab.wait("held")
    assert [bool(phone.get(0.3)) for phone in phones] == [False] * 3 + [True] * 3
    assert len(lab.held) == 3 and lab.session.call("ksr.hold.list")[0]["missed"] == 3
    for held in list(lab.held):
        held.resume()
    assert all(phone.get() for phone in phones[:3])


def test_where_more_than_a_worker_waits_it_is_shorter(lab: Lab) -> None:
    lab.session.hold("ksr_failure_manage")
    _, b, _ = lab.call()
    b.reply(b.get(), 486)
    assert 0 < lab.wait("held")["left"] <= 5.0
    lab.held[0].resume()
    lab.session.hold("ksr_failure_manage", timeout=6)
    lab.session.call("ksr.hold.disarm", {"id": lab.session.call("ksr.hold.list")[0]["id"]})
    _, b, _ = lab.call()
    b.reply(b.get(), 486)
    assert 5.0 < lab.wait("held")["left"] <= 6.0


def test_two_shells(lab: Lab, control: Path) -> None:
    with ksrshell.connect(control) as other:
        other.hold("ksr_route_relay")
        _, b, _ = lab.call()
        lab.wait("held")
        assert lab.held[0].eval("target if 'target' in dir() else 2") == "2"
        assert len(HeldList(other)) == 1
    assert lab.wait("released")["reason"] == "its client has gone"
    assert b.get().startswith("INVITE")
    assert lab.session.call("ksr.hold.list") == []


def test_nonsense(lab: Lab) -> None:
    for where, text in (
        ("ksr_nope", "no function 'ksr_nope'"),
        (9999, "has no code"),
        ("KSR.tm.nope", "is no KSR function"),
    ):
        with pytest.raises(KsrShellError, match=text):
            lab.session.hold(where)
    lab.session.hold("ksr_route_relay", timeout=8)  # two seconds of CPU may take long on a busy machine
    lab.call()
    lab.wait("held")
    held = lab.held[0]
    step = held.step()
    for look, text in (
        (lambda: step.eval("1/0"), "ZeroDivisionError"),
        (lambda: step.to(9999), "has no code"),
        (lambda: step.set("targt", "1"), "did you mean 'target'"),
        (lambda: step.when("$du"), "live message"),
        (lambda: step.eval("[0 for _ in iter(int, 1) if 0]"), "was ended after 2 s"),
    ):
        with pytest.raises(KsrShellError, match=text):
            look()
    # Wrong arguments: an exception, and from 5.7 on False and a line in the server's log.
    if str(lab.session.hello["version"]).startswith("5.6"):
        with pytest.raises(KsrShellError, match="Error"):
            held.KSR.hdr.append(1, 2)
    else:
        assert held.KSR.hdr.append(1, 2) is False
    held.resume()
    with pytest.raises(KsrShellError, match=r"waits no more|is held under"):
        held.resume()


def test_an_editor_stops_a_call(lab: Lab, control: Path) -> None:
    path = str(lab.server.script)
    line = next(n for n, text in enumerate(lab.server.script.read_text().splitlines(), 1) if "KSR.seturi" in text)
    with DapClient() as editor:
        editor.start("attach", {"proxy": str(control)})
        found = editor.ask("setBreakpoints", {"source": {"path": path}, "breakpoints": [{"line": line}]})
        assert found["breakpoints"][0]["verified"], found
        editor.ask("configurationDone")
        a, b, _ = lab.call()
        thread = editor.wait("stopped")["threadId"]
        top = editor.ask("stackTrace", {"threadId": thread})["stackFrames"][0]
        assert (top["name"], top["line"], top["source"]["path"]) == ("ksr_route_relay", line, path)
        shown = editor.ask("evaluate", {"expression": "target", "frameId": top["id"], "context": "repl"})
        assert str(b.port) in shown["result"]
        editor.ask("next", {"threadId": thread})
        editor.wait("stopped")
        editor.ask("continue", {"threadId": thread})
        request = b.get()
        assert request.startswith("INVITE")
        b.reply(request, 486)
        assert "SIP/2.0 486 Test" in a.lines()
        editor.ask("disconnect")
        assert editor.close() == 0
    assert lab.session.call("ksr.hold.list") == []


def test_swap_waits_for_a_held_worker(lab: Lab) -> None:
    lab.session.hold("ksr_route_relay", once=True)
    _, b, _ = lab.call()
    lab.wait("held")
    source = "def ksr_branch_manage(self, msg):\n    KSR.hdr.append('X-Branch: 2\\r\\n')\n    return 1\n"
    try:
        lab.session.call("ksr.swap", {"source": source}, timeout=20)
        assert "X-Branch: 2" in _relayed(lab)
    finally:
        lab.held[0].resume()
        assert b.get().startswith("INVITE")
        lab.session.call("ksr.rollback", {}, timeout=20)
    assert "X-Branch: 1" in _relayed(lab)


def _relayed(lab: Lab) -> str:
    _, b, _ = lab.call()
    return b.get()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_node_goes(tmp_path: Path, how: signal.Signals) -> None:
    with AgentServer(tmp_path / "gone", SCRIPT) as server, server.node_process() as (node, control):
        with ksrshell.connect(control) as session:
            lab = Lab(server, session)
            session.hold("ksr_route_relay", keep=True)
            a, b, _ = lab.call()
            lab.wait("held")
            assert b.get(0.1) == ""
            began = time.monotonic()
            node.send_signal(how)
            request = b.get()
            assert request.startswith("INVITE") and time.monotonic() - began < 1.0
            b.reply(request, 486)
            assert "SIP/2.0 486 Test" in a.lines()
            assert lab.answered() == 8
            for phone in lab.phones:
                phone.close()


def test_no_worker_to_spare(tmp_path: Path) -> None:
    with AgentServer(tmp_path / "single", SCRIPT, workers=1) as server, server.attached() as session:
        with pytest.raises(KsrShellError, match="no worker to spare"):
            session.hold("ksr_route_relay")
        assert session.hold("ksr_route_relay", log="{method}").log == "{method}"
