"""With the module sipdump a node has what no callback sees: the server's own replies, and what its timers repeat."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kamailio.agents import look
from ksrcore.kamailio.rpcclient import RpcClient, Target
from ksrshell.session import Session
from lab.agentserver import AgentServer, Phone
from lab.needs import need

SCRIPT = """
import KSR


class kamailio:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        method = KSR.pv.get("$rm")
        if method == "OPTIONS":
            KSR.sl.send_reply(200, "OK")
        elif method == "INVITE":
            KSR.tm.t_newtran()
            KSR.tm.t_reply(486, "Busy")
        elif method == "MESSAGE":
            KSR.pv.sets("$du", "sip:127.0.0.1:" + KSR.pv.get("$hdr(X-At)"))
            KSR.tm.t_relay()
        return 1


def mod_init():
    return kamailio()

"""


class DumpServer(AgentServer):
    def config(self) -> str:
        return super().config().replace('loadmodule "jsonrpcs.so"', 'loadmodule "jsonrpcs.so"\nloadmodule "sipdump.so"')


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AgentServer]:
    need("kamailio", package="kamailio kamailio-python3-modules")
    modparams = (("sipdump", "mode", 2), ("sipdump", "event_callback", "ksr_sipdump_event"), ("tm", "retr_timer1", 100))
    with DumpServer(tmp_path / "server", SCRIPT, modparams=modparams) as made:
        yield made


def enabled(server: AgentServer) -> int:
    rpc = RpcClient([Target("dgram", f"{server.directory}/rpc.sock")])
    return int(rpc.call("sipdump.enable", [])["newval"])


def wait(true: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def ready(session: Session) -> None:
    wait(lambda: all(each["connected"] for each in session.call("ksr.workers")))


def kinds(session: Session, callid: str) -> list[tuple[bool, int | str | None]]:
    return [(m.out, m.status or m.method) for m in session.msgs.where(f'callid == "{callid}"')]


def test_what_the_server_sends_itself(server: AgentServer) -> None:
    phone, far = Phone(server.address), Phone(server.address)
    try:
        assert enabled(server) == 0
        with server.attached() as session:
            ready(session)
            assert enabled(server) == 1
            phone.send("OPTIONS", "own")
            reply = phone.get()
            wait(lambda: len(kinds(session, "own")) == 2)
            request, sent = session.msgs.where('callid == "own"')
            assert (sent.out, sent.status, sent.raw) == (True, 200, reply.encode())
            assert (sent.src, sent.dst) == (server.address, f"127.0.0.1:{phone.port}")
            assert [each.id for each in session.flow(request).messages] == [request.id, sent.id]
            # By a transaction, and again by a timer, since nobody acknowledges it.
            phone.send("INVITE", "busy")
            # (Kamailio 6.2-dev repeats no reply after t_newtran().)
            again = [] if str(session.hello["version"]).startswith("6.2") else [(True, 486)]
            wait(lambda: kinds(session, "busy")[:3] == [(False, "INVITE"), (True, 486), *again])
            # What the onsend route has told is not told twice, and has its bytes.
            phone.send("MESSAGE", "pass", at=far.port, more="X-Text: \u00fc")
            relayed = far.get()
            far.reply(relayed, 200)
            while not phone.get().startswith("SIP/2.0 200"):
                pass
            wait(lambda: len(kinds(session, "pass")) >= 4)
            assert kinds(session, "pass") == [(False, "MESSAGE"), (True, "MESSAGE"), (False, 200), (True, 200)]
            assert session.msgs.where('callid == "pass" and out')[0].raw == relayed.encode()
        wait(lambda: enabled(server) == 0)
    finally:
        phone.close()
        far.close()


def test_the_node_is_killed(server: AgentServer) -> None:
    phone = Phone(server.address)
    try:
        with server.node_process() as (process, _):
            wait(lambda: enabled(server) == 1)
            wait(lambda: any(proc.linked for proc in look(server.folder).procs))
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            for number in range(20):
                phone.send("OPTIONS", f"k{number}")
                assert phone.get().startswith("SIP/2.0 200")
            wait(lambda: enabled(server) == 0)
        # A node that finds it still on, by another that was killed, switches it off in the end.
        RpcClient([Target("dgram", f"{server.directory}/rpc.sock")]).call("sipdump.enable", [1])
        assert (server.folder / "sipdump").exists()
        with server.attached() as session:
            ready(session)
        wait(lambda: enabled(server) == 0)
        assert not (server.folder / "sipdump").exists()
        # Whoever has it on keeps it.
        RpcClient([Target("dgram", f"{server.directory}/rpc.sock")]).call("sipdump.enable", [1])
        with server.attached() as session:
            ready(session)
        wait(lambda: not look(server.folder).attached)
        assert enabled(server) == 1
    finally:
        phone.close()
