"""Captures of real traffic: what tcpdump, SIPp and Kamailio wrote, replayed; what we wrote, read by tshark.

``KSR_LAB=kamailio`` captures a real Kamailio: then its doings are what the replayed script is held against.
"""

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ksrshell
from ksrcore.capture.captured import Captured
from ksrcore.capture.hep import decode
from ksrcore.capture.reader import CaptureFile
from ksrcore.net.address import parse_listen
from ksrcore.replay.result import Summary
from ksrcore.replay.run import replay
from ksrcore.store.database import Database
from lab.calls import Caller
from lab.database import make_database
from lab.embedded import STOCK_MODPARAMS, EmbeddedServer
from lab.kamailio import KamailioServer
from lab.needs import STOCK_SCRIPT, need, need_file
from lab.ports import free_port
from lab.server import Server
from lab.tcpdump import capturing

SHORT_TIMERS = (("tm", "fr_timer", 1000), ("tm", "fr_inv_timer", 1400))


def replayed(path: Path, server: Server, folder: Path, **options: object) -> Summary:
    """The stock script on a capture of it, with a database as the server began with."""
    params = {(module, name): value for module, name, value in (*STOCK_MODPARAMS, *SHORT_TIMERS)}
    fresh = make_database(folder / f"fresh-{path.name}.db")
    with Database.open(f"sqlite:///{fresh}") as db:
        return replay(
            path,
            str(STOCK_SCRIPT),
            listens=[parse_listen(f"{proto}:{server.address}") for proto in ("udp", "tcp")],
            aliases=[server.domain],
            modparams=[f"{module}:{name}={value}" for (module, name), value in params.items()],
            db=db,
            **options,  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(("transport", "interface"), [("udp", "lo"), ("udp", "any"), ("tcp", "lo")])
def test_calls_captured_by_tcpdump(caller: Caller, tmp_path: Path, transport: str, interface: str) -> None:
    path = tmp_path / "calls.pcap"
    # All ports of the lab: over TCP the proxy's way to the callee begins at any port.
    ports = f"port {caller.server.port}" if transport == "udp" else "tcp portrange 20000-32000"
    for _ in range(3):
        with capturing(path, ports, interface=interface) as missed:
            caller.run("options", transport)
            caller.run("unknown_user", transport)
            caller.call("uac", "uas", transport)
            caller.call("uac_busy", "uas_busy", transport)
            caller.call("uac_cancel", "uas_canceled", transport)
        if not any(missed):
            break
    summary = replayed(path, caller.server, tmp_path)
    told = [f"{each.title}: {each.outcome} {each.differences}" for each in summary.results]
    assert summary.raised == [], told
    assert summary.differing == [], told
    outcomes = [
        f"{each.title.split()[0]} {re.sub(r'[a-z]+:[0-9.]+:[0-9]+', 'X', each.outcome)}" for each in summary.results
    ]
    for expected in (
        "OPTIONS replied 200",
        "INVITE replied 404",
        "REGISTER replied 200",
        "INVITE replied 100, relayed to X",
        "180 passed on to X",
        "200 passed on to X",
        "486 sent ACK to X, passed on to X",
        "INVITE replied 100, relayed to X, sent CANCEL to X",
        "CANCEL replied 200",
        "487 sent ACK to X, passed on to X",
        "ACK nothing sent",
        "ACK relayed to X",
        "BYE relayed to X",
    ):
        assert any(each.startswith(expected) for each in outcomes), "\n".join([expected, "", *sorted(set(outcomes))])


def test_sipps_own_trace(caller: Caller, tmp_path: Path) -> None:
    trace = tmp_path / "messages.log"
    caller.run("options", extra=["-trace_msg", "-message_file", str(trace)])
    summary = replayed(trace, caller.server, tmp_path)
    assert [each.outcome for each in summary.results] == ["replied 200"]
    assert summary.differing == []


def rows(tshark: str, path: Path, *options: str) -> list[list[str]]:
    command = [tshark, "-r", str(path), *options, "-T", "fields", "-e", "sip.Method", "-e", "sip.Status-Code"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_saved_at_the_prompt_and_mirrored_as_hep(tmp_path: Path) -> None:
    """A live proxy: its capture saved and opened by tshark, its traffic mirrored to a collector and dissected."""
    tshark = need("tshark", package="tshark")
    need("sipp", package="sip-tester")
    need_file(STOCK_SCRIPT, package="kamailio")
    collector = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    collector.bind(("127.0.0.1", 0))
    collector.settimeout(5)
    port = collector.getsockname()[1]

    class Mirrored(EmbeddedServer):
        def command(self) -> list[str]:
            return [*super().command(), "--hep-send", f"udp:127.0.0.1:{port}"]

    with Mirrored(tmp_path / "server", make_database(tmp_path / "x.db")) as server:
        path = tmp_path / "hep.pcap"
        with capturing(path, f"udp port {port}"):
            caller = Caller(server, tmp_path / "sipp")
            caller.call("uac", "uas")
            caller.call("uac", "uas", "tcp")
        with ksrshell.connect(str(server.control)) as session:
            messages = list(session.msgs)
            saved = session.msgs.save(tmp_path / "x.pcapng")
            session.msgs.save(tmp_path / "x.pcap", mask=True)
            loaded = session.load(tmp_path / "x.pcapng")
            assert [(m.raw, m.out) for m in loaded] == [(m.raw, m.out) for m in messages]
    assert saved.count == len(messages)
    expected = [m.method if m.is_request else str(m.status) for m in messages]
    for name in ("x.pcapng", "x.pcap"):
        found = [method or status for method, status in rows(tshark, tmp_path / name) if method or status]
        assert found == expected
    mirrored = list(CaptureFile(path))
    # The first ones were OPTIONS of the lab, before tcpdump ran.
    assert [m.data for m in mirrored] == [m.raw for m in messages[-len(mirrored) :]]
    assert len(mirrored) > 30
    first = decode(collector.recv(65535)).message
    assert isinstance(first, Captured)
    assert first.data == messages[0].raw
    collector.close()


SIPTRACE = """
loadmodule "siptrace.so"
loadmodule "sipdump.so"
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_mode", 1)
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", {version})
modparam("siptrace", "duplicate_uri", "sip:127.0.0.1:{port}")
modparam("sipdump", "enable", 1)
modparam("sipdump", "mode", 5)
modparam("sipdump", "folder", "{folder}")
"""


@pytest.mark.parametrize("version", [2, 3])
def test_hep_and_sipdump_of_a_real_kamailio(tmp_path: Path, version: int) -> None:
    need("sipp", package="sip-tester")
    hep_port = free_port()
    dumps = tmp_path / "dumps"
    dumps.mkdir()

    class Traced(KamailioServer):
        def config(self) -> str:
            text = super().config()
            marker = "\n#!ifdef WITH_CFGPYTHON\nmodparam("
            assert marker in text
            added = SIPTRACE.format(version=version, port=hep_port, folder=dumps)
            return text.replace(marker, f"{added}{marker}", 1)

    class Collecting(EmbeddedServer):
        def command(self) -> list[str]:
            return [*super().command(), "--hep", f"udp:127.0.0.1:{hep_port}"]

    with (
        Collecting(tmp_path / "ours", make_database(tmp_path / "ours.db")) as ours,
        Traced(tmp_path / "theirs", make_database(tmp_path / "theirs.db")) as theirs,
    ):
        caller = Caller(theirs, tmp_path / "sipp")
        caller.call("uac", "uas")
        with ksrshell.connect(str(ours.control)) as session:
            wanted = 'origin == "HEP from 127.0.0.1" and method == "BYE" and not is_request'
            deadline = time.monotonic() + 5
            while len(session.msgs.where(wanted)) < 2 and time.monotonic() < deadline:
                time.sleep(0.05)
            found = list(session.msgs.where('origin != ""'))
            invite = next(m for m in found if m.method == "INVITE" and m.is_request and not m.out)
            assert invite.dst == theirs.address
            assert "ksr_request_route" in repr(session.step(invite))
            ladder = session.flow(invite)
            assert [m.out for m in ladder.messages][:3] == [False, True, True]
            assert session.stats["transactions"] == 0
            session.msgs.where('origin != ""').save(tmp_path / "hep.pcapng")
    (text,) = dumps.glob("*.data")
    (binary,) = dumps.glob("*.pcap")
    for path in (tmp_path / "hep.pcapng", text, binary):
        summary = replayed(path, theirs, tmp_path)
        assert summary.raised == []
        assert summary.differing == [], [f"{r.title}: {r.outcome} {r.differences}" for r in summary.differing]
        assert len(summary.results) >= 8
    assert [m.data for m in CaptureFile(text)] == [m.data for m in CaptureFile(binary)]


def test_the_command_on_a_capture(caller: Caller, tmp_path: Path) -> None:
    with capturing(tmp_path / "x.pcap", f"port {caller.server.port}"):
        caller.run("options")
    command = [sys.executable, "-m", "ksrshell", "replay", str(tmp_path / "x.pcap"), str(STOCK_SCRIPT), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["proxy"] == caller.server.address
    assert [each["outcome"] for each in data["results"]] == ["replied 200"]
