"""An editor over the wire on a real proxy: every message both ways fits the protocol's schema (lab/dap.py checks)."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from ksrshell.dap.adapter import Adapter
from ksrshell.dap.wire import read_message, write_message
from lab.dap import DapClient, DapError
from lab.ports import free_port

SCRIPT = """\
import KSR as KSR


def mod_init():
    return Router()


class Router:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        method = KSR.pv.gete("$rm")
        if KSR.is_OPTIONS():
            KSR.sl.send_reply(200, "Keepalive")
            return 1
        return self.ksr_route_refuse(msg, method)

    def ksr_route_refuse(self, msg, method):
        user = KSR.pv.get("$rU")
        if user == "boom":
            raise KeyError(user)
        KSR.hdr.append("X-Seen: yes\\r\\n")
        KSR.sl.send_reply(404, "No " + str(user))
        return 1
"""
LINE = {text.strip(): number for number, text in enumerate(SCRIPT.splitlines(), 1)}
USER = LINE['user = KSR.pv.get("$rU")']
APPEND = LINE['KSR.hdr.append("X-Seen: yes\\r\\n")']
REPLY = LINE['KSR.sl.send_reply(404, "No " + str(user))']


class Lab:
    """A script, a port, an editor that launched the proxy on them."""

    def __init__(self, editor: DapClient, script: Path, port: int) -> None:
        self.editor = editor
        self.script = script
        self.port = port

    def launch(self, **more: object) -> None:
        args = ["--listen", f"udp:127.0.0.1:{self.port}", "--name", "dap", "--db", f"sqlite:///{self.script}.db"]
        able = self.editor.start("launch", {"program": str(self.script), "args": args, **more})
        assert able["supportsStepBack"] is True

    def breakpoints(self, *wanted: dict[str, object]) -> list[dict[str, object]]:
        arguments = {"source": {"path": str(self.script)}, "breakpoints": list(wanted)}
        found = self.editor.ask("setBreakpoints", arguments)["breakpoints"]
        return list(found)

    def call(self, method: str, user: str, header: str = "") -> Call:
        return Call(self.port, method, user, header)

    def top(self, thread: int) -> dict[str, object]:
        frame: dict[str, object] = self.editor.ask("stackTrace", {"threadId": thread})["stackFrames"][0]
        return frame

    def scope(self, frame: object, name: str) -> int:
        scopes = self.editor.ask("scopes", {"frameId": frame})["scopes"]
        return next(int(s["variablesReference"]) for s in scopes if s["name"].startswith(name))

    def values(self, reference: int) -> dict[str, str]:
        found = self.editor.ask("variables", {"variablesReference": reference})["variables"]
        return {v["name"]: v["value"] for v in found}


class Call:
    """A request on its way; ``answers()`` waits for the final reply."""

    def __init__(self, port: int, method: str, user: str, header: str = "") -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(10.0)
        here = "{}:{}".format(*self.socket.getsockname())
        text = (
            f"{method} sip:{user}@127.0.0.1:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{uuid4().hex}\r\nFrom: <sip:alice@a.example>;tag=1\r\n"
            f"To: <sip:{user}@b.example>\r\nCall-ID: {uuid4().hex}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:alice@{here}>\r\n{header}Content-Length: 0\r\n\r\n"
        )
        self.socket.sendto(text.encode(), ("127.0.0.1", port))

    def answers(self) -> str:
        """The first line of the final reply."""
        with self.socket:
            while True:
                line = self.socket.recv(65535).decode().partition("\r\n")[0]
                if not line.startswith("SIP/2.0 1"):
                    return line


@pytest.fixture
def lab(runtime: Path, tmp_path: Path) -> Iterator[Lab]:
    script = tmp_path / "router.py"
    script.write_text(SCRIPT)
    with DapClient({"XDG_STATE_HOME": str(tmp_path / "state")}) as editor:
        yield Lab(editor, script, free_port())


def test_a_breakpoint_holds_one_message_and_the_others_flow(lab: Lab) -> None:
    editor = lab.editor
    lab.launch()
    (found,) = lab.breakpoints({"line": APPEND, "condition": 'rU == "bob"'})
    assert found["verified"] is True
    editor.ask("configurationDone")

    held = lab.call("INVITE", "bob")
    stopped = editor.wait("stopped")
    assert stopped["reason"] == "breakpoint" and stopped["hitBreakpointIds"] == [found["id"]]
    thread = stopped["threadId"]
    assert lab.call("INVITE", "carol").answers() == "SIP/2.0 404 No carol"
    assert len(editor.ask("threads")["threads"]) == 1

    frame = lab.top(thread)
    assert (frame["name"], frame["line"]) == ("ksr_route_refuse", APPEND)
    assert lab.values(lab.scope(frame["id"], "Locals"))["user"] == "'bob'"
    assert lab.values(lab.scope(frame["id"], "Pseudo"))["$rU"] == "bob"
    assert lab.values(lab.scope(frame["id"], "Headers"))["Max-Forwards"] == "70"
    evaluate = {"frameId": frame["id"], "context": "watch"}
    assert editor.ask("evaluate", {"expression": "user + method", **evaluate})["result"] == "'bobINVITE'"
    assert editor.ask("evaluate", {"expression": "$fU", **evaluate})["result"] == "alice"
    with pytest.raises(DapError, match="NameError"):
        editor.ask("evaluate", {"expression": "nobody", **evaluate})

    editor.ask("next", {"threadId": thread})
    editor.wait("stopped")
    frame = lab.top(thread)
    assert frame["line"] == REPLY
    assert lab.values(lab.scope(frame["id"], "Headers"))["X-Seen"] == "yes"
    reference = lab.scope(frame["id"], "Locals")
    new = editor.ask("setVariable", {"variablesReference": reference, "name": "user", "value": "'nobody'"})
    assert new["value"] == "'nobody'"
    editor.ask("continue", {"threadId": thread})
    assert held.answers() == "SIP/2.0 404 No nobody"
    editor.wait("thread", lambda body: body["reason"] == "exited")
    with pytest.raises(DapError, match="not held any more"):
        editor.ask("stackTrace", {"threadId": thread})
    editor.ask("disconnect")
    assert editor.close() == 0


def test_functions_exceptions_hits_and_logpoints(lab: Lab) -> None:
    editor = lab.editor
    lab.launch()
    found = lab.breakpoints({"line": USER, "logMessage": "at {$rm} for {$rU}"})
    assert found[0]["verified"]
    functions = [{"name": "ksr_route_refuse", "hitCondition": "== 2"}, {"name": "KSR.sl.send_reply"}]
    second, reply = editor.ask("setFunctionBreakpoints", {"breakpoints": functions})["breakpoints"]
    assert second["verified"] and reply["verified"]
    editor.ask("setExceptionBreakpoints", {"filters": ["exception"]})
    editor.ask("configurationDone")

    first = lab.call("MESSAGE", "bob")
    stopped = editor.wait("stopped")
    assert stopped["hitBreakpointIds"] == [reply["id"]] and stopped["reason"] == "function breakpoint"
    assert lab.top(stopped["threadId"])["line"] == REPLY
    editor.ask("continue", {"threadId": stopped["threadId"]})
    assert first.answers() == "SIP/2.0 404 No bob"

    boom = lab.call("MESSAGE", "boom")
    stopped = editor.wait("stopped")
    assert stopped["hitBreakpointIds"] == [second["id"]]
    editor.ask("continue", {"threadId": stopped["threadId"]})
    stopped = editor.wait("stopped")
    assert stopped["reason"] == "exception"
    assert editor.ask("exceptionInfo", {"threadId": stopped["threadId"]})["exceptionId"] == "KeyError"
    editor.ask("continue", {"threadId": stopped["threadId"]})
    assert boom.answers().startswith("SIP/2.0 500")
    assert "at MESSAGE for bob" in editor.output()


def test_breakpoints_that_cannot_be_say_why(lab: Lab) -> None:
    editor = lab.editor
    lab.launch()
    found = lab.breakpoints(
        {"line": 999},
        {"line": USER, "condition": "rU =="},
        {"line": USER, "hitCondition": "often"},
        {"line": USER, "hitCondition": ">= 0"},
    )
    assert [one["verified"] for one in found] == [False] * 4
    assert "999" in str(found[0]["message"])
    assert "often" in str(found[2]["message"])
    found = editor.ask("setFunctionBreakpoints", {"breakpoints": [{"name": "ksr_route_refuze"}]})["breakpoints"]
    assert "ksr_route_refuse" in str(found[0]["message"])
    locations = editor.ask("breakpointLocations", {"source": {"path": str(lab.script)}, "line": 1, "endLine": 99})
    assert USER in [one["line"] for one in locations["breakpoints"]]
    assert 2 not in [one["line"] for one in locations["breakpoints"]]


def test_a_captured_message_is_stepped_back_and_forth(lab: Lab) -> None:
    lab.launch()
    assert lab.call("INVITE", "bob").answers() == "SIP/2.0 404 No bob"
    with DapClient() as editor:
        editor.start("attach", {"proxy": "dap", "message": 1})
        editor.ask("configurationDone")
        stopped = editor.wait("stopped")
        assert stopped["reason"] == "entry"
        thread = stopped["threadId"]

        def line() -> int:
            return int(editor.ask("stackTrace", {"threadId": thread})["stackFrames"][0]["line"])

        lines = [line()]
        for _ in range(3):
            editor.ask("stepIn", {"threadId": thread})
            editor.wait("stopped")
            lines.append(line())
        assert lines[-1] == USER
        for expected in reversed(lines[:-1]):
            editor.ask("stepBack", {"threadId": thread})
            editor.wait("stopped")
            assert line() == expected
        editor.ask("continue", {"threadId": thread})
        editor.wait("terminated")
        assert "1 sent" in editor.output()
        editor.ask("disconnect")
        assert editor.close() == 0


def test_pause_holds_the_next_message(lab: Lab) -> None:
    lab.launch()
    lab.editor.ask("configurationDone")
    lab.editor.ask("pause", {"threadId": 0})
    # The hold is armed after the answer: messages come until one is held.
    held: list[Call] = []

    def calls() -> None:
        for _ in range(50):
            held.append(lab.call("OPTIONS", "x"))
            if stop.wait(0.05):
                return

    stop = threading.Event()
    caller = threading.Thread(target=calls)
    caller.start()
    stopped = lab.editor.wait("stopped")
    stop.set()
    caller.join()
    assert stopped["reason"] == "pause"
    lab.editor.ask("continue", {"threadId": stopped["threadId"]})
    assert {call.answers() for call in held} == {"SIP/2.0 200 Keepalive"}


def test_watching_a_pseudo_variable(lab: Lab) -> None:
    editor = lab.editor
    lab.launch()
    info = editor.ask("dataBreakpointInfo", {"name": "X-Seen"})
    found = editor.ask("setDataBreakpoints", {"breakpoints": [{"dataId": info["dataId"]}]})["breakpoints"]
    assert found[0]["verified"], found
    editor.ask("configurationDone")
    call = lab.call("INVITE", "bob")
    stopped = editor.wait("stopped")
    assert stopped["reason"] == "data breakpoint"
    editor.ask("continue", {"threadId": stopped["threadId"]})
    assert call.answers() == "SIP/2.0 404 No bob"


def test_an_editor_that_dies_leaves_no_message_held(lab: Lab) -> None:
    lab.launch()
    lab.editor.ask("configurationDone")
    with DapClient() as other:
        other.start("attach", {"proxy": "dap"})
        found = other.ask("setFunctionBreakpoints", {"breakpoints": [{"name": "ksr_route_refuse"}]})["breakpoints"]
        assert found[0]["verified"]
        other.ask("configurationDone")
        call = lab.call("INVITE", "bob")
        other.wait("stopped")
        other.process.kill()
        assert call.answers() == "SIP/2.0 404 No bob"
        assert lab.call("INVITE", "eve").answers() == "SIP/2.0 404 No eve"
        other.close()


def test_wrong_requests_are_refused_in_one_line(lab: Lab) -> None:
    editor = lab.editor
    editor.ask("initialize", {"adapterID": "ksrshell"})
    with pytest.raises(DapError, match="no proxy is attached"):
        editor.ask("setFunctionBreakpoints", {"breakpoints": []})
    with pytest.raises(DapError, match="no proxy named 'nobody'"):
        editor.ask("attach", {"proxy": "nobody"})
    with pytest.raises(DapError, match="cannot read the script|does not exist|No such file"):
        editor.ask("launch", {"program": "/nonexistent/script.py"})
    with pytest.raises(DapError, match="list of texts"):
        editor.ask("launch", {"program": str(lab.script), "args": "--listen"})
    with pytest.raises(DapError, match="does not know the request 'restart'"):
        editor.ask("restart", {})


def test_a_live_message_is_looked_back_on(lab: Lab) -> None:
    editor = lab.editor
    lab.launch()
    lab.breakpoints({"line": USER})
    editor.ask("configurationDone")
    call = lab.call("INVITE", "bob")
    thread = editor.wait("stopped")["threadId"]
    with pytest.raises(DapError, match="innermost"):
        outer = editor.ask("stackTrace", {"threadId": thread})["stackFrames"][1]
        editor.ask("evaluate", {"expression": "user", "frameId": outer["id"]})
    editor.ask("next", {"threadId": thread})
    editor.wait("stopped")
    after = lab.top(thread)
    editor.ask("stepBack", {"threadId": thread})
    editor.wait("stopped")
    frame = lab.top(thread)
    assert frame["line"] == USER and after["line"] == USER + 1
    assert "user" not in lab.values(lab.scope(frame["id"], "Locals"))
    with pytest.raises(DapError, match="has gone on"):
        editor.ask("evaluate", {"expression": "user", "frameId": frame["id"]})
    editor.ask("next", {"threadId": thread})
    editor.wait("stopped")
    assert lab.top(thread)["line"] == USER + 1
    editor.ask("continue", {"threadId": thread})
    assert call.answers() == "SIP/2.0 404 No bob"


def test_what_is_seen_and_set_at_a_stop(lab: Lab) -> None:
    editor = lab.editor
    lab.launch()
    lab.breakpoints({"line": REPLY})
    editor.ask("configurationDone")
    call = lab.call("INVITE", "bob", "Subject: one\r\nX-Twice: 1\r\nX-Twice: 2\r\n")
    thread = editor.wait("stopped")["threadId"]
    frame = lab.top(thread)["id"]
    calls = lab.values(lab.scope(frame, "KSR calls"))
    assert any(name.endswith("KSR.hdr.append('X-Seen: yes\\r\\n')") for name in calls)
    headers = lab.scope(frame, "Headers")
    assert {"X-Twice": "1", "X-Twice[1]": "2"}.items() <= lab.values(headers).items()
    editor.ask("setVariable", {"variablesReference": headers, "name": "Subject", "value": "two"})
    with pytest.raises(DapError, match="more than once"):
        editor.ask("setVariable", {"variablesReference": headers, "name": "X-Twice", "value": "3"})
    variables = lab.scope(frame, "Pseudo")
    new = editor.ask("setVariable", {"variablesReference": variables, "name": "$rU", "value": "carol"})
    assert new["value"] == "carol"
    with pytest.raises(DapError, match=r"\$rm"):
        editor.ask("setVariable", {"variablesReference": variables, "name": "$rm", "value": "BYE"})
    assert lab.values(lab.scope(frame, "Pseudo"))["$rU"] == "carol"
    targets = editor.ask("completions", {"text": "KSR.sl.send_r", "column": 14, "frameId": frame})["targets"]
    assert "send_reply" in [target["label"] for target in targets]
    assert editor.ask("evaluate", {"expression": "user", "frameId": frame, "context": "hover"})["result"] == "'bob'"
    with pytest.raises(DapError, match="not a local"):
        editor.ask("evaluate", {"expression": "KSR.sl.send_reply(1, '')", "frameId": frame, "context": "hover"})
    (loaded,) = editor.ask("loadedSources")["sources"]
    assert loaded["path"] == str(lab.script)
    editor.ask("continue", {"threadId": thread})
    assert call.answers() == "SIP/2.0 404 No bob"


def test_arguments_of_wrong_types_end_nothing() -> None:
    """One answer for each, and the next request is served."""
    wrong = [
        ("setBreakpoints", {"source": ["x"]}),
        ("setBreakpoints", {"source": 7}),
        ("stackTrace", {"threadId": {}}),
        ("attach", {"proxy": 5}),
        ("variables", {}),
        ("nosuch", []),
    ]
    stream = io.BytesIO()
    for number, (command, arguments) in enumerate(wrong, 1):
        write_message(stream, {"seq": number, "type": "request", "command": command, "arguments": arguments})
    stream.seek(0)
    out = io.BytesIO()
    assert Adapter(stream, out).run() == 0
    out.seek(0)
    answers = []
    while (message := read_message(out)) is not None:
        answers.append((message["request_seq"], message["success"]))
    assert answers == [(number, False) for number in range(1, len(wrong) + 1)]
