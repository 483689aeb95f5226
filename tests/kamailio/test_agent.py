"""The agent in a process: what a callback costs and gives, and what the node hears of it."""

import fcntl
import os
from types import SimpleNamespace
from typing import Any

import pytest

from kamailio.conftest import MESSAGE, SCRIPT, Server
from ksrcore.kamailio.ksragent import folder
from ksrcore.kamailio.ksragent.agent import WAKE
from ksrcore.kamailio.ksragent.state import Page, PageError


def test_a_callback_runs_and_gives_an_int(server: Server) -> None:
    assert server.request() == 1
    assert server.ksr.made[-2:] == [("info", "routing\n"), ("send_reply", 200, "OK")]
    assert server.front.ksr_none(None) == 1


def test_what_the_script_raises_is_raised(server: Server) -> None:
    with pytest.raises(ValueError, match="no"):
        server.front.ksr_failing(None)


def test_optional_callbacks_are_there_and_others_are_not(server: Server) -> None:
    assert server.front.ksr_onsend_route(None) == 1 and server.front.ksr_reply_route(None) == 1
    with pytest.raises(AttributeError):
        server.front.ksr_no_such  # noqa: B018


def test_the_process_has_a_slot_and_facts_in_the_page(server: Server) -> None:
    (proc,) = server.page.procs()
    assert (proc.pid, proc.rank, proc.linked) == (os.getpid(), 1, 0)
    facts = server.page.facts
    assert (facts["name"], facts["script"]) == ("route", str(server.path.resolve()))


def test_idle_the_script_has_its_own_ksr_and_nothing_is_counted(server: Server) -> None:
    server.request()
    assert server.module.KSR is server.ksr
    assert server.page.procs()[0].messages == 0


def test_attached_the_node_hears_of_the_message_and_the_calls(server: Server) -> None:
    hello = server.attach()
    assert (hello["event"], hello["pid"], hello["swaps"]) == ("hello", os.getpid(), [])
    server.request()
    (ran,) = server.got()
    assert (ran["event"], ran["cb"], ran["data"]) == ("ran", "ksr_request_route", MESSAGE)
    assert (ran["src"], ran["dst"], ran["proto"]) == (["127.0.0.1", 7], ["127.0.0.1", 5060], "udp")
    assert ran["calls"] == [["KSR.info", ["routing\n"], None], ["KSR.sl.send_reply", [200, "OK"], 1]]
    assert ran["n"][0] == 2 and ran["n"][3] == 0
    assert server.page.procs()[0].messages == 2 and server.page.procs()[0].linked == 1


def test_the_same_message_is_told_once(server: Server) -> None:
    server.attach()
    server.ksr.pvs["$mi"] += 1
    server.front.ksr_request_route(SimpleNamespace(Type="SIP_REQUEST"))
    server.front.ksr_none(SimpleNamespace(Type="SIP_REQUEST"))
    first, second = server.got()
    assert "data" in first and "data" not in second and first["mi"] == second["mi"]


def test_an_exception_is_told_with_the_scripts_frames(server: Server) -> None:
    server.attach()
    with pytest.raises(ValueError, match="no"):
        server.front.ksr_failing(None)
    (ran,) = server.got()
    assert ran["error"] == ["ValueError", "no"]
    assert "route.py" in ran["traceback"] and "agent.py" not in ran["traceback"]
    assert server.page.procs()[0].exceptions == 1


def test_a_message_that_is_not_utf8_is_told_byte_by_byte(server: Server) -> None:
    server.attach()
    server.ksr.pvs["$mb"] = MESSAGE.encode() + b"\xff\xfe"
    server.request()
    (ran,) = server.got()
    assert ran["data"] == MESSAGE + "\xff\xfe"


def test_a_message_that_only_wakes_is_eaten(server: Server) -> None:
    server.attach()
    server.ksr.pvs.update({"$rm": WAKE, "$ci": server.page.secret})
    made = len(server.ksr.made)
    server.order(id=1, do="ping")
    assert server.request() == 1
    assert len(server.ksr.made) == made
    assert server.got() == [{"re": 1, "result": {}}]


def test_with_another_secret_it_is_the_scripts(server: Server) -> None:
    server.attach()
    server.ksr.pvs.update({"$rm": WAKE, "$ci": "guessed"})
    made = len(server.ksr.made)
    server.request()
    assert len(server.ksr.made) > made


