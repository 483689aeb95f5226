"""``ksr.*`` on a proxy in this process: results, and one clear error for each wrong request."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from ksrcore.assemble import load_script, make_proxy
from ksrcore.control.errors import ControlError
from ksrcore.control.methods import Methods
from ksrcore.control.rpc import rpc_methods
from ksrcore.control.server import Connection
from ksrcore.kemi.declare import RpcError
from ksrcore.net.address import Listen, Rcv
from ksrcore.proxy import Proxy
from ksrcore.store.database import Database

SCRIPT = """\
import KSR

def ksr_request_route(msg):
    answer(msg)
    return 1

def answer(msg):
    KSR.sl.sl_send_reply(200, "OK")
"""

Ask = Callable[..., Any]


def options(n: int) -> bytes:
    return (
        f"OPTIONS sip:u{n}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK{n}\r\n"
        f"From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c{n}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    ).encode()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    path = tmp_path / "controlled.py"
    path.write_text(SCRIPT)
    listen = Listen("udp", "127.0.0.1", 5060)
    with Database.open(":memory:") as db:
        proxy, ksr = make_proxy(
            transmit=lambda data, dest: True, listens=[listen], db=db, now=1.0, wall=1_800_000_000.0
        )
        load_script(str(path), proxy, ksr)
        for n in range(3):
            proxy.receive(options(n), Rcv("udp", "127.0.0.1", 5080, "127.0.0.1", 5060, listen), 2.0)
        yield proxy
    for name in ("controlled", "KSR"):
        sys.modules.pop(name, None)


@pytest.fixture
def ask(proxy: Proxy) -> Iterator[Ask]:
    """``ask(method, **params)`` or ``ask(rpc, [params])``: the result, or raises."""
    methods = Methods(proxy, lambda: None, lambda: {"transactions": 0})
    table = methods.table() | rpc_methods(proxy)
    connection = Connection(cast("Any", None), cast("Any", None))

    def call(method: str, given: Any = None, **params: Any) -> Any:
        async def main() -> Any:
            result = table[method](connection, given if given is not None else params)
            return await result if inspect.isawaitable(result) else result

        return loop.run_until_complete(main())

    call.client = connection  # type: ignore[attr-defined]
    loop = asyncio.new_event_loop()
    yield call
    methods.close()
    loop.close()


def test_hello_and_stats(ask: Ask) -> None:
    hello = ask("ksr.hello")
    assert (hello["engine"], hello["listens"]) == ("embedded", ["udp:127.0.0.1:5060"])
    assert ask("ksr.stats")["captured"] == 6


def test_messages_newest_and_filtered(ask: Ask) -> None:
    assert [m["id"] for m in ask("ksr.messages", limit=2)["messages"]] == [5, 6]
    assert [m["id"] for m in ask("ksr.messages", limit=2, newest=False)["messages"]] == [1, 2]
    assert [m["id"] for m in ask("ksr.messages", after=2, before=5)["messages"]] == [3, 4]
    found = ask("ksr.messages", where='is_request and rU == "u1"')["messages"]
    assert [(m["id"], m["sent"], m["callbacks"]) for m in found] == [(3, [4], ["ksr_request_route"])]


def test_one_message_whole(ask: Ask) -> None:
    message = ask("ksr.message", id=1)
    assert message["data"].startswith("OPTIONS sip:u0@127.0.0.1 SIP/2.0\r\n")
    (run,) = message["runs"]
    assert (run["callback"], run["version"], run["route"]) == ("ksr_request_route", 1, "request")
    assert run["calls"] == [{"name": "KSR.sl.sl_send_reply", "args": [200, "OK"], "result": 1, "error": None}]


def test_a_call(ask: Ask) -> None:
    flow = ask("ksr.flow", id=4)
    assert (flow["callid"], [m["id"] for m in flow["messages"]]) == ("c1", [3, 4])


def test_what_there_is(ask: Ask) -> None:
    api = {(f["module"], f["name"]): f["status"] for f in ask("ksr.api")}
    assert api["sl", "send_reply"] == "implemented" and api["ims_charging", "Ro_CCR"] == "known"
    pvs = {pv["name"]: pv for pv in ask("ksr.pvs")}
    assert pvs["$ru"]["writable"] and pvs["$ru"]["doc"].startswith("The Request-URI")
    routes = ask("ksr.routes")
    assert [(r["name"], r["hits"], r["version"]) for r in routes] == [("ksr_request_route", 3, 1), ("answer", 3, 1)]


def test_swap_and_roll_back(ask: Ask, proxy: Proxy) -> None:
    swapped = ask("ksr.swap", source="def answer(msg):\n    KSR.sl.sl_send_reply(404, 'Gone')\n", who="me")
    assert swapped["swapped"] == [{"name": "answer", "version": 2, "new": False, "removed": False}]
    proxy.receive(options(9), cast("Rcv", proxy.recorder.records[0].where), 3.0)
    assert ask("ksr.messages", limit=1)["messages"][0]["status"] == 404
    versions = ask("ksr.versions", name="answer")
    assert [(v["number"], v["current"], v["who"]) for v in versions] == [(1, False, "load"), (2, True, "me")]
    assert "+    KSR.sl.sl_send_reply(404, 'Gone')" in versions[1]["diff_to_previous"]
    assert [(s["name"], s["version"]) for s in ask("ksr.rollback", name="answer")["swapped"]] == [("answer", 1)]


def test_swaps_that_add_remove_and_go_back_whole(ask: Ask, proxy: Proxy) -> None:
    source = "TEXT = 'Hi'\ndef answer(msg):\n    KSR.sl.sl_send_reply(200, TEXT)\n"
    swapped = ask("ksr.swap", source=source, pin=True)
    named = [(s["name"], s["version"], s["new"]) for s in swapped["swapped"]]
    assert named == [("TEXT", 1, True), ("answer", 2, False)]
    assert (swapped["pinned"], swapped["warnings"]) == (0, [])
    assert ask("ksr.save", diff=True)["saved"] == ["answer", "TEXT"]
    assert [s["version"] for s in ask("ksr.rollback")["swapped"]] == [0, 1]
    assert ask("ksr.save")["written"] is False
    ask("ksr.swap", source="def more():\n    return 1\n")
    removed = ask("ksr.swap", remove=["more"])
    assert removed["swapped"] == [{"name": "more", "version": 0, "new": False, "removed": True}]
    assert [(v["number"], v["removed"]) for v in ask("ksr.versions", name="more")] == [(1, False), (2, True)]


def test_a_message_names_the_versions_that_handled_it(ask: Ask, proxy: Proxy) -> None:
    ask("ksr.swap", source="def answer(msg):\n    KSR.sl.sl_send_reply(404, 'Gone')\n")
    proxy.receive(options(9), cast("Rcv", proxy.recorder.records[0].where), 3.0)
    (run,) = ask("ksr.message", id=7)["runs"]
    assert run["versions"] == {"ksr_request_route": 1, "answer": 2}


def test_a_sandbox(ask: Ask) -> None:
    box = ask("ksr.sandbox.open", id=1)["sandbox"]
    assert ask("ksr.sandbox.call", sandbox=box, name="pv.get", args=["$rU"]) == {"result": "u0"}
    assert ask("ksr.sandbox.call", sandbox=box, name="x.exit", args=[]) == {"result": None, "exited": True}
    ask("ksr.sandbox.call", sandbox=box, name="sl.send_reply", args=[486, "Busy"])
    assert [s["data"][:15] for s in ask("ksr.sandbox.effects", sandbox=box)["sent"]] == ["SIP/2.0 486 Bus"]
    assert ask("ksr.pv", id=1, names=["$ci", "$rm"]) == {"$ci": "c0", "$rm": "OPTIONS"}
    ask("ksr.sandbox.close", sandbox=box)


def test_stepping(ask: Ask) -> None:
    state = ask("ksr.step.start", id=1)
    step = state["step"]
    assert (state["function"], state["line"]) == ("ksr_request_route", 4)
    assert ask("ksr.step.do", step=step, op="into")["function"] == "answer"
    assert ask("ksr.step.pv", step=step, name="$rU") == {"value": "u0"}
    assert ask("ksr.step.eval", step=step, expr="msg.Method") == {"repr": "'OPTIONS'"}
    assert ask("ksr.step.do", step=step, op="finish")["done"]
    ask("ksr.step.close", step=step)


def test_steps_go_back_and_are_recorded(ask: Ask, proxy: Proxy) -> None:
    step = ask("ksr.step.start", id=1, watches=["$rU"])["step"]
    assert ask("ksr.step.do", step=step, op="finish")["watches"] == {"$rU": "u0"}
    state = ask("ksr.step.do", step=step, op="back")
    assert (state["line"], state["at_end"], state["live"]) == (5, False, False)
    assert state["length"] > state["position"] + 1
    assert ask("ksr.step.state", step=step) == state
    assert ask("ksr.step.do", step=step, op="goto", line=0)["line"] == 4
    assert ask("ksr.step.set", step=step, name="$du", expr="'sip:x'")["state"]["effects"]["state"] == {"$du": "sip:x"}
    assert ask("ksr.step.watch", step=step, spec="$du")["watches"] == {"$rU": "u0", "$du": "sip:x"}
    assert ask("ksr.step.when", step=step, spec="$du") == {"changes": []}
    part = ask("ksr.step.recording", step=step)
    assert part["next"] == 0 and part["items"][0]["meta"]["callback"] == "ksr_request_route"
    assert ask("ksr.trace", id=1)["done"]
    script = proxy.script
    assert script is not None
    assert ask("ksr.source", file=script.path)["lines"][0] == "import KSR"


@pytest.mark.parametrize(
    ("method", "params", "code", "text"),
    [
        ("ksr.step.start", {"id": 1, "nth": 3}, 1, "did not run 4 times"),
        ("ksr.step.start", {"id": 1, "watches": ["$nonsense"]}, 1, "nonsense"),
        ("ksr.step.when", {"step": 99, "spec": "$du"}, 1, "no step 99"),
        ("ksr.source", {"file": "/etc/passwd"}, 1, "is no file of the script"),
        ("ksr.message", {"id": 99}, 1, "no message 99: there are 1 to 6"),
        ("ksr.message", {}, -32602, "ksr.message: id is missing; parameters: id: int"),
        ("ksr.message", {"id": "1"}, -32602, "ksr.message: id is '1'"),
        ("ksr.message", {"id": True}, -32602, "ksr.message: id is True"),
        ("ksr.message", {"id": 1, "x": 2}, -32602, "ksr.message: unknown parameter 'x'"),
        ("ksr.messages", {"where": "method =="}, 1, "cannot read the filter"),
        ("ksr.messages", {"where": "nothing_known == 1"}, 1, "'nothing_known' is neither a field"),
        ("ksr.messages", {"where": "__import__('os')"}, 1, "a filter can call"),
        ("ksr.swap", {"source": "def answer(:\n"}, 1, "the new code does not compile"),
        ("ksr.swap", {"source": "", "remove": [1]}, -32602, "ksr.swap: remove is [1]"),
        ("ksr.swap", {}, 1, "a swap takes functions"),
        ("ksr.swap", {"remove": ["answer"]}, 1, "answer cannot be removed: it is used by ksr_request_route"),
        ("ksr.rollback", {}, 1, "nothing was swapped"),
        ("ksr.rollback", {"number": 1}, 1, "rollback to a version needs a function's name"),
        ("ksr.versions", {"name": "anser"}, 1, "did you mean 'answer'?"),
        ("ksr.rollback", {"name": "answer"}, 1, "answer is at its first version"),
        ("ksr.sandbox.call", {"sandbox": 7, "name": "is_INVITE", "args": []}, 1, "no sandbox 7"),
        ("ksr.step.do", {"step": 7, "op": "next"}, 1, "no step 7"),
        ("ksr.step.start", {"id": 1, "callback": "nope"}, 1, "the script has no callback 'nope'"),
        ("ksr.subscribe", {"events": ["nope"]}, -32602, "events is a list of"),
        ("ksr.pv", {"id": 1, "names": ["$nope"]}, 1, "$nope"),
    ],
)
def test_wrong_requests(ask: Ask, method: str, params: dict[str, Any], code: int, text: str) -> None:
    with pytest.raises(ControlError) as caught:
        ask(method, params)
    assert caught.value.code == code
    assert text in caught.value.message


def test_kamailios_rpc(ask: Ask, proxy: Proxy) -> None:
    assert ask("core.version", []).startswith("ksrshell ")
    assert ask("core.uptime", [])["uptime"] == 1
    assert ask("core.psx", [])[0]["IDX"] == 0
    assert "ul.dump" in ask("system.listMethods", [])
    assert "core:rcv_requests = 3" in ask("stats.get_statistics", ["all"])
    assert ask("stats.get_statistics", ["rcv_requests"]) == ["core:rcv_requests = 3"]
    methods = ask("app_python.api_list", [])["methods"]
    assert {"func": {"ret": "int", "module": "sl", "name": "send_reply", "params": "int, str"}} in methods
    assert ask("app_python.reload", []) == {"old": 0, "new": 1}
    with pytest.raises(RpcError, match="Please provide which stats to retrieve"):
        ask("stats.get_statistics", [])
    Path(proxy.script.path).write_text("def broken(")  # type: ignore[union-attr]
    with pytest.raises(RpcError, match="the script was not reloaded"):
        ask("app_python.reload", [])


def test_a_message_put_in_is_flagged_and_not_routed(ask: Ask, proxy: Proxy) -> None:
    summary = ask("ksr.message.add", data=options(9).decode())
    assert (summary["id"], summary["origin"], summary["callbacks"]) == (7, "made by hand", [])
    assert (summary["src"], summary["dst"], summary["proto"]) == ("127.0.0.1:5080", "127.0.0.1:5060", "udp")
    assert ask("ksr.stats")["captured"] == 7
    assert ask("ksr.messages", where='origin == ""')["messages"][-1]["id"] == 6
    state = ask("ksr.step.start", id=7)
    assert state["function"] == "ksr_request_route"


def test_where_a_message_is_put_in_from(ask: Ask) -> None:
    summary = ask(
        "ksr.message.add", data=options(9).decode(), proto="tcp", src="[::1]:7000", dst="10.0.0.1:5061",
        origin="a.pcap", time=1.5, out=False,
    )  # fmt: skip
    assert [summary[name] for name in ("proto", "src", "dst", "origin", "time")] == [
        "tcp", "[::1]:7000", "10.0.0.1:5061", "a.pcap", 1.5,
    ]  # fmt: skip
    summary = ask("ksr.message.add", data=options(9).decode(), dst="10.0.0.2:5070", out=True)
    assert (summary["src"], summary["dst"], summary["out"]) == ("127.0.0.1:5060", "10.0.0.2:5070", True)


@pytest.mark.parametrize(
    "params, text",
    [
        ({"data": "hello"}, "this is no SIP message: "),
        ({"data": "OPTIONS sip:a SIP/2.0\r\n\r\n\u20ac"}, "a character for each byte"),
        ({"data": options(1).decode(), "src": "nowhere"}, "src is IP:PORT, got 'nowhere'"),
        ({"data": options(1).decode(), "proto": "sctp"}, "proto is one of udp"),
        ({"data": options(1).decode() + "x" * 70000}, "70172 bytes; there may be 65535"),
    ],
)
def test_what_cannot_be_put_in(ask: Ask, params: dict[str, Any], text: str) -> None:
    with pytest.raises(ControlError, match=text):
        ask("ksr.message.add", **params)


def test_timings(ask: Ask) -> None:
    (name,) = found = ask("ksr.timings")["callbacks"]
    assert name == "ksr_request_route" and [row[0] for row in found[name]] == [1, 3, 5]
    assert all(0 < seconds < 1 for _, _, seconds in found[name])


def test_steps_end_with_the_client(ask: Ask, proxy: Proxy) -> None:
    step = ask("ksr.step.start", id=1)["step"]
    ask("ksr.step.start", id=3)
    assert proxy.env.hook is not None, "live messages go the long way meanwhile"
    (closer,) = ask.client.closers  # type: ignore[attr-defined]
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("ksr-step")]
    closer()
    for thread in threads:
        thread.join(5)
    assert len(threads) == 2 and proxy.env.hook is None
    with pytest.raises(ControlError, match=f"no step {step}"):
        ask("ksr.step.state", step=step)


def test_the_lock_is_taken_from_before_a_step_is_looked_into(
    ask: Ask, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = ask("ksr.step.start", id=1)["step"]
    ask("ksr.step.do", step=step, op="finish")
    assert proxy.env.hook is None
    seen: list[bool] = []
    start = threading.Thread.start

    def watched(thread: threading.Thread) -> None:
        seen.append(proxy.env.hook is not None)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", watched)
    ask("ksr.step.when", step=step, header="X-A")
    assert seen == [True] and proxy.env.hook is None


def test_an_expression_that_never_ends_is_given_up(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    from ksrcore.control import steps
    from ksrcore.debug import stepper

    monkeypatch.setattr(steps, "STEP_TIMEOUT", 0.3)
    monkeypatch.setattr(stepper, "PATIENCE", 0.2)
    step = ask("ksr.step.start", id=1)["step"]
    with pytest.raises(ControlError, match="no result for 0 s: it still runs"):
        ask("ksr.step.eval", step=step, expr="__import__('time').sleep(0.6)")
    with pytest.raises(ControlError, match="something else is still being evaluated"):
        ask("ksr.step.eval", step=step, expr="1")
    with pytest.raises(ControlError, match="StopIteration"):
        ask("ksr.step.eval", step=ask("ksr.step.start", id=1)["step"], expr="next(iter(()))")
