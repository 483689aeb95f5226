"""KSR.ndb_redis against a real Redis: results as recorded from Kamailio 5.6.3."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from lab.ports import free_port
from lab.sequence import Bench, load
from lab.services import redis

(RECORDED,) = load("ndb_redis")
STEP: dict[str, Any] = {}


def test_as_in_kamailio(tmp_path: Path) -> None:
    unlike: list[Any] = []
    *steps, back = RECORDED["steps"]
    port = free_port()
    with redis(tmp_path, port):
        bench = Bench([f"ndb_redis:server=name=srv;addr=127.0.0.1;port={port};db=1"])
        for step in steps:
            results, _ = bench.request(STEP, [call for call, _ in step["calls"]])
            for (call, wanted), result in zip(step["calls"], results, strict=True):
                if result != wanted:
                    unlike.append((step["name"], call, wanted, result))
    with redis(tmp_path, port):
        results, _ = bench.request(STEP, [call for call, _ in back["calls"]])
        assert results == [wanted for _, wanted in back["calls"]]
        bench.proxy.modules["ndb_redis"].stop()
    assert unlike == []


class Fake:
    """Answers +OK to everything, or nothing to MUTE; ``got`` has the commands by connection."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.got: list[str] = []
        self.mute = False
        self.moved = 0
        self.made = 0
        self.open: list[socket.socket] = []
        self.threads: list[threading.Thread] = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self) -> None:
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            self.made += 1
            self.open.append(sock)
            thread = threading.Thread(target=self.serve, args=(sock, self.made), daemon=True)
            self.threads.append(thread)
            thread.start()

    def serve(self, sock: socket.socket, number: int) -> None:
        with sock:
            while True:
                try:
                    data = sock.recv(4096).decode()
                except OSError:
                    return
                if not data:
                    return
                self.got.append(f"{number} {' '.join(data.split(chr(13) + chr(10))[2::2])}")
                if self.moved and "MUTE" in data:
                    sock.sendall(f"-MOVED 1 127.0.0.1:{self.moved}\r\n".encode())
                elif not (self.mute and "MUTE" in data):
                    sock.sendall(b"+OK\r\n")

    def take(self) -> list[str]:
        got, self.got = self.got, []
        return got

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for sock in self.open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in (self.thread, *self.threads):
            thread.join(5)


@pytest.fixture
def fake() -> Iterator[Fake]:
    made = Fake()
    yield made
    made.close()


MUTE = 'KSR.ndb_redis.redis_cmd("srv", "MUTE", "r")'


def _bench(fake: Fake, *more: str) -> Bench:
    return Bench(
        [
            f"ndb_redis:server=name=srv;addr=127.0.0.1;port={fake.port};db=3;pass=sekret",
            "ndb_redis:cmd_timeout=100",
            *more,
        ]
    )


def test_one_that_does_not_answer_is_left_out(fake: Fake) -> None:
    bench = _bench(fake, "ndb_redis:allowed_timeouts=1", "ndb_redis:disable_time=1", "ndb_redis:flush_on_reconnect=1")
    assert fake.take() == ["1 AUTH sekret", "1 PING", "1 SELECT 3"]
    assert bench.request(STEP, [MUTE])[0] == [0]
    assert fake.take() == ["1 MUTE"]
    fake.mute = True
    assert bench.request(STEP, [MUTE])[0] == [-1]
    assert fake.take() == ["1 MUTE", "2 AUTH sekret", "2 PING", "2 SELECT 3", "2 FLUSHALL", "2 MUTE"]
    assert bench.request(STEP, [MUTE, MUTE])[0] == [-1, -2]
    assert fake.take() == ["3 AUTH sekret", "3 PING", "3 SELECT 3", "3 FLUSHALL", "3 MUTE"]
    fake.mute = False
    assert bench.request(STEP, [MUTE])[0] == [-2]
    bench.proxy.now += 1.1
    assert bench.request(STEP, [MUTE])[0] == [0]
    bench.proxy.modules["ndb_redis"].stop()


