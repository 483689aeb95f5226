"""What is unkind to a server with the agent: long code, odd messages, several shells, deaths at a bad moment."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kamailio.agents import look
from ksrshell import nodes
from ksrshell.session import Session, connect
from lab.agentserver import AgentServer, Phone
from lab.needs import need

SCRIPT = """
import time

import KSR


class kamailio:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.pv.get("$hdr(X-Block)"):
            time.sleep(1.5)
        KSR.sl.send_reply(200, "OK")
        return 1


def mod_init():
    return kamailio()

"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AgentServer]:
    need("kamailio", package="kamailio kamailio-python3-modules")
    monkeypatch.setattr(nodes, "LINGER", 0.3)
    monkeypatch.setenv("KSRSHELL_DIR", str(tmp_path / "server" / "run"))
    with AgentServer(tmp_path / "server", SCRIPT, log_level=1) as made:
        yield made


@pytest.fixture
def phone(server: AgentServer) -> Iterator[Phone]:
    made = Phone(server.address)
    yield made
    made.close()


def wait(true: Callable[[], Any]) -> None:
    end = time.monotonic() + 15
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def attach() -> Session:
    session = connect("held")
    wait(lambda: all(each["connected"] for each in session.call("ksr.workers")))
    return session


def _is_last(session: Session, message: bytes) -> bool:
    return bool(session.msgs) and session.msgs[-1].raw == message


def more(value: Any) -> str:
    return f"def ksr_more(self, msg):\n    return {value!r}\n"


def statuses(session: Session) -> set[str]:
    return {each["status"] for each in session.call("ksr.workers")}


def test_a_megabyte_of_code(server: AgentServer) -> None:
    """It does not fit into a socket at once: the workers read it in parts, idle as they are."""
    with attach() as session:
        session.swap(
            more("x" * 1_000_000),
        )
        wait(lambda: statuses(session) == {"applied"})
        session.rollback()
        wait(lambda: statuses(session) == {"applied"})


def test_a_worker_that_is_busy_changes_afterwards(server: AgentServer, phone: Phone) -> None:
    with attach() as session:
        phone.send("OPTIONS", "slow", more="X-Block: 1")
        time.sleep(0.1)  # a worker has it
        began = time.monotonic()
        for number in range(3):
            session.swap(more(number))
        assert time.monotonic() - began < 10
        assert phone.get(5).startswith("SIP/2.0 200")
        wait(lambda: statuses(session) == {"applied"})


def test_messages_that_are_long_or_not_text(server: AgentServer, phone: Phone) -> None:
    phone.sock.settimeout(5)
    with attach() as session:
        # Kamailio 6.1 and later drop what is longer than msg_recv_max_size (32767) before any callback.
        for callid, rest in (("long", b"x" * 30_000), ("o\xffdd", b"\xff\xfe\x00\r\n\r\n\x80")):
            message = (
                f"MESSAGE sip:\xfcb@{server.address} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:{phone.port};branch=z9hG4bK1\r\n"
                f'From: "\xff\xe9" <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: {callid}\r\nCSeq: 1 MESSAGE\r\n'
                f"Max-Forwards: 9\r\nX: \x01\xff\r\nContent-Length: {len(rest)}\r\n\r\n"
            ).encode("latin-1") + rest
            phone.sock.sendto(message, phone.server)
            assert phone.sock.recv(65535).startswith(b"SIP/2.0 200")
            wait(partial(_is_last, session, message))
            session.hold("ksr_request_route", once=True)
            phone.sock.sendto(message, phone.server)
            wait(lambda: session.held)
            assert session.held[0].message.raw == message
            session.held[0].resume()
            phone.sock.recv(65535)


def test_four_shells_swap_at_once(server: AgentServer) -> None:
    problems: list[BaseException] = []

    def work(shell: int) -> None:
        try:
            with connect("held") as session:
                for number in range(5):
                    session.swap(more((shell, number)))
                    assert len(session.msgs) >= 0
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(shell,)) for shell in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with attach() as session:
        assert len(session.versions("ksr_more").to_json()) == 20
        wait(lambda: statuses(session) == {"applied"})


def test_the_node_dies_in_a_swap(server: AgentServer) -> None:
    """The next one brings all workers to one state."""
    with attach() as session:
        session.swap(more(0))
        node = session.hello["node"]
        killer = threading.Timer(0.2, os.kill, (node, signal.SIGKILL))
        killer.start()
        with pytest.raises(Exception, match="went away|closed"):
            for number in range(1, 10_000):
                session.swap(more(number))
        killer.join()
    with attach() as session:
        wait(lambda: statuses(session) == {"applied"})
        versions = session.versions("ksr_more").to_json()
        assert versions[-1]["current"]
        session.swap(more("last"))
        wait(lambda: statuses(session) == {"applied"})


def test_a_worker_is_killed_while_it_holds(server: AgentServer, phone: Phone) -> None:
    """Kamailio ends as a whole, as it does without the agent; who is attached is told."""
    with attach() as session:
        said: list[dict[str, Any]] = []
        session.client.on_event.append(said.append)
        session.client.subscribe("reload", "held", "released")
        session.hold("ksr_request_route", once=True)
        phone.send("OPTIONS", "held")
        wait(lambda: session.held)
        os.kill(session.call("ksr.hold.held")[0]["worker"], signal.SIGKILL)
        wait(lambda: [each["event"] for each in said] == ["held", "released", "reload"])
        assert (said[1]["reason"], said[2]["text"].partition(";")[0]) == (
            "its worker has gone", "the server has ended",
        )  # fmt: skip
    wait(lambda: server.process is not None and server.process.poll() is not None)
    server.process = None  # its end was meant


def test_the_folder_is_removed(server: AgentServer, phone: Phone) -> None:
    """The server serves on, and who is attached stays so."""
    with attach() as session:
        for path in server.folder.iterdir():
            path.unlink()
        server.folder.rmdir()
        session.swap(more(1))
        wait(lambda: statuses(session) == {"applied"})
        phone.send("OPTIONS", "on")
        assert phone.get().startswith("SIP/2.0 200")
        wait(lambda: len(session.msgs) == 1)
    for number in range(8):
        phone.send("OPTIONS", f"n{number}")
        assert phone.get().startswith("SIP/2.0 200")
    assert not look(server.folder).alive
