"""``ksrshell serve`` as a process: ready, stop, and each way of not starting: one line, status 1, nothing left."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.ports import free_port

SCRIPT = "import KSR\n\ndef ksr_request_route(msg):\n    KSR.sl.send_reply(200, 'OK')\n    return 1\n"


class Place:
    """A folder of its own with a script; every start uses it alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "routes.py"
        self.script.write_text(SCRIPT)
        self.port = free_port()
        self.env = {**os.environ, "XDG_RUNTIME_DIR": str(folder / "run"), "XDG_STATE_HOME": str(folder / "state")}
        (folder / "run").mkdir(mode=0o700)
        self.processes: list[subprocess.Popen[str]] = []

    @property
    def control(self) -> Path:
        return self.folder / "run" / "ksrshell" / "routes.sock"

    def start(self, *options: str, script: str = "") -> subprocess.Popen[str]:
        listen = ["--listen", f"udp:127.0.0.1:{self.port}"] if "--listen" not in options else []
        command = [sys.executable, "-m", "ksrshell", "serve", script or str(self.script), *listen, *options]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.env, cwd=self.folder
        )
        self.processes.append(process)
        return process

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def refused(self, *options: str, script: str = "") -> str:
        """Start, expect it to end with status 1 and one line; the line."""
        process = self.start(*options, script=script)
        out, err = process.communicate(timeout=20)
        lines = [line for line in err.splitlines() if line.startswith("Error: ")]
        assert (process.returncode, out, len(lines)) == (1, "", 1), err
        assert "Traceback" not in err
        assert not self.control.exists()
        return lines[0].removeprefix("Error: ")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def ready(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def options_answer(port: int) -> str:
    text = (
        f"OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:1;rport;branch=z9hG4bK1\r\n"
        "From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(text.encode(), ("127.0.0.1", port))
        return sock.recv(4096).decode().split("\r\n")[0]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_is_ready_answers_and_ends_on_a_signal(place: Place, signum: signal.Signals) -> None:
    process = place.start()
    try:
        assert ready(process) == ["ready", "routes", str(place.control)]
        assert options_answer(place.port) == "SIP/2.0 200 OK"
        process.send_signal(signum)
        _, err = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err
    assert not place.control.exists()


def test_a_missing_script(place: Place) -> None:
    assert place.refused(script="gone.py") == "gone.py: cannot read the script: No such file or directory"


def test_a_script_that_does_not_compile(place: Place) -> None:
    place.script.write_text("def ksr_request_route(msg)\n")
    assert place.refused() == f"{place.script}:1: does not compile: expected ':'"


def test_a_script_of_another_language(place: Place) -> None:
    assert "scripts end in .py" in place.refused(script="routes.pl")


def test_a_taken_port(place: Place) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", place.port))
        line = place.refused()
    assert f"udp:127.0.0.1:{place.port}" in line


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("tm:fr_timr=1", "module tm has no parameter 'fr_timr'; it has:"),
        ("tmm:fr_timer=1", "no module 'tmm'"),
        ("tm:fr_timer=soon", "modparam tm:fr_timer expects an integer, got 'soon'"),
        ("fr_timer=1", "modparam expects MODULE:NAME=VALUE"),
    ],
)
def test_a_parameter_that_is_not_there(place: Place, option: str, text: str) -> None:
    assert text in place.refused("--modparam", option)


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:5060", "udp:nowhere.example:5060", "udp:127.0.0.1:99999", "tls:127.0.0.1:5061"]
)
def test_a_listen_address_that_cannot_be_used(place: Place, listen: str) -> None:
    assert place.refused("--listen", listen)


def test_aliases_that_no_host_can_have(place: Place) -> None:
    assert place.refused("--alias", ";") == (
        "bad alias ';'; expected a domain such as example.com, or udp:example.com:5060"
    )
    assert "no host in ''" in place.refused("--alias", "")
    assert "bad port '99999'" in place.refused("--alias", "a.example:99999")


