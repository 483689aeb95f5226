"""sipsak and baresip, as Debian ships them, through the unmodified stock script."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.baresip import Baresip
from lab.database import make_database
from lab.needs import STOCK_SCRIPT, need, need_file
from lab.ports import free_port
from lab.server import Server
from lab.servers import chosen


@pytest.fixture(scope="module", params=chosen(), ids=lambda kind: str(kind.kind))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    script = need_file(STOCK_SCRIPT, package="kamailio")
    folder = tmp_path_factory.mktemp("server")
    database = make_database(folder / "kamailio.db")
    # sipsak 0.9.8 cuts a port in a URI to four digits.
    with request.param(folder, database, script, port=free_port(first=6000, last=9999)) as running:
        yield running


def sipsak(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [need("sipsak", package="sipsak"), *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=40, check=False)


def sipsak_register(server: Server, user: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return sipsak("-U", "-v", "-s", f"sip:{user}@{server.address}", *arguments)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_sipsak_options(server: Server, transport: str) -> None:
    done = sipsak("-vv", "-E", transport, "-s", f"sip:{server.address}")
    assert "SIP/2.0 200 Keepalive" in done.stdout
    assert done.returncode == 0


def test_sipsak_unknown_user(server: Server) -> None:
    done = sipsak("-vv", "-s", f"sip:nobody@{server.address}")
    assert "SIP/2.0 404 Not Found" in done.stdout
    assert done.returncode == 1


def test_sipsak_registers_and_unregisters(server: Server) -> None:
    # sipsak sends from another port than its Via says: the script takes it for a client behind a NAT.
    done = sipsak_register(server, "u090", "-C", "sip:u090@127.0.0.1:9", "-a", "pw-u090", "-x", "300")
    assert "All usrloc tests completed successful." in done.stdout
    assert done.returncode == 0
    done = sipsak_register(server, "u090", "-C", "*", "-a", "pw-u090", "-x", "0")
    assert done.returncode == 0, done.stdout
    done = sipsak("-vv", "-s", f"sip:u090@{server.address}")
    assert "SIP/2.0 404 Not Found" in done.stdout


def test_sipsak_wrong_password(server: Server) -> None:
    done = sipsak_register(server, "u091", "-C", "sip:u091@127.0.0.1:9", "-a", "wrong", "-x", "300")
    assert "401 Unauthorized" in done.stderr
    assert done.returncode == 2


def test_sipsak_traceroute(server: Server) -> None:
    done = sipsak("-T", "-s", f"sip:nobody@{server.address}")
    assert "483 Too Many Hops" in done.stdout
    assert "404 Not Found" in done.stdout


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_baresip_calls_baresip(server: Server, tmp_path: Path, transport: str) -> None:
    with ExitStack() as stack:
        caller = stack.enter_context(Baresip(tmp_path / "a", "u001", server.address, transport=transport))
        callee = stack.enter_context(Baresip(tmp_path / "b", "u002", server.address, transport=transport, answer=True))
        caller.wait_registered()
        callee.wait_registered()
        caller.command("dial", f"sip:u002@{server.domain}")
        caller.wait_for("CALL_ESTABLISHED")
        callee.wait_for("CALL_ESTABLISHED")
        caller.command("hangup")
        callee.wait_for("CALL_CLOSED")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_baresip_gives_up(server: Server, tmp_path: Path, transport: str) -> None:
    with ExitStack() as stack:
        caller = stack.enter_context(Baresip(tmp_path / "a", "u003", server.address, transport=transport))
        callee = stack.enter_context(Baresip(tmp_path / "b", "u004", server.address, transport=transport))
        caller.wait_registered()
        callee.wait_registered()
        caller.command("dial", f"sip:u004@{server.domain}")
        caller.wait_for("CALL_RINGING")
        caller.command("hangup")
        callee.wait_for("CALL_CLOSED")