def test_several_at_once_have_connections_of_their_own(fake: Fake) -> None:
    bench = _bench(fake)
    module: Any = bench.proxy.modules["ndb_redis"]
    assert module.waits()
    one, two = bench.make(STEP), bench.make(STEP)
    fake.take()
    assert module.redis_cmd(one, "srv", "MULTI", "a") == 0
    assert module.redis_cmd(two, "srv", "GET x", "r") == 0
    assert module.redis_cmd(one, "srv", "GET y", "r") == 0
    assert module.redis_cmd(one, "srv", "EXEC", "r") == 0
    assert [got for got in fake.take() if " AUTH" not in got and " PING" not in got and " SELECT" not in got] == [
        "1 MULTI", "2 GET x", "1 GET y", "1 EXEC"
    ]  # fmt: skip
    # A message that begins and never ends loses its connection.
    assert module.redis_cmd(one, "srv", "MULTI", "a") == 0
    bench.proxy.now += 11
    bench.make(STEP)
    assert module.redis_cmd(bench.run, "srv", "GET z", "r") == 0
    assert module._bound == []
    module.stop()


@pytest.mark.parametrize("dynamic", [0, 1])
def test_a_cluster_that_points_elsewhere(fake: Fake, dynamic: int) -> None:
    first = Fake()
    first.moved = fake.port
    bench = Bench(
        [
            f"ndb_redis:server=name=srv;addr=127.0.0.1;port={first.port}",
            "ndb_redis:cluster=1",
            f"ndb_redis:allow_dynamic_nodes={dynamic}",
        ]
    )
    assert bench.request(STEP, [MUTE])[0] == [dynamic - 1]
    assert [got for got in fake.take() if "MUTE" in got] == ["1 MUTE"] * dynamic
    bench.proxy.modules["ndb_redis"].stop()
    first.close()


def test_a_sandbox_asks_nobody(fake: Fake) -> None:
    bench = _bench(fake)
    assert bench.request(STEP, [MUTE])[0] == [0]
    fake.take()
    fork: Any = bench.proxy.modules["ndb_redis"].fork(bench.proxy)
    bench.proxy.sandbox = True
    assert fork.reply(bench.run, "r") is not None
    assert fork.redis_cmd(bench.run, "srv", "MUTE", "other") == -1
    assert fork.redis_free(bench.run, "nothing") == -1
    assert fake.got == []
    bench.proxy.modules["ndb_redis"].stop()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("addr=127.0.0.1", "expects name=ID"),
        ("name=srv;addr=127.0.0.1;port=x", "are numbers"),
        ("name=srv;sentinel_group=g;sentinel=x", "HOST:PORT"),
        ("name=srv;addr=127.0.0.1;port=1", "cannot reach the server srv"),
    ],
)
def test_bad_servers(text: str, problem: str) -> None:
    with pytest.raises(ParamError, match=problem):
        Bench([f"ndb_redis:server={text}"])


def test_it_starts_without(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(["ndb_redis:server=name=srv;addr=127.0.0.1;port=1", "ndb_redis:init_without_redis=1"])
    assert bench.request(STEP, [MUTE])[0] == [-1]
    assert "starting without it" in caplog.text


def test_a_sentinel_says_where(fake: Fake) -> None:
    asked = socket.create_server(("127.0.0.1", 0))
    where = f"*2\r\n$9\r\n127.0.0.1\r\n${len(str(fake.port))}\r\n{fake.port}\r\n"
    replica = f"*1\r\n*4\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n${len(str(fake.port))}\r\n{fake.port}\r\n"

    def serve() -> None:
        for reply in (where, replica):
            sock, _ = asked.accept()
            with sock:
                sock.recv(4096)
                sock.sendall(reply.encode())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    for master in (1, 0):
        text = f"name=srv;sentinel_group=g;sentinel_master={master};sentinel=127.0.0.1:{asked.getsockname()[1]}"
        bench = Bench([f"ndb_redis:server={text}"])
        assert bench.request(STEP, [MUTE])[0] == [0]
        bench.proxy.modules["ndb_redis"].stop()
    thread.join(5)
    asked.close()
