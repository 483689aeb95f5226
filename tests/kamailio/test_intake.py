"""What workers report becomes messages of the recorder, by the agent's own protocol over a real link."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kamailio.conftest import MESSAGE
from ksrcore.assemble import make_proxy
from ksrcore.control import views
from ksrcore.kamailio.intake import Intake
from ksrcore.kamailio.ksragent.state import Page
from ksrcore.kamailio.workers import Worker, WorkerError, WorkerGone, Workers, WorkerSilent
from ksrcore.net.address import Listen

Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_writers: list[asyncio.StreamWriter] = []
Body = Callable[[Workers, Intake], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Body], None]:
    """Runs a coroutine with a node's workers and intake, in the folder of a server."""
    monkeypatch.chdir(tmp_path)

    def start(body: Body) -> None:
        async def main() -> None:
            page = Page("state", create={"name": "x", "pid": 1, "generation": 1}, secret="ab" * 16)
            proxy, _ = make_proxy(transmit=lambda data, dest: False, listens=[Listen("udp", "127.0.0.1", 5060)])
            workers = Workers(page)
            intake = Intake(proxy, workers)
            await workers.start()
            try:
                await body(workers, intake)
            finally:
                for writer in _writers:
                    writer.close()
                _writers.clear()
                await workers.close()
                await asyncio.sleep(0.01)  # the transports close in a turn of the loop
                page.close()

        asyncio.run(main())

    return start


async def connect(workers: Workers, pid: int) -> Link:
    reader, writer = await asyncio.open_unix_connection("link.sock")
    _writers.append(writer)
    say(writer, event="hello", pid=pid, rank=1, generation=1, swaps=[["", "f", "k"]], path=[])
    await until(lambda: workers.by_pid(pid) is not None)
    return reader, writer


def say(writer: asyncio.StreamWriter, **message: Any) -> None:
    writer.write(json.dumps(message).encode() + b"\n")


