"""The client of the control channel, against an in-process proxy."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from ksrshell import client as client_module
from ksrshell.client import Client, open_socket
from ksrshell.errors import AttachError, Disconnected, NoAnswer, RemoteError
from shell.fake import FakeProxy


def test_hello_is_known_after_connecting(client: Client) -> None:
    assert client.name == "fake"
    assert client.hello["listens"] == ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]
    assert client.process == 1


def test_call(client: Client, fake: FakeProxy) -> None:
    assert client.call("core.echo", ["a", 1]) == ["a", 1]
    assert fake.asked[-1] == ("core.echo", ["a", 1])


def test_big_answers_and_text_that_is_not_ascii_cross(client: Client) -> None:
    text = "caf\u00e9 \u20ac" * 300_000
    assert client.call("core.echo", [text]) == [text]


def test_errors_are_typed(client: Client) -> None:
    with pytest.raises(RemoteError, match="^unknown method 'no.such'$") as caught:
        client.call("no.such")
    assert caught.value.code == -32601
    with pytest.raises(RemoteError) as caught:
        client.call("ksr.swap", {"source": "x", "who": "me"})
    assert (caught.value.code, caught.value.type) == (1, "ScriptError")
    assert "boom" in caught.value.traceback


def test_no_answer_in_time(client: Client, fake: FakeProxy) -> None:
    let_go = threading.Event()
    fake.methods["slow"] = lambda p: let_go.wait(5.0)
    with pytest.raises(NoAnswer, match=r"fake did not answer slow within 0.05 s"):
        client.call("slow", timeout=0.05)
    let_go.set()
    assert client.call("core.echo", []) == []  # the late answer is thrown away


def test_threads_share_a_client(client: Client) -> None:
    got: dict[int, Any] = {}
    threads = [threading.Thread(target=lambda n=n: got.update({n: client.call("core.echo", [n])})) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5.0)
    assert got == {n: [n] for n in range(8)}


def test_events(client: Client, fake: FakeProxy) -> None:
    came: list[Any] = []
    arrived = threading.Event()

    def broken(event: dict[str, Any]) -> None:
        raise ValueError("a listener's defect")

    def listener(event: dict[str, Any]) -> None:
        came.append(event)
        arrived.set()

    client.on_event += [broken, listener]
    client.subscribe("message", "swap")
    fake.event(event="swap", swapped=[])
    assert arrived.wait(5.0)
    assert came == [{"event": "swap", "swapped": []}]
    assert client.call("core.echo", [1]) == [1]


def test_the_next_call_reconnects(client: Client, fake: FakeProxy) -> None:
    said: list[tuple[str, bool]] = []
    lost = threading.Event()
    client.on_lost = lambda text: lost.set()
    client.on_back = lambda text, same: said.append((text, same))
    client.subscribe("swap")
    fake.drop()
    assert lost.wait(5.0)
    assert not client.connected
    assert client.call("core.echo", [2]) == [2]
    assert said == [("reconnected to fake", True)]
    assert client.process == 1
    assert fake.asked.count(("ksr.subscribe", {"events": ["swap"]})) == 2


def test_a_call_that_waits_when_the_proxy_dies(client: Client, fake: FakeProxy) -> None:
    fake.methods["die"] = lambda p: fake.drop()
    with pytest.raises(Disconnected, match="the proxy fake went away"):
        client.call("die")


def test_a_dead_proxy_and_then_a_new_one(runtime: Path) -> None:
    path = runtime / "p.sock"
    lost = threading.Event()
    with FakeProxy(path) as first, Client(path) as client:
        client.on_lost = lambda text: lost.set()
        first.close()
        assert lost.wait(5.0)
        with pytest.raises(Disconnected, match="there is no such socket"):
            client.call("ksr.stats")
        with FakeProxy(path, started=5.0):
            same: list[bool] = []
            client.on_back = lambda text, is_same: same.append(is_same)
            assert client.call("core.echo", [3]) == [3]
            assert same == [False]
            assert client.process == 2


def test_a_persistent_client_comes_back_by_itself(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "RETRY", 0.01)
    path = runtime / "p.sock"
    back = threading.Event()
    with FakeProxy(path) as first, Client(path, persistent=True) as client:
        client.on_back = lambda text, same: back.set()
        first.close()
        with FakeProxy(path):
            assert back.wait(5.0)
            assert client.call("core.echo", [3]) == [3]


def test_closing_is_final_and_idempotent(client: Client) -> None:
    client.close()
    client.close()
    with pytest.raises(Disconnected, match="the connection to fake was closed"):
        client.call("ksr.stats")
    assert not [thread for thread in threading.enumerate() if thread.name == "ksrshell-client"]


@pytest.mark.parametrize(("make", "text"), [(False, "there is no such socket"), (True, "stale, nobody listens")])
def test_nobody_there(runtime: Path, make: bool, text: str) -> None:
    path = runtime / "x.sock"
    if make:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(path))
    with pytest.raises(Disconnected, match=text):
        Client(path)


def test_something_else_listens(runtime: Path) -> None:
    path = runtime / "x.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"220 mail ready\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Disconnected, match="does not speak ksrshell's control protocol"):
            Client(path)
        thread.join(5.0)


def test_somebody_elses_proxy_is_refused(fake: FakeProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(AttachError, match=r"runs as .*: attach as that user"):
        Client(fake.path)


def test_a_path_too_long_for_a_socket_address(tmp_path: Path, runtime: Path) -> None:
    folder = tmp_path / ("d" * 90)
    folder.mkdir()
    with FakeProxy(runtime / "short.sock") as fake:
        long = folder / "a-rather-long-name.sock"
        os.link(fake.path, long)
        open_socket(long).close()
