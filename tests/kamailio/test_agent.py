"""The agent in a process: what a callback costs and gives, and what the node hears of it."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from kamailio.conftest import MESSAGE, SCRIPT, Server
from ksrcore.kamailio.ksragent.agent import WAKE


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