def test_when_the_node_leaves_nothing_stays(server: Server) -> None:
    server.attach()
    assert server.module.KSR is not server.ksr
    server.page.attached = False
    server.page.bump()
    server.request()
    assert server.module.KSR is server.ksr and server.agent.link is None
    assert server.page.procs()[0].linked == 0
    server.agent._linger = 0.001  # what was to wake it has come by now
    server.request()
    assert server.agent.seen[0] == server.page.epoch


def test_when_the_node_is_killed_nothing_stays(server: Server) -> None:
    server.attach()
    assert server.node is not None and server.listener is not None
    server.node.close()
    server.listener.close()
    for _ in range(3):
        assert server.request() == 1
    assert server.module.KSR is server.ksr and server.agent.link is None


def test_another_node_comes_before_the_death_of_the_first_is_noticed(server: Server) -> None:
    server.attach()
    assert server.node is not None and server.listener is not None
    server.node.close()
    server.listener.close()
    (server.folder / "link.sock").unlink()
    assert server.attach()["event"] == "hello"


def test_sipdump_tells_what_leaves(server: Server) -> None:
    send_reply = server.ksr.sl.send_reply

    def replies(code: int, reason: str) -> Any:
        server.front.ksr_sipdump_event(None, "sipdump:msg")
        return send_reply(code, reason)

    server.attach()
    server.ksr.sl.send_reply = replies  # type: ignore[attr-defined]
    values = {
        "tag": "snd", "buf": b"SIP/2.0 200 \xff\r\n\r\n", "proto": "udp",
        "src_ip": "127.0.0.1", "src_port": 5060, "dst_ip": "127.0.0.1", "dst_port": 7,
    }  # fmt: skip
    server.ksr.pvs |= {f"$sipdump({name})": value for name, value in values.items()}
    assert server.front.ksr_sipdump_event(None, "sipdump:msg") == 1
    (told,) = server.got()
    assert (told["event"], told["out"], told["mi"]) == ("dumped", "SIP/2.0 200 \xff\r\n\r\n", 0)
    assert (told["to"], told["from"]) == (["udp", "127.0.0.1", 7], ["udp", "127.0.0.1", 5060])
    # While a callback runs it is because of its message, which is told of first.
    vars(server.agent.recording.recorder.sl).pop("send_reply")
    server.request()
    dumped, ran = server.got()
    assert (dumped["event"], dumped["mi"], ran["event"]) == ("dumped", ran["mi"], "ran")
    assert dumped["data"].startswith("OPTIONS ") and "data" not in ran
    # What comes is known by its own callback.
    server.ksr.pvs["$sipdump(tag)"] = "rcv"
    server.request()
    assert [each["event"] for each in server.got()] == ["ran"]


def test_an_unknown_order_is_answered(server: Server) -> None:
    server.attach()
    server.order(id=7, do="dance")
    server.request()
    answer = server.got()[0]
    assert answer["re"] == 7 and "dance" in answer["error"]["text"]


def test_a_folder_of_another_user_turns_it_off(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = os.geteuid()
    monkeypatch.setattr("ksrcore.kamailio.ksragent.agent.os.geteuid", lambda: uid + 1)
    made = Server(tmp_path)
    try:
        assert made.request() == 1 and made.front.ksr_none(None) == 1
        assert made.agent.page is None and "off in process" in str(made.ksr.made)
    finally:
        made.close()


def test_a_name_that_is_taken_gets_a_number(server: Server, tmp_path: Any) -> None:
    from ksrcore.kamailio.ksragent.folder import Meeting

    other = Meeting("route", str(server.base))
    assert other.path(lambda: {"script": "/x/route.py", "pid": 1}).endswith("route-2.kamailio")


def test_loaded_again_the_swaps_are_forgotten_and_told(server: Server) -> None:
    server.attach()
    entry = {"cls": "kamailio", "name": "answer", "key": "1", "kind": "function", "file": "<swap 1>", "line": 1}
    server.order(id=1, do="swap", want=[{**entry, "source": "def answer(self, msg):\n    return 5\n", "lines": []}])
    assert server.request() == 5
    server.got()
    exec(compile(SCRIPT, str(server.path), "exec"), server.module.__dict__)
    server.agent.loaded(server.module)
    assert server.got() == [{"event": "reloaded"}]
    assert server.agent.swaps.numbers() == []


def test_orders_that_break_change_nothing_for_the_script(server: Server) -> None:
    server.attach()

    def leaves() -> None:
        raise SystemExit(1)

    server.agent.orders |= {"unsendable": lambda: object(), "leaves": leaves}
    server.order(id=5, do="leaves")
    assert server.request() == 1
    assert server.got()[0] == {"re": 5, "error": {"type": "SystemExit", "text": "1"}}
    server.order(id=6, do="unsendable")
    assert server.request() == 1 and server.ksr.made[-1] == ("send_reply", 200, "OK")
    assert server.agent.link is None and server.module.KSR is server.ksr
    warned = [call[1] for call in server.ksr.made if call[0] == "warn"]
    assert len(warned) == 1 and "the link to the node is given up: TypeError" in warned[0]


class _Odd:
    def __int__(self) -> int:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("result", "number"),
    [(None, 1), (True, 1), (False, 0), (-1, -1), (2.9, 2), (float("inf"), 1), ("text", 1), ([], 1), (_Odd(), 1)],
)
def test_kamailio_always_gets_an_int(server: Server, result: Any, number: int) -> None:
    server.agent.handler.ksr_odd = lambda msg: result
    assert server.front.ksr_odd(None) == number
    server.attach()
    found = server.front.ksr_odd(SimpleNamespace(Type="SIP_REQUEST"))
    assert found == number and type(found) is int


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError])
def test_every_exception_goes_through(server: Server, raised: type[BaseException]) -> None:
    def fails(msg: Any) -> int:
        raise raised

    server.agent.handler.ksr_odd = fails
    for _ in range(2):
        with pytest.raises(raised):
            server.front.ksr_odd(SimpleNamespace(Type="SIP_REQUEST"))
        if server.node is None:
            server.attach()
    assert server.agent.depth == 0 and server.agent.run is None
    assert [record["cb"] for record in server.got()] == ["ksr_odd"]