async def until(true: Callable[[], Any]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come to that")


def ran(callback: str = "ksr_request_route", mi: int = 1, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"event": "ran", "t": 10.0, "cb": callback, "d": 0.002, "r": 1, "calls": [], "mi": mi}
    return made | {"n": [1, 0.002, 0.002, 0]} | more


ABOUT: dict[str, Any] = {"data": MESSAGE, "src": ["127.0.0.1", 7], "dst": ["127.0.0.1", 5060], "proto": "udp"}


def test_a_message_with_its_callbacks_and_what_left(run: Callable[[Body], None]) -> None:
    async def body(workers: Workers, intake: Intake) -> None:
        _, writer = await connect(workers, 10)
        calls = [["KSR.tm.t_on_branch", ["ksr_b"], 1], ["KSR.nope.f", [1], None, "ValueError", "bad"]]
        say(writer, **ran("ksr_b", top="ksr_request_route", **ABOUT))
        say(writer, event="sent", t=10.1, mi=1, out="OPTIONS sip:x SIP/2.0\r\n\r\n", to=["udp", "127.0.0.2", 5070])
        say(writer, **ran(calls=calls))
        say(writer, **ran("ksr_b"))
        await until(lambda: len(intake.recorder) == 2 and len(intake.recorder.records[0].runs) == 3)
        record, out = intake.recorder.records
        assert (record.data, record.src, record.dst) == (MESSAGE, ("127.0.0.1", 7), ("127.0.0.1", 5060))
        routes = [(each.callback, each.route) for each in record.runs]
        assert routes == [("ksr_b", 512), ("ksr_request_route", 1), ("ksr_b", 8)]
        seen = views.run_view(record.runs[1], {})
        assert [(call["name"], call["args"], call["result"], call["error"]) for call in seen["calls"]] == [
            ("KSR.tm.t_on_branch", ["ksr_b"], 1, None),
            ("KSR.nope.f", [1], None, "ValueError: bad"),
        ]
        assert (out.out, out.cause, out.dst, record.sent) == (True, record.id, ("127.0.0.2", 5070), (out.id,))

    run(body)


def test_a_failure_route_belongs_to_its_request_also_in_another_worker(run: Callable[[Body], None]) -> None:
    async def body(workers: Workers, intake: Intake) -> None:
        _, one = await connect(workers, 10)
        _, two = await connect(workers, 11)
        say(one, **ran(top="ksr_request_route", **ABOUT))
        await until(lambda: len(intake.recorder) == 1)
        # process_maxfwd() and others have written into the copy that the transaction has.
        changed = {**ABOUT, "data": MESSAGE.replace("Content-Length: 0", "Content-Length: 0 ")}
        say(two, **ran("ksr_failure", top="ksr_failure", error=["KeyError", "'x'"], traceback="T", **changed))
        await until(lambda: len(intake.recorder.records[0].runs) == 2)
        assert len(intake.recorder) == 1
        failed = intake.recorder.records[0].runs[1]
        assert views.run_view(failed, {})["exception"] == "KeyError: 'x'" and failed.traceback == "T"

    run(body)


def test_figures_are_summed_over_workers(run: Callable[[Body], None]) -> None:
    async def body(workers: Workers, intake: Intake) -> None:
        for pid, stats in ((10, [3, 0.3, 0.2, 1]), (11, [2, 0.1, 0.05, 0])):
            _, writer = await connect(workers, pid)
            say(writer, **ran(n=stats, top="ksr_request_route", lost=pid, **ABOUT))
        await until(lambda: len(intake.stats) == 2)
        total = intake.totals()["ksr_request_route"]
        assert (total.calls, round(total.total, 6), total.longest, total.exceptions) == (5, 0.4, 0.2, 1)
        assert intake.lost == {10: 10, 11: 11}

    run(body)


def test_orders_are_answered_fail_or_wait(run: Callable[[Body], None]) -> None:
    async def body(workers: Workers, intake: Intake) -> None:
        reader, writer = await connect(workers, 10)
        (worker,) = workers.all
        assert worker.swaps == {("", "f"): "k"}

        async def ask(answer: dict[str, Any] | None) -> Any:
            asked = asyncio.create_task(worker.ask("thing", timeout=0.1, x=1))
            order = json.loads(await reader.readline())
            assert (order["do"], order["x"]) == ("thing", 1)
            if answer is not None:
                say(writer, re=order["id"], **answer)
            return await asked

        epoch = workers.page.epoch
        assert await ask({"result": [1]}) == [1]
        assert workers.page.epoch > epoch
        with pytest.raises(WorkerError, match="KeyError: no"):
            await ask({"error": {"type": "KeyError", "text": "no"}})
        with pytest.raises(WorkerSilent):
            await ask(None)
        writer.close()
        await until(lambda: not workers.all)
        with pytest.raises(WorkerGone):
            await worker.ask("thing")

    run(body)


def test_what_is_no_protocol_harms_nobody(run: Callable[[Body], None], caplog: pytest.LogCaptureFixture) -> None:
    async def body(workers: Workers, intake: Intake) -> None:
        told: list[Worker] = []
        workers.on_event("hello", lambda worker, event: told.append(worker))
        _, writer = await connect(workers, 10)
        writer.write(b'not json\n[1]\n{"event":"ran"}\n{"re":99,"result":1}\n{"event":"unknown"}\n')
        say(writer, **ran(top="ksr_request_route", **ABOUT))
        await until(lambda: len(intake.recorder) == 1)
        assert [worker.pid for worker in told] == [10]

    run(body)
    assert "what worker 10 said cannot be used" in caplog.text


def test_what_sipdump_tells(run: Callable[[Body], None]) -> None:
    """What the onsend route has told is the same message; what it has not is one more, of the message that runs."""
    where = {"to": ["udp", "127.0.0.1", 9], "from": ["udp", "127.0.0.1", 5060]}
    about = {"top": "ksr_request_route", "src": ["127.0.0.1", 7], "dst": ["127.0.0.1", 5060], "proto": "udp"}

    async def body(workers: Workers, intake: Intake) -> None:
        _, writer = await connect(workers, 5)
        say(writer, event="sent", t=1.0, mi=1, out=MESSAGE, to=where["to"], data=MESSAGE, **about)
        changed = MESSAGE.replace("From: <sip:a@b>", "From: <sip:other@b>")
        say(writer, event="dumped", t=1.0, mi=1, out=changed, **where)
        say(writer, event="dumped", t=1.1, mi=1, out="SIP/2.0 200 OK\r\n\r\n", **where)
        say(writer, event="dumped", t=1.2, mi=0, out="SIP/2.0 200 OK\r\n\r\n", **where)
        await until(lambda: len(intake.recorder.records) == 4)
        came, relayed, own, again = intake.recorder.records
        assert (came.out, relayed.data, own.cause, again.cause) == (False, changed, came.id, 0)
        assert came.sent == (relayed.id, own.id) and own.src == ("127.0.0.1", 5060)

    run(body)
