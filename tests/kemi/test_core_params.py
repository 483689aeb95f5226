"""The core's parameters: what they take, and that they take effect."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from ksrcore import __version__
from ksrcore.assemble import load_script, make_proxy
from ksrcore.capture.recorder import Recorder
from ksrcore.kemi.core import Core
from ksrcore.kemi.declare import ParamError
from ksrcore.net.address import Dest, Listen, Rcv
from ksrcore.net.dns import DnsOptions
from ksrcore.net.network import Network
from ksrcore.net.transport import NetOptions
from ksrcore.proxy import Proxy

UDP = Listen("udp", "127.0.0.1", 5060)
DOCUMENT = Path(__file__).parents[2] / "docs" / "parameters.md"
OPTIONS = (
    b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


def core(*modparams: str, recorder: Recorder | None = None) -> Core:
    proxy, _ = make_proxy(
        transmit=lambda data, dest: True,
        listens=[UDP],
        modparams=[f"core:{text}" for text in modparams],
        recorder=recorder,
    )
    found: Core = proxy.module("")
    return found


def test_defaults_are_those_of_sockets_and_dns() -> None:
    options = NetOptions(tcp_rd_buf_size=1, udp_rcvbuf=1, tcp_no_connect=True)
    core().apply_network(options)
    assert options == NetOptions()
    found = core().dns_options()
    assert dataclasses.replace(found, dns_cache_max_ttl=0.0) == DnsOptions(dns_cache_max_ttl=0.0)
    assert found.dns_cache_max_ttl == 2**31 - 1  # for good


def test_every_option_has_a_parameter() -> None:
    fields = [field.name for kind in (NetOptions, DnsOptions) for field in dataclasses.fields(kind)]
    assert set(fields) - set(Core.params) == {"udp_rcvbuf"}  # maxbuffer, as Kamailio calls it


def test_values_arrive_in_their_type() -> None:
    found = core(
        "tcp_accept_no_cl=yes", "tcp_crlf_ping=off", "tcp_connect_timeout=3", "maxbuffer=65536", "dns_srv_lb=on"
    )
    options = NetOptions()
    found.apply_network(options)
    assert (options.tcp_accept_no_cl, options.tcp_crlf_ping) == (True, False)
    assert (options.tcp_connect_timeout, options.udp_rcvbuf) == (3.0, 65536)
    assert isinstance(options.tcp_connect_timeout, float)
    assert found.dns_options().dns_srv_lb is True


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("tcp_rd_buf=1", "module core has no parameter 'tcp_rd_buf'; it has: capture_bytes, capture_messages, "),
        ("children=4", "module core has no parameter 'children'; it has: capture_bytes, "),
        ("tcp_rd_buf_size=1", "modparam core:tcp_rd_buf_size expects a number from 512 to 2147483647, got 1"),
        ("tcp_rd_buf_size=big", "modparam core:tcp_rd_buf_size expects an integer, got 'big'"),
        ("tcp_wq_max=99999999999", "modparam core:tcp_wq_max expects a number from 0 to 2147483647, got 99999999999"),
        (
            "tcp_no_connect=maybe",
            "modparam core:tcp_no_connect expects yes or no (1, on, true; 0, off, false), got 'maybe'",
        ),
        ("server_header=ACME", "modparam core:server_header expects a header field in one line such as 'Server: name'"),
        ("server_header=Server: a\r\nX: b", "modparam core:server_header expects a header field in one line"),
        ("user_agent_header=Server: a", "modparam core:user_agent_header expects a header field in one line"),
        ("capture_messages=0", "modparam core:capture_messages expects a number from 1"),
        ("debug=loud", "modparam core:debug expects an integer"),
    ],
)
def test_what_is_refused(text: str, error: str) -> None:
    with pytest.raises(ParamError) as caught:
        core(text)
    assert str(caught.value).startswith(error)


# -- taking effect ----------------------------------------------------------------------------------------------------


class Answering:
    """A proxy whose script answers 200 and tells $sid."""

    def __init__(self, folder: Path, *modparams: str) -> None:
        script = folder / "routes.py"
        script.write_text(
            "import KSR\ndef ksr_request_route(msg):\n"
            "    KSR.hdr.append_to_reply('X-Sid: ' + str(KSR.pv.get('$sid')) + '\\r\\n')\n"
            "    KSR.sl.send_reply(200, 'OK')\n    return 1\n"
        )
        self.sent: list[str] = []
        self.proxy: Proxy
        self.proxy, ksr = make_proxy(transmit=self._transmit, listens=[UDP], modparams=modparams)
        load_script(str(script), self.proxy, ksr)

    def _transmit(self, data: bytes, dest: Dest) -> bool:
        self.sent.append(data.decode("latin-1"))
        return True

    def reply(self) -> dict[str, str]:
        self.proxy.receive(OPTIONS, Rcv("udp", "127.0.0.1", 9, "127.0.0.1", 5060, UDP), 1.0)
        lines = self.sent.pop().split("\r\n")
        return dict(line.split(": ", 1) for line in lines[1:] if line)


def test_the_server_field(tmp_path: Path) -> None:
    assert Answering(tmp_path).reply()["Server"].startswith("ksrshell (")
    assert Answering(tmp_path, "core:server_header=Server: ACME 1").reply()["Server"] == "ACME 1"
    assert Answering(tmp_path, "core:server_header=Server: Käse").reply()["Server"] == "K\xc3\xa4se"
    assert "Server" not in Answering(tmp_path, "core:server_header=").reply()
    unsigned = Answering(tmp_path, "core:server_header=Server: ACME 1", "core:server_signature=no")
    assert "Server" not in unsigned.reply()
    assert unsigned.proxy.user_agent_header == ""


def test_the_user_agent_field() -> None:
    assert core().proxy.user_agent_header.startswith("User-Agent: ksrshell (")
    assert core("user_agent_header=User-Agent: ACME").proxy.user_agent_header == "User-Agent: ACME"


def test_the_servers_id(tmp_path: Path) -> None:
    assert Answering(tmp_path).reply()["X-Sid"] == "0"
    assert Answering(tmp_path, "core:server_id=7").reply()["X-Sid"] == "7"


def test_the_flight_recorders_bounds(tmp_path: Path) -> None:
    answering = Answering(tmp_path, "core:capture_messages=3")
    for _ in range(5):
        answering.reply()
    assert (len(answering.proxy.recorder), answering.proxy.recorder.gone) == (3, 7)
    small = Answering(tmp_path, "core:capture_bytes=2000")
    for _ in range(5):
        small.reply()
    assert small.proxy.recorder.bytes <= 2000
    kept = Recorder(17, 1_000_000)
    assert core("server_id=1", recorder=kept).proxy.recorder.max_count == 17


def test_the_log_level() -> None:
    root = logging.getLogger()
    before = root.level
    try:
        core()
        assert root.level == before
        for debug, level in ((3, 10), (9, 10), (2, 20), (1, 25), (0, 30), (-1, 40), (-2, 50), (-5, 50)):
            core(f"debug={debug}")
            assert root.level == level
    finally:
        root.setLevel(before)


def test_sockets_are_opened_with_them() -> None:
    async def work() -> None:
        network = Network()
        core("maxbuffer=8192", "tcp_rd_buf_size=600").apply_network(network.options)
        udp, tcp = Listen("udp", "127.0.0.1", 0), Listen("tcp", "127.0.0.1", 0)
        await network.open([udp, tcp])
        try:
            transport: Any = network._transports["udp"]
            (opened,) = transport._socks.values()
            # Linux doubles what was asked for.
            assert opened.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) in (8192, 16384)
            reader, writer = await asyncio.open_connection("127.0.0.1", tcp.port)
            writer.write(b"OPTIONS sip:a@b SIP/2.0\r\nX: " + b"y" * 700)
            assert await asyncio.wait_for(reader.read(), 2) == b""  # too large: closed
            writer.close()
            await writer.wait_closed()
        finally:
            await network.close()

    asyncio.run(work())


# -- the table in the document ----------------------------------------------------------------------------------------


def test_the_document_has_each_parameter_and_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^|]+?)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE))
    assert rows == {name: str(param.default).replace(__version__, "version") for name, param in Core.params.items()}
