"""The lab's own rules: what is skipped, what is a failure, what is left behind."""

import socket
import sys
import time
from pathlib import Path

import pytest

from lab import needs
from lab.database import make_database, users_csv
from lab.kamailio import KamailioServer
from lab.ports import free_port, is_bound, is_free
from lab.server import Server, ServerFailed
from lab.servers import chosen
from lab.sipp import Sipp, SippResult


def test_need_skips_with_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KSR_NO_SKIP", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install sip-tester"):
        needs.need("no-such-program", package="sip-tester")


def test_need_fails_where_nothing_may_be_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KSR_NO_SKIP", "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install sip-tester"):
        needs.need("no-such-program", package="sip-tester")
    with pytest.raises(pytest.fail.Exception, match="apt-get install kamailio"):
        needs.need_file(tmp_path / "absent", package="kamailio")


def test_need_gives_the_path() -> None:
    assert Path(needs.need("sh", package="dash")).name == "sh"


def test_ports_are_free_and_never_given_twice() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", ports[0]))
        assert is_bound(ports[0])
        assert not is_free(ports[0])
    assert not is_bound(ports[0])
    assert is_free(ports[0])


def test_unknown_lab_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSR_LAB", "asterisk")
    with pytest.raises(ValueError, match="expected one of embedded, kamailio, both"):
        chosen()


class ShellServer(Server):
    """A server that is a Python program given as text."""

    kind = "shell"
    program = "raise SystemExit('cannot open its port')"

    def command(self) -> list[str]:
        return [sys.executable, "-c", self.program]


def test_server_that_ends_says_why(tmp_path: Path) -> None:
    server = ShellServer(tmp_path, tmp_path / "db", tmp_path / "script")
    with pytest.raises(ServerFailed, match=r"exit code 1[\s\S]*cannot open its port"):
        server.start()
    assert server.pids() == []


class StubbornServer(ShellServer):
    """Starts a child and ignores SIGTERM; both must be gone all the same."""

    kind = "stubborn"
    program = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork(); print('up', flush=True); "
        "time.sleep(60)"
    )

    def answers(self, timeout: float = 0.1, user: str = "") -> bool:
        time.sleep(0.01)
        return self.log.count("up") == 2


def test_stop_leaves_no_process(tmp_path: Path) -> None:
    server = StubbornServer(tmp_path, tmp_path / "db", tmp_path / "script")
    server.start()
    pids = server.pids()
    assert len(pids) == 2
    assert server.cpu_ns() > 0
    assert server.rss_kib() > 0
    with pytest.raises(ServerFailed, match="had to be killed"):
        server.stop(timeout=0.1)
    deadline = time.monotonic() + 2
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    """False for a zombie, too: an orphan may wait for init to collect it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_kamailio_leaves_nothing(tmp_path: Path) -> None:
    needs.need("kamailio", package="kamailio kamailio-python3-modules kamailio-sqlite-modules")
    needs.need_file(needs.STOCK_SCRIPT, package="kamailio")
    database = make_database(tmp_path / "kamailio.db", users=1)
    with KamailioServer(tmp_path / "server", database) as server:
        pids = server.pids()
        assert server.answers(timeout=1)
    assert not any(_runs(pid) for pid in pids)
    assert is_free(server.port)
    left = {path.name for path in (tmp_path / "server").iterdir()}
    assert left <= {"kamailio.cfg", "kamailio.log"}, left


def test_sipp_failure_is_explained(tmp_path: Path) -> None:
    needs.need("sipp", package="sip-tester")
    users = users_csv(tmp_path / "users.csv", ["u000"])
    # Nobody is at this port: SIPp's call fails.
    result = Sipp(tmp_path, "options", f"127.0.0.1:{free_port()}", csv_file=users, timeout=1).run()
    assert result.exit_code != 0
    with pytest.raises(AssertionError, match=r"expected 1 clean calls: sipp options: exit code [\s\S]*errors.log"):
        result.check(1)


def test_a_retransmission_is_not_clean() -> None:
    fine = {"scenario": "uac", "exit_code": 0, "failed": 0, "unexpected": 0, "response_ms": 0.0, "details": ""}
    SippResult(ok=3, retransmissions=0, repeated=0, **fine).check(3)  # type: ignore[arg-type]
    for counts in ({"retransmissions": 1, "repeated": 0}, {"retransmissions": 0, "repeated": 1}):
        with pytest.raises(AssertionError):
            SippResult(ok=3, **counts, **fine).check(3)  # type: ignore[arg-type]