def test_what_is_told_of_a_callback_is_bounded(server: Server) -> None:
    server.attach()
    ksr = server.module.__dict__

    def talks(msg: Any) -> int:
        for _ in range(3000):
            ksr["KSR"].info("x" * 10)
        raise ValueError("y" * 1_000_000 + "\ud800")

    server.agent.handler.ksr_talks = talks
    with pytest.raises(ValueError, match="y"):
        server.front.ksr_talks(SimpleNamespace(Type="SIP_REQUEST"))
    (ran,) = server.got()
    assert len(ran["calls"]) == 500 and len(ran["error"][1]) == 4096 and len(ran["traceback"]) <= 32768


def test_text_that_stands_for_no_bytes(server: Server) -> None:
    server.attach()
    server.agent.handler.ksr_odd = lambda msg: server.module.__dict__["KSR"].info("a\ud800") or 1
    assert server.front.ksr_odd(SimpleNamespace(Type="SIP_REQUEST")) == 1
    (ran,) = server.got()
    assert ran["calls"] == [["KSR.info", ["a?"], None]]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_of_a_callback_is_none_of_the_server(server: Server) -> None:
    """A script that forks, and whose child goes on: it says nothing on its parent's link, and keeps nothing alive."""
    server.attach()
    (inside, outside), (begun, ready) = os.pipe(), os.pipe()

    def forks(msg: Any) -> int:
        pid = os.fork()
        if not pid:
            os.close(outside)
            os.write(ready, b"x")
            os.read(inside, 1)  # until the parent's end is closed
            os._exit(0)
        server.module.__dict__["KSR"].info("parent")
        return pid

    server.agent.handler.ksr_forks = forks
    pid = server.front.ksr_forks(SimpleNamespace(Type="SIP_REQUEST"))
    page = Page(server.page.path)
    try:
        os.read(begun, 1)
        assert server.got()[0]["calls"] == [["KSR.info", ["parent"], None]]
        assert server.request() == 1 and server.agent.link is not None
        assert page.alive()
        server.page.let_go()
        kept = server.meeting.kept
        assert kept is not None
        kept.let_go()
        assert not page.alive()
        assert server.node is not None
        server.agent.leave()
        server.got()
        assert server.node.recv(1) == b""
    finally:
        page.close()
        for fd in (outside, inside, begun, ready):
            os.close(fd)
        os.waitpid(pid, 0)


def test_a_folder_that_somebody_keeps_locked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_PATIENCE", 0.03)
    guard = os.open(server.base, os.O_RDONLY)
    fcntl.flock(guard, fcntl.LOCK_EX)
    try:
        with pytest.raises(PageError, match="is locked by another process"):
            folder.Meeting("other", str(server.base)).path(server.agent.facts)
    finally:
        os.close(guard)


def test_the_servers_log_is_not_flooded(server: Server) -> None:
    for number in range(1000):
        server.agent.say(f"line {number}")
    assert len([call for call in server.ksr.made if call[0] == "warn"]) == 20