@pytest.mark.parametrize("option", ["--db", "--control"])
def test_folders_are_not_made(place: Place, option: str) -> None:
    path = place.folder / "no" / "such" / "file"
    assert f"{path.parent} does not exist; create it first" in place.refused(option, str(path))
    assert not (place.folder / "no").exists()


def test_a_name_that_cannot_be_a_file(place: Place) -> None:
    assert "--name is a word" in place.refused("--name", "../x")


def test_a_locked_database(place: Place) -> None:
    path = place.folder / "locked.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("create table x (y)")
    holder.execute("begin exclusive")
    try:
        assert str(path) in place.refused("--db", str(path))
    finally:
        holder.close()


def test_a_database_that_cannot_be_written(place: Place) -> None:
    (place.folder / "a-folder.db").mkdir()
    assert "a-folder.db" in place.refused("--db", str(place.folder / "a-folder.db"))


def test_a_file_that_is_no_database(place: Place) -> None:
    path = place.folder / "text.db"
    path.write_text("this is no database, it is a text that is long enough to be looked at" * 20)
    assert "text.db" in place.refused("--db", str(path))
    assert path.read_text().startswith("this is no database")


def test_another_kind_of_database(place: Place) -> None:
    assert "SQLite" in place.refused("--db", "mysql://kamailio@localhost/kamailio")


def test_a_second_proxy_of_the_same_name(place: Place) -> None:
    first = place.start()
    try:
        assert ready(first)[0] == "ready"
        second = place.start("--listen", f"udp:127.0.0.1:{free_port()}")
        _, err = second.communicate(timeout=20)
        assert second.returncode == 1
        assert "a proxy named 'routes' is already running" in err
        assert len(err.splitlines()) == 1  # before the script ran
        assert options_answer(place.port) == "SIP/2.0 200 OK"
    finally:
        first.terminate()
        first.communicate(timeout=10)


def test_a_folder_as_script(place: Place) -> None:
    assert ".: cannot read the script: it is a directory" in place.refused(script=".")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--listen", "udp:127.0.0.1:0", "--name", "a/b", "-c", "1"], "--name is a word without '/', got 'a/b'"),
        (["--listen", "nonsense", "-c", "1"], "listen address 'nonsense'"),
        ([], "the shell needs a terminal"),
    ],
)
def test_run_that_cannot_start_leaves_nothing(place: Place, options: list[str], expected: str) -> None:
    command = [sys.executable, "-m", "ksrshell", "run", str(place.script), *options]
    done = subprocess.run(
        command, env=place.env, cwd=place.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 1
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(place.folder.glob("state/ksrshell/*.log")) == []


def test_a_control_socket_of_somebody_else(place: Place) -> None:
    path = place.folder / "run" / "theirs.sock"
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(path))
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 12345, 12345)
    assert "belongs to user 12345" in place.refused("--control", str(path))
    assert path.exists()


def test_what_kill_minus_nine_leaves_is_no_obstacle(place: Place) -> None:
    first = place.start()
    assert ready(first)[0] == "ready"
    first.kill()
    first.communicate(timeout=10)
    assert place.control.exists()
    again = place.start()
    try:
        assert ready(again)[0] == "ready"
    finally:
        again.terminate()
        again.communicate(timeout=10)


def test_open_transactions_do_not_hold_it_up_for_long(place: Place) -> None:
    nobody = free_port()
    lines = [
        "import KSR",
        "def ksr_request_route(msg):",
        f"    KSR.seturi('sip:x@127.0.0.1:{nobody}')",
        "    KSR.sl.send_reply(100, 'Going')",
        "    KSR.tm.t_relay()",
    ]
    place.script.write_text("\n".join(lines))
    process = place.start()
    assert ready(process)[0] == "ready"
    assert options_answer(place.port) == "SIP/2.0 100 Going"
    started = time.monotonic()
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 0
    assert time.monotonic() - started < 8


