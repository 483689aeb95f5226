"""The RPC client: where it looks, what it says when nobody answers; and a real Kamailio beside the embedded core."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kamailio import binrpc
from ksrcore.kamailio.cfg import Config, read
from ksrcore.kamailio.rpcclient import RpcClient, RpcError, Target, Unreachable, find
from lab.database import make_database
from lab.embedded import EmbeddedServer
from lab.kamailio import KamailioServer
from lab.needs import need
from lab.server import Server


def config(folder: Path, text: str) -> Config:
    path = folder / "kamailio.cfg"
    path.write_text(text)
    return read(path)


# -- where ------------------------------------------------------------------------------------------------------------


def test_debians_places() -> None:
    assert list(map(str, find())) == [
        "jsonrpcs socket /run/kamailio/kamailio_rpc.sock",
        "jsonrpcs fifo /run/kamailio/kamailio_rpc.fifo",
        "ctl socket /run/kamailio/kamailio_ctl",
    ]


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("", []),
        ('loadmodule "jsonrpcs"\nmodparam("jsonrpcs", "transport", 1)', []),
        (
            'loadmodule "jsonrpcs"\nmodparam("jsonrpcs", "transport", 4)\nmodparam("jsonrpcs", "dgram_socket", "/a/b")',
            [Target("dgram", "/a/b")],
        ),
        (
            'loadmodule "jsonrpcs"\nmodparam("jsonrpcs", "dgram_socket", "udp:127.0.0.1:8090")\n'
            'modparam("jsonrpcs", "fifo_name", "x.fifo")\nmodparam("jsonrpcs", "fifo_reply_dir", "/r")',
            [Target("dgram", "127.0.0.1:8090"), Target("fifo", "/run/d/x.fifo", "/r")],
        ),
        ('loadmodule "ctl"', [Target("ctl-stream", "/run/d/kamailio_ctl")]),
        (
            'loadmodule "ctl"\n'
            + "".join(
                f'modparam("ctl", "binrpc", "{text}")\n'
                for text in ("unixd:/a", "unixs:/b", "/c/d", "localhost:3000", "tcp:3012", "udp:*:3013")
            ),
            [
                Target("ctl-dgram", "/a"),
                Target("ctl-stream", "/b"),
                Target("ctl-stream", "/c/d"),
                Target("ctl-dgram", "localhost:3000"),
                Target("ctl-stream", "127.0.0.1:3012"),
                Target("ctl-dgram", "127.0.0.1:3013"),
            ],
        ),
    ],
)
def test_places_of_a_cfg(tmp_path: Path, text: str, targets: list[Target]) -> None:
    assert find(config(tmp_path, text), "/run/d") == targets


# -- nobody there -----------------------------------------------------------------------------------------------------


def test_no_rpc_at_all() -> None:
    with pytest.raises(Unreachable, match="load jsonrpcs"):
        RpcClient([]).call("core.version")


def test_nobody_there(tmp_path: Path) -> None:
    path = tmp_path / "s"
    for kind in ("dgram", "fifo", "ctl-stream", "ctl-dgram"):
        with pytest.raises(Unreachable, match="is not there: the server does not run"):
            RpcClient([Target(kind, str(path))]).call("core.version")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        left.bind(str(path))
    os.mkfifo(tmp_path / "f")
    for target in (Target("dgram", str(path)), Target("fifo", str(tmp_path / "f"))):
        with pytest.raises(Unreachable, match="nobody listens"):
            RpcClient([target]).call("core.version")
    with pytest.raises(Unreachable, match="is no fifo"):
        RpcClient([Target("fifo", __file__)]).call("core.version")


def test_no_permission(tmp_path: Path) -> None:
    """Root may write to any socket: a child without its rights is asked."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        path.chmod(0o420)
        code = (
            "from ksrcore.kamailio.rpcclient import *\n"
            f"try: RpcClient([Target('dgram', {str(path)!r})]).call('x')\nexcept Unreachable as error: print(error)"
        )

        command = [sys.executable, "-c", code]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        if os.geteuid() == 0:
            command = [need("setpriv", "util-linux"), "--bounding-set=-all", "--inh-caps=-all", "--", *command]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=True)
    assert "no permission: it belongs to" in result.stdout
    assert "with mode 0420; run as" in result.stdout and "member of the group" in result.stdout


class Fake:
    """A datagram socket that answers with what it is given."""

    def __init__(self, path: Path, answer: bytes | None) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(path))
        self.answer = answer
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()
        self.got = b""

    def _serve(self) -> None:
        self.got, peer = self.sock.recvfrom(65536)
        if self.answer is not None:
            self.sock.sendto(self.answer, peer)

    def close(self) -> None:
        self.thread.join()
        self.sock.close()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (None, "no answer to core.version in 0.1 s"),
        (b"xx", "no JSON"),
        (b"[]", "not one of JSON-RPC"),
        (b'{"result": 1, "id": "other"}', "another request"),
    ],
)
def test_answers_that_are_none(tmp_path: Path, answer: bytes | None, text: str) -> None:
    fake = Fake(tmp_path / "s", answer)
    try:
        with pytest.raises(Unreachable, match=text):
            RpcClient([Target("dgram", str(tmp_path / "s"))], 0.1).call("core.version")
    finally:
        fake.close()


def test_the_next_way_is_tried_and_kept(tmp_path: Path) -> None:
    fake = Fake(tmp_path / "s", b'{"jsonrpc": "2.0", "result": [1]}')
    client = RpcClient([Target("fifo", str(tmp_path / "no")), Target("dgram", str(tmp_path / "s"))])
    try:
        assert client.call("core.printi", [1]) == [1]
    finally:
        fake.close()
    assert b'"params": [1]' in fake.got
    assert client.used == client.targets[1]


