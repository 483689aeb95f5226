"""Trying new code on captured messages: what differs, and nothing of it is live."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ksrcore.assemble import load_script, make_proxy
from ksrcore.control.errors import ControlError
from ksrcore.control.methods import Methods
from ksrcore.net.address import Listen, Rcv
from ksrcore.proxy import Proxy
from ksrcore.store.database import Database

SCRIPT = """\
import KSR
import random

LIMIT = 5
seen = []
total = 0


class Router:
    def __init__(self):
        self.users = {}

    def ksr_request_route(self, msg):
        global total
        total += 1
        seen.append(msg.Method)
        self.users[KSR.pv.get("$rU")] = random.random()
        if KSR.pv.get("$rU") == "bob":
            return self.relay(msg)
        KSR.sl.sl_send_reply(404, "Not " + KSR.pv.get("$rU"))
        return 1

    def relay(self, msg):
        KSR.seturi("sip:127.0.0.1:5090")
        KSR.tm.t_on_branch("ksr_branch")
        KSR.tm.t_relay()
        return 1

    def ksr_branch(self, msg):
        KSR.hdr.append("X-Limit: " + str(LIMIT) + "\\r\\n")
        return 1


def mod_init():
    return Router()
"""

Ask = Callable[..., Any]


def request(number: int, user: str) -> bytes:
    return (
        f"INVITE sip:{user}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK{number}\r\n"
        f"From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c{number}\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    path = tmp_path / "tried.py"
    path.write_text(SCRIPT)
    listen = Listen("udp", "127.0.0.1", 5060)
    with Database.open(":memory:") as db:
        proxy, ksr = make_proxy(transmit=lambda data, dest: True, listens=[listen], db=db, now=1.0, wall=1.8e9)
        load_script(str(path), proxy, ksr)
        for number, user in enumerate(("bob", "carol", "dave", "bob")):
            proxy.receive(request(number, user), Rcv("udp", "127.0.0.1", 5080, "127.0.0.1", 5060, listen), 2.0)
        yield proxy
    for name in ("tried", "KSR"):
        sys.modules.pop(name, None)


@pytest.fixture
def ask(proxy: Proxy) -> Iterator[Ask]:
    methods = Methods(proxy, lambda: None, lambda: {})
    table = methods.table()
    loop = asyncio.new_event_loop()

    def call(method: str, **params: Any) -> Any:
        async def main() -> Any:
            result = table[method](None, params)  # type: ignore[arg-type]
            return await result if asyncio.iscoroutine(result) else result

        return loop.run_until_complete(main())

    yield call
    methods.close()
    loop.close()


def ids(proxy: Proxy) -> list[int]:
    return [record.id for record in proxy.recorder if not record.out]


def differences(trial: Any) -> list[dict[str, tuple[str, str]]]:
    return [{part["what"]: (part["old"], part["new"]) for part in each["differences"]} for each in trial["differ"]]


def state(proxy: Proxy) -> Any:
    script: Any = proxy.script
    tm: Any = proxy.modules["tm"]
    module = script.module
    return (
        script.generation, list(script.hits), [*module.seen], module.total, dict(script.handler.users), module.LIMIT,
        proxy.recorder.last_id, dict(proxy.counters), tm.count(), random.getstate(), signal.getsignal(signal.SIGALRM),
    )  # fmt: skip


def test_what_differs_is_told_and_nothing_changes(ask: Ask, proxy: Proxy) -> None:
    before = state(proxy)
    trial = ask("ksr.try", source="LIMIT = 7\n", ids=ids(proxy))
    assert (trial["tried"], trial["same"], trial["skipped"]) == (4, 2, [])
    assert [each["id"] for each in trial["differ"]] == [ids(proxy)[0], ids(proxy)[3]]
    found = differences(trial)[0]
    assert list(found) == ["headers of INVITE", "calls"]
    assert found["headers of INVITE"] == ("X-Limit: 5", "X-Limit: 7")
    assert "X-Limit: 7" in found["calls"][1]
    assert state(proxy) == before
    assert proxy.env.hook is None


def test_replies_destinations_and_exceptions(ask: Ask, proxy: Proxy) -> None:
    before = state(proxy)
    source = (
        "def relay(self, msg):\n    KSR.seturi('sip:127.0.0.1:5091')\n    KSR.tm.t_relay()\n    return 2\n"
        "def ksr_request_route(self, msg):\n    user = KSR.pv.get('$rU')\n    if user == 'bob':\n"
        "        return self.relay(msg)\n    if user == 'carol':\n        KSR.sl.sl_send_reply(404, 'Not carol')\n"
        "        return 1\n    return 1 / 0\n"
    )
    trial = ask("ksr.try", source=source, ids=ids(proxy))
    bob, carol, dave, _ = differences(trial)
    assert list(carol) == ["calls"]
    assert bob["ends"] == ("returns 1", "returns 2")
    assert bob["sends"] == (
        "INVITE sip:127.0.0.1:5090 to udp:127.0.0.1:5090", "INVITE sip:127.0.0.1:5091 to udp:127.0.0.1:5091"
    )  # fmt: skip
    assert dave["raises"] == ("", "ksr_request_route: ZeroDivisionError: division by zero")
    assert dave["sends"][0].startswith("SIP/2.0 404 Not dave to udp:") and dave["sends"][1].startswith("SIP/2.0 500")
    assert [each["raises"] for each in trial["differ"]] == [False, False, True, False]
    assert state(proxy) == before


def test_the_same_code_makes_no_difference(ask: Ask, proxy: Proxy) -> None:
    trial = ask("ksr.try", source="def unused(self):\n    return 5\n", ids=ids(proxy))
    assert (trial["tried"], trial["same"]) == (4, 4)


def test_a_swap_that_is_tried_first(ask: Ask, proxy: Proxy) -> None:
    before = state(proxy)
    bad = "def relay(self, msg):\n    return {}['x']\n"
    with pytest.raises(ControlError) as caught:
        ask("ksr.swap", source=bad, try_on=50)
    assert f"message {ids(proxy)[0]} and 1 more of 4 raises" in caught.value.message
    assert "KeyError: 'x'" in caught.value.message and caught.value.data is not None
    assert len(caught.value.data["ids"]) == 2
    assert state(proxy) == before
    done = ask("ksr.swap", source="LIMIT = 6\n", try_on=2)
    assert (done["tried"], done["swapped"][0]["version"]) == (2, 2)
    with pytest.raises(ControlError, match="try_on is a number of messages"):
        ask("ksr.swap", source="LIMIT = 6\n", try_on=-1)


def test_what_never_ends_is_found(ask: Ask, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ksrcore.debug.trial.compare.__defaults__", (0.3,))
    before = state(proxy)
    source = (
        "def relay(self, msg):\n    while True:\n        try:\n            pass\n        except:\n            pass\n"
    )
    trial = ask("ksr.try", source=source, ids=ids(proxy)[:1])
    assert differences(trial)[0]["raises"] == ("", "does not end within 0.3 s")
    assert state(proxy) == before


def test_traffic_goes_on(ask: Ask, proxy: Proxy) -> None:
    listen = proxy.listens[0]
    turns = 0

    async def main() -> Any:
        nonlocal turns
        task = asyncio.ensure_future(methods.swapping.try_swap("LIMIT = 9\n", ids(proxy) * 10))
        while not task.done():
            turns += 1
            await asyncio.sleep(0)
            proxy.receive(request(100 + turns, "eve"), Rcv("udp", "127.0.0.1", 5080, "127.0.0.1", 5060, listen), 3.0)
        return await task

    methods = Methods(proxy, lambda: None, lambda: {})
    trial = asyncio.run(main())
    methods.close()
    assert (trial["tried"], turns > 3) == (40, True)
    assert proxy.script.module.total == 4 + turns  # type: ignore[union-attr]


def test_failure_and_onreply_routes_begin_with_what_they_had(ask: Ask, proxy: Proxy) -> None:
    failure = "def ksr_failure(self, msg):\n    KSR.tm.t_reply(500, 'Old ' + str(KSR.pv.get('$T_reply_code')))\n"
    ask(
        "ksr.swap",
        source="def relay(self, msg):\n    KSR.seturi('sip:127.0.0.1:5090')\n    KSR.tm.t_on_failure('ksr_failure')\n"
        "    KSR.tm.t_on_reply('ksr_onreply')\n    KSR.tm.t_relay()\n    return 1\n"
        f"{failure}"
        "def ksr_onreply(self, msg):\n    return 1\n",
    )
    listen = proxy.listens[0]
    proxy.receive(request(9, "bob"), Rcv("udp", "127.0.0.1", 5080, "127.0.0.1", 5060, listen), 2.0)
    sent = next(r for r in reversed(proxy.recorder.records) if r.out and r.data.startswith("INVITE"))
    head = [line for line in sent.data.split("\r\n") if line.startswith(("Via", "From", "Call-ID", "CSeq"))]
    reply = "\r\n".join(["SIP/2.0 486 Busy", *head, "To: <sip:b@x>;tag=2", "Content-Length: 0", "", ""])
    proxy.receive(reply.encode(), Rcv("udp", "127.0.0.1", 5090, "127.0.0.1", 5060, listen), 2.1)
    busy = next(r.id for r in proxy.recorder.records if r.data.startswith("SIP/2.0 486"))
    before = state(proxy)
    trial = ask("ksr.try", source=failure.replace("500, 'Old", "503, 'New"), ids=[busy])
    (found,) = differences(trial)
    assert found["sends in ksr_failure"] == (
        "SIP/2.0 500 Old 486 to udp:127.0.0.1:5080", "SIP/2.0 503 New 486 to udp:127.0.0.1:5080"
    )  # fmt: skip
    trial = ask("ksr.try", source="def ksr_onreply(self, msg):\n    return 1 / 0\n", ids=[busy])
    assert differences(trial)[0]["raises in ksr_onreply"][1].startswith("ksr_onreply: ZeroDivisionError")
    assert trial["differ"][0]["raises"]
    assert state(proxy) == before


def test_wrong_requests(ask: Ask, proxy: Proxy) -> None:
    with pytest.raises(ControlError, match="no message 99"):
        ask("ksr.try", source="LIMIT = 1\n", ids=[99])
    with pytest.raises(ControlError, match="does not compile"):
        ask("ksr.try", source="def x(:\n", ids=[1])
    sent = next(record.id for record in proxy.recorder if record.out)
    assert ask("ksr.try", source="LIMIT = 1\n", ids=[sent])["skipped"][0]["id"] == sent