# -- parameters that concern sockets, and HTTP ------------------------------------------------------------------------

HTTP = """
import KSR

def ksr_request_route(msg):
    KSR.sl.send_reply(200, "OK")
    return 1

def ksr_xhttp_event(msg, evname):
    url, body = KSR.pv.get("$hu"), KSR.pv.get("$rb")
    if url == "/boom":
        raise KeyError(url)
    if url == "/close":
        KSR.set_reply_close()
    KSR.xhttp.xhttp_reply(200, "OK", "text/plain", f"{KSR.pv.get('$rm')} {url} {body} {KSR.pv.get('$sid')}")
    return 1
"""


def http_place(place: Place, *options: str) -> int:
    """A proxy that answers HTTP on a TCP port; the port."""
    place.script.write_text(HTTP)
    event = "xhttp:event_callback=ksr_xhttp_event"
    listen = f"tcp:127.0.0.1:{place.port}"
    process = place.start("--listen", listen, "--modparam", event, *options)
    assert ready(process)[0] == "ready"
    return place.port


def ask(client: http.client.HTTPConnection, method: str, url: str, **more: Any) -> tuple[int, str]:
    client.request(method, url, **more)
    response = client.getresponse()
    return response.status, response.read().decode()


def test_http_over_tcp(place: Place) -> None:
    port = http_place(place, "--modparam", "core:tcp_accept_no_cl=yes", "--modparam", "core:server_id=7")
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    assert ask(client, "GET", "/a?b=c") == (200, "GET /a?b=c  7")
    sock = client.sock
    assert ask(client, "POST", "/p", body=b"text") == (200, "POST /p text 7")
    assert ask(client, "PUT", "/q", body=iter((b"in ", b"chunks"))) == (200, "PUT /q in chunks 7")
    assert ask(client, "GET", "/boom") == (500, "")
    assert client.sock is sock  # one connection for all
    # SIP on the same connection, an HTTP request behind it in one packet.
    sip = (
        "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
        "To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    sock.sendall(f"{sip}PUT /w HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n".encode())
    got = read_until(sock, b"100 Continue\r\nContent-Length: 0\r\n\r\n")
    assert got.startswith(b"SIP/2.0 200 OK\r\n")
    sock.sendall(b"xy")
    assert read_until(sock, b"PUT /w xy 7").startswith(b"HTTP/1.1 200 OK\r\nSia: SIP/2.0/TCP 127.0.0.1:")
    assert ask(client, "GET", "/close") == (200, "GET /close  7")
    assert sock.recv(1) == b""
    client.close()


def read_until(sock: socket.socket, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        chunk = sock.recv(65536)
        assert chunk, got
        got += chunk
    return got


def test_http_without_content_length_needs_the_parameter(place: Place) -> None:
    port = http_place(place, "--modparam", "core:tcp_rd_buf_size=600")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(100) == b""
    # The size of the read buffer is the proxy's, not the default.
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nContent-Length: 0\r\nX: " + b"x" * 600)
        assert sock.recv(100) == b""


def test_a_global_parameter_that_is_not_there(place: Place) -> None:
    assert "module core has no parameter 'children'; it has:" in place.refused("--modparam", "core:children=4")
    assert "expects yes or no" in place.refused("--modparam", "core:tcp_no_connect=2")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--hep", "tcp:127.0.0.1:9060"), "HEP goes over UDP"),
        (("--hep", "udp:nowhere:1"), "'nowhere' is not an IP address"),
        (("--hep-send", "127.0.0.1"), "HEP goes over UDP"),
        (("--hep", "udp:192.0.2.1:9060"), "cannot listen on udp:192.0.2.1:9060"),
    ],
)
def test_hep_that_cannot_be(place: Place, options: tuple[str, ...], why: str) -> None:
    assert why in place.refused(*options)