def test_datagrams_of_ctl(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "s"))

        def serve() -> None:
            data, peer = server.recvfrom(65536)
            packet = binrpc.decode(data)
            server.sendto(binrpc.encode(binrpc.Packet(binrpc.REPLY, packet.cookie, packet.values[1:])), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        result = RpcClient([Target("ctl-dgram", str(tmp_path / "s"))]).call("core.echo", ["a", 5])
        thread.join()
    assert result == ["a", 5]


# -- real servers -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """A Kamailio, and the embedded core with sockets of the same names."""
    started: list[Server] = []
    try:
        for kind in (KamailioServer, EmbeddedServer):
            folder = tmp_path_factory.mktemp(kind.kind)
            database = make_database(folder / "kamailio.db", users=2)
            if kind is KamailioServer:
                server: Server = KamailioServer(folder, database)
            else:
                own = (
                    ("jsonrpcs", "fifo_name", f"{folder}/rpc.fifo"),
                    ("jsonrpcs", "dgram_socket", f"{folder}/rpc.sock"),
                )
                server = EmbeddedServer(folder, database, modparams=own)
            server.start()
            started.append(server)
        yield started
    finally:
        for server in started:
            server.stop()


CALLS: list[tuple[str, list[Any]]] = [
    ("core.printi", [5]),
    ("htable.sets", ["ipban", "café", "v"]),
    ("htable.seti", ["ipban", "n", -5]),
    ("htable.dump", ["ipban"]),
    ("htable.get", ["ipban", "nothing"]),
    ("htable.flush", ["ipban"]),
    ("ul.dump", []),
    ("ul.add", ["location", "bob", "sip:bob@127.0.0.1", 600, 0.5, ".", 0, 0, 0]),
    ("ul.rm", ["location", "bob"]),
    ("sl.stats", []),
    ("tm.list", []),
    ("pv.shvGet", []),
    ("no.such", []),
]


def called(client: RpcClient, method: str, params: list[Any]) -> Any:
    try:
        return client.call(method, params)
    except RpcError as error:
        return error.code, error.reason


def test_both_over_socket_and_fifo(servers: list[Server]) -> None:
    answers: list[list[Any]] = []
    for server in servers:
        for kind, name in (("dgram", "rpc.sock"), ("fifo", "rpc.fifo")):
            client = RpcClient([Target(kind, f"{server.directory}/{name}")])  # type: ignore[arg-type]
            answers.append([called(client, method, params) for method, params in CALLS])
            assert client.call("core.uptime").keys() == {"now", "up_since", "uptime"}
    for other in answers[1:]:
        for call, here, there in zip(CALLS, answers[0], other, strict=True):
            if call[0] != "sl.stats":
                assert here == there, call
            else:
                assert here.keys() == there.keys()


def test_ctl_of_a_kamailio(servers: list[Server]) -> None:
    client = RpcClient([Target("ctl-stream", f"{servers[0].directory}/ctl")])
    assert client.call("core.pwd") == "/"
    assert client.call("core.uptime")["uptime"] >= 0
    assert len(client.call("core.psx")) > 3
    assert client.call("tm.list") == {}
    client.call("htable.sets", ["ipban", "k", "v"])
    assert client.call("htable.dump", ["ipban"])["slot"] == [{"name": "k", "value": "v", "type": "str"}]
    with pytest.raises(RpcError, match="not found"):
        client.call("no.such")


KAMCTL = [
    "rpc core.echo a 5 s:6 i:7",
    "rpc no.such",
    "rpc htable.sets ipban k v",
    "rpc htable.get ipban nothing",
    "rpc htable.dump ipban",
    "rpc system.methodHelp no.such",
    "rpc stats.get_statistics pike:",
    "rpc core.aliases_list",
    "ul show",
    "ul add bob sip:bob@1.2.3.4",
    "ul show bob",
    "ul show --brief",
    "ul rm bob sip:other@1.2.3.4",
    "ul rm bob",
    "ul rm bob",
]


def kamctl(server: Server, words: str) -> str:
    """What kamctl prints, without what each call chooses."""
    need("sqlite3", "sqlite3")
    environment = {
        **os.environ,
        "RPCFIFOPATH": f"{server.directory}/rpc.fifo",
        "DBENGINE": "SQLITE",
        "DB_PATH": str(server.database),
        "SIP_DOMAIN": server.domain,
    }
    result = subprocess.run(
        [need("kamctl", "kamailio"), *words.split()],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    blank = ('"id":', '"Ruid":', '"Last-', '"Expires":')
    lines = [line for line in (result.stdout + result.stderr).splitlines() if not line.strip().startswith(blank)]
    return "\n".join(lines)


@pytest.mark.parametrize("words", KAMCTL)
def test_kamctl_says_the_same_of_both(servers: list[Server], words: str) -> None:
    real, embedded = (kamctl(server, words) for server in servers)
    assert '"jsonrpc":' in real
    assert embedded == real


def test_what_is_no_fifo_is_left_as_it_is(tmp_path: Path) -> None:
    """The server's user puts a link to somebody's file in the fifo's place."""
    file = tmp_path / "precious"
    file.write_text("precious")
    (tmp_path / "rpc.fifo").symlink_to(file)
    with pytest.raises(Unreachable, match="is no fifo"):
        RpcClient([Target("fifo", str(tmp_path / "rpc.fifo"), str(tmp_path))]).call("core.version")
    assert file.read_text() == "precious"
