"""Steps, traces and recordings at the prompt, on a proxy in this process."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from ksrcore.assemble import load_script, make_proxy
from ksrcore.control.errors import ControlError
from ksrcore.control.methods import Methods
from ksrcore.control.server import Connection
from ksrcore.net.address import Listen, Rcv
from ksrcore.store.database import Database
from ksrshell.errors import NotFound, RemoteError, UsageError
from ksrshell.main import main
from ksrshell.namespace import Namespace
from ksrshell.open import OfflineClient, offline
from ksrshell.runner import evaluate
from ksrshell.session import Session
from ksrshell.trace import Trace, open_trace

SCRIPT = """\
import KSR

def ksr_request_route(msg):
    user = KSR.pv.get("$rU")
    where = target(user)
    KSR.setdsturi(where)
    KSR.hdr.append("X-Route: 1\\r\\n")
    KSR.sl.send_reply(404, "Not Found")
    return 1

def target(user):
    host = "10.0.0.9"
    return "sip:" + user + "@" + host
"""

INVITE = (
    "INVITE sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n"
    "To: <sip:b@x>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


class Client(OfflineClient):
    """Calls the methods of the control channel where they are, in a loop of its own."""

    def __init__(self, methods: Methods) -> None:
        super().__init__("here")
        self.table = methods.table()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def call(self, method: str, params: Any = None, *, timeout: float | None = None) -> Any:
        async def main() -> Any:
            result = self.table[method](cast(Connection, self), params or {})
            return await result if inspect.isawaitable(result) else result

        try:
            return asyncio.run_coroutine_threadsafe(main(), self.loop).result(20)
        except ControlError as error:
            raise RemoteError(error.code, str(error)) from None

    def when_gone(self, told: Callable[[Connection], None]) -> None:
        self.told = told

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    path = tmp_path / "traced.py"
    path.write_text(SCRIPT)
    listen = Listen("udp", "127.0.0.1", 5060)
    with Database.open(":memory:") as db:
        proxy, ksr = make_proxy(
            transmit=lambda data, dest: True, listens=[listen], db=db, now=1.0, wall=1_800_000_000.0
        )
        load_script(str(path), proxy, ksr)
        proxy.receive(INVITE.encode(), Rcv("udp", "127.0.0.1", 5080, "127.0.0.1", 5060, listen), 2.0)
        methods = Methods(proxy, lambda: None, lambda: {})
        client = Client(methods)
        yield Session(cast(Any, client))
        methods.close()
        client.close()
    for name in ("traced", "KSR"):
        sys.modules.pop(name, None)


def test_a_step_goes_back_and_forth(session: Session) -> None:
    s = session.step(1)
    assert s.next().where.line == 5 and s.changed == ["user"]
    assert s.into().where.function == "target"
    assert s.finish().done and s.result == "1"
    assert s.back().where.line == 9 and not s.at_end
    assert f"step {s.position} of {s.length - 1}" in repr(s)
    assert s.back_call().coming == "KSR.sl.send_reply(404, 'Not Found')"
    assert s.first().position == 0 and s.goto(-1).done and s.goto(3).position == 3
    assert s.back(2).position < 3
    with pytest.raises(UsageError, match="expects how many lines, got 'x'"):
        s.back(cast(Any, "x"))
    with pytest.raises(RemoteError, match="there is no step 900"):
        s.goto(900)
    with pytest.raises(UsageError, match="there is no step -900: 0 to"):
        s.goto(-900)
    assert s.lines[0] == "import KSR" and 12 in s.code_lines and 11 not in s.code_lines
    s.close()


def test_looking_and_changing(session: Session) -> None:
    with session.step(1) as s:
        s.finish()
        s.first().next()
        assert s.set("user", '"carol"') == "'carol'"
        assert s.locals["user"] == "'carol'" and s.length < 5
        assert s.next().locals["where"] == "'sip:carol@10.0.0.9'"
        assert s.eval("where[:3]") == "'sip'"
        assert s.watch("$du").watches == {"$du": None}
        assert s.next().watches == {"$du": "sip:carol@10.0.0.9"}
        assert "$du=sip:carol@10.0.0.9" in repr(s)
        changes = s.when("$du")
        assert [(c.where.line, c.before, c.after) for c in changes] == [(6, None, "sip:carol@10.0.0.9")]
        assert repr(changes).endswith("ksr_request_route:6  <null> -> sip:carol@10.0.0.9")
        assert [c.after for c in s.when("where")] == ["'sip:carol@10.0.0.9'"]
        assert repr(s.when(header="X-Route")) == "X-Route does not change in what is recorded"
        assert s.unwatch("$du").watches == {}
        with pytest.raises(UsageError, match="when\\(\\) expects"):
            s.when()
        with pytest.raises(UsageError, match="set\\(\\) expects an expression as text"):
            s.set("user", cast(Any, 5))
        assert len(s.trace()) == s.length


def test_a_trace(session: Session) -> None:
    t = session.trace(1)
    assert len(t) == len(list(t)) and t[0].where.line == 4 and t[-1].done and t.result == "1"
    assert [call.name for call in t.calls][-1] == "KSR.sl.send_reply"
    assert "+X-Route: 1" in t.diff().text and not t.diff(0, 1)
    assert [c.after for c in t.when("$du")] == ["sip:bob@10.0.0.9"]
    assert [c.after for c in t.when("$rU")] == [], "not in the recording: the proxy is asked"
    lines = repr(t.show()).splitlines()
    assert len(lines) == len(t) and lines[0].split(None, 2)[2] == 'user = KSR.pv.get("$rU")'
    assert "would send to 127.0.0.1:5080: SIP/2.0 404 Not Found" in repr(t)
    assert t.next().where.line == 5 and t.back().where.line == 4 and t.position == 0
    with pytest.raises(NotFound, match="no step 99"):
        t[99]


def test_a_trace_has_the_effects_of_the_whole_run(session: Session) -> None:
    trace = session.trace(1)
    trace.first()
    assert [sent.data.partition("\r\n")[0] for sent in trace.effects.sent] == ["SIP/2.0 404 Not Found"]
    assert not trace[0].effects.sent


def test_a_file_is_opened_without_a_proxy(session: Session, tmp_path: Path) -> None:
    t = session.trace(1)
    path = t.save(tmp_path / "run")
    assert path.name == "run.ksr"
    again = open_trace(path, offline("run.ksr"))
    assert [s.to_json() for s in again] == [s.to_json() for s in t]
    assert again.message.title == "INVITE sip:bob@127.0.0.1" and again.message.src == "127.0.0.1:5080"
    assert [c.to_json() for c in again.when("$du")] == [c.to_json() for c in t.when("$du")]
    r = again.replay
    assert r.next().into().where.function == "target" and r.eval("user") == "'bob'"
    assert r.to(8).where.line == 8 and r.pv("$du") == "sip:bob@10.0.0.9"
    assert r.watches == {} and r.watch("$du").watches == {"$du": "sip:bob@10.0.0.9"} and r.unwatch("$du").watches == {}
    assert r.lines == SCRIPT.splitlines() and r.finish().done
    for wrong in (
        lambda: r.set("user", "1"),
        lambda: r.pv("$nope"),
        lambda: r.eval("1 + 1"),
        lambda: again.when("$rU"),
    ):
        with pytest.raises(UsageError, match="that needs a proxy that runs the script"):
            wrong()
    with pytest.raises(UsageError, match="the run has ended: back"):
        r.next()
    with pytest.raises(UsageError, match="line 10 of .* has no code"):
        r.first().to(10)
    with pytest.raises(UsageError, match="cannot write"):
        t.save(tmp_path / "no" / "x.ksr")


def test_the_command(session: Session, tmp_path: Path) -> None:
    path = session.trace(1).save(tmp_path / "run.ksr")
    run = CliRunner().invoke
    result = run(main, ["open", str(path), "-c", "t.next(); t.when('$du')[0].after"])
    assert (result.exit_code, result.output) == (0, "'sip:bob@10.0.0.9'\n")
    # Errors of code go to standard error itself.
    assert run(main, ["open", str(path), "-c", "msgs[-1]"]).exit_code == 1
    result = run(main, ["open", str(path), "--json", "-c", "len(t)"])
    assert result.output.strip() == str(len(session.trace(1)))
    for data, text in ((b"no", "it is not a recording of ksrshell"), (path.read_bytes()[:90], "it is cut off")):
        bad = tmp_path / "bad.ksr"
        bad.write_bytes(data)
        result = run(main, ["open", str(bad), "-c", "t"])
        assert result.exit_code == 1 and text in result.output
    result = run(main, ["open", str(tmp_path / "none.ksr"), "-c", "t"])
    assert result.exit_code == 1 and "No such file" in result.output


def test_the_magics(session: Session) -> None:
    names = Namespace(session)
    s = evaluate(names, "%step 1")
    for code, line in (("%next", 5), ("%into", 12), ("%out", 6), ("%back", 13), ("%back 2", 5), ("%goto 0", 4)):
        assert evaluate(names, code).where.line == line, code
    assert evaluate(names, "%next_call").coming == "KSR.pv.get('$rU')"
    assert evaluate(names, "%finish").done and evaluate(names, "%step back_call") is s
    assert [c.after for c in evaluate(names, "%when $du")] == ["sip:bob@10.0.0.9"]
    assert [c.after for c in evaluate(names, "%when header X-Route")] == [["1"]]
    with pytest.raises(UsageError, match="usage: %step goto NUMBER"):
        evaluate(names, "%goto x")
    with pytest.raises(UsageError, match="it takes nothing more"):
        evaluate(names, "%finish 3")
    assert isinstance(evaluate(names, "%trace 1"), Trace)
    assert evaluate(names, "%next").where.line == 5
    evaluate(names, "%step close")
    with pytest.raises(UsageError, match="nothing is being stepped"):
        evaluate(names, "%next")
