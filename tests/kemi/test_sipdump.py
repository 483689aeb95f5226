"""KSR.sipdump: files as Kamailio 5.6.3 writes them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from ksrcore.assemble import make_proxy
from ksrcore.capture.reader import CaptureFile
from ksrcore.kemi.declare import ParamError
from ksrcore.kemi.sipdump import Sipdump
from ksrcore.net.address import Listen, Rcv
from ksrcore.script.python import PythonScript

LISTEN = Listen("udp", "127.0.0.1", 5060)
TIME = 1795431546.25
MESSAGE = (
    "OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5999;branch=z9hG4bK1\r\n"
    "From: <sip:alice@a.com>;tag=f1\r\nTo: <sip:bob@b.com>\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\n"
    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)
SCRIPT = """import KSR
told = []

def ksr_request_route(msg):
    KSR.sipdump.send("mine")
    KSR.sl.send_reply(404, "No")
    told.append(KSR.sipdump.get_tag())
    return 1

def ksr_sipdump_event(msg, name):
    told.append((name, KSR.sipdump.get_tag(), KSR.sipdump.get_src_ip(), KSR.sipdump.get_dst_ip(),
                 KSR.pv.get("$sipdump(dst_port)"), KSR.sipdump.get_buf()[:7], KSR.pv.get("$ru")))
    if KSR.sipdump.get_tag() == "snd":
        KSR.set_drop()
    return 1
"""


class World:
    def __init__(self, folder: Path, *params: str) -> None:
        self.folder = folder / "dumps"
        self.folder.mkdir(exist_ok=True)
        self.now = 10.0
        self.proxy, ksr = make_proxy(
            transmit=lambda data, dest: True,
            listens=[LISTEN],
            modparams=[f"sipdump:folder={self.folder}", "sipdump:fprefix=sd-", *(f"sipdump:{p}" for p in params)],
            now=self.now,
            wall=TIME,
        )
        path = folder / "script.py"
        path.write_text(SCRIPT)
        self.script = PythonScript(str(path), self.proxy, ksr)
        self.script.load()
        self.proxy.script = self.script
        module = self.proxy.modules["sipdump"]
        assert isinstance(module, Sipdump)
        self.module = module

    def receive(self, text: str = MESSAGE) -> None:
        self.proxy.receive(text.encode(), Rcv("udp", "127.0.0.1", 5999, LISTEN.host, LISTEN.port, LISTEN), self.now)

    def files(self, ending: str) -> list[Path]:
        return sorted(self.folder.glob(f"*{ending}"))

    @property
    def told(self) -> list[Any]:
        module: Any = self.script.module
        found: list[Any] = module.told
        return found


def test_text_files(tmp_path: Path) -> None:
    world = World(tmp_path, "enable=1")
    world.receive()
    world.module.stop()
    (data,), (meta,) = world.files(".data"), world.files(".meta")
    assert re.fullmatch(r"sd-\d{4}(-\d\d){2}-(-\d\d){3}\.data", data.name)
    assert data.stat().st_mode & 0o777 == 0o600
    text = data.read_bytes().decode()
    parts = text.split("|" * 20 + "\n")
    assert len(parts) == 4 and not parts[3]
    head, _, message = parts[0].partition("~" * 20 + "\n")
    assert message == MESSAGE
    assert re.sub(r"(?m)^date: .*$", "date: x", head) == (
        f"{'=' * 20}\ntag: rcv\npid: {os.getpid()}\nprocess: 0\ntime: 1795431546.250000\ndate: x\nproto: udp ipv4\n"
        "srcip: 127.0.0.1\nsrcport: 5999\ndstip: 127.0.0.1\ndstport: 5060\n"
    )
    assert [part.splitlines()[1] for part in parts[:3]] == ["tag: rcv", "tag: mine", "tag: snd"]
    assert meta.read_text().startswith("v: 1.0\nversion: ksrshell ")


def test_pcap_files_can_be_read(tmp_path: Path) -> None:
    for mode, marked in ((4, False), (12, True)):
        (tmp_path / str(mode)).mkdir()
        world = World(tmp_path / str(mode), "enable=1", f"mode={mode}")
        world.receive()
        world.module.stop()
        (path,) = world.files(".pcap")
        messages = list(CaptureFile(path))
        # The reader tells a datagram once, though it is there twice.
        assert [(m.src_port, m.dst_port) for m in messages] == [(5999, 5060), (5060, 5999)]
        assert (b"\r\nP-KSR-SIPDump: udp pid=" in messages[0].data) is marked
        assert not world.files(".data")


def test_the_callback(tmp_path: Path) -> None:
    world = World(tmp_path, "enable=1", "mode=3", "event_callback=ksr_sipdump_event")
    world.receive()
    world.module.stop()
    assert world.told == [
        ("sipdump:msg", "rcv", "127.0.0.1", "127.0.0.1", 5060, "OPTIONS", "sip:you@kamailio.org"),
        ("sipdump:msg", "snd", "127.0.0.1", "127.0.0.1", 5999, "SIP/2.0", "sip:you@kamailio.org"),
        "",
    ]
    (data,) = world.files(".data")
    assert "tag: rcv" in data.read_text() and "tag: snd" not in data.read_text()


def test_a_switch(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.receive()
    assert not world.files("")
    assert world.module.rpc_enable([]) == {"oldval": 0, "newval": 0}
    assert world.module.rpc_enable([1]) == {"oldval": 0, "newval": 1}
    assert world.module.rpc_enable([5]) == {"oldval": 1, "newval": 1}
    world.receive(MESSAGE.replace("z9hG4bK1", "z9hG4bK2"))
    assert world.module.rpc_enable(["x"]) == {"oldval": 1, "newval": 0}
    world.receive(MESSAGE.replace("z9hG4bK1", "z9hG4bK3"))
    world.module.stop()
    (data,) = world.files(".data")
    assert data.read_text().count("=" * 20) == 3


def test_new_files_and_old_ones(tmp_path: Path) -> None:
    world = World(tmp_path, "enable=1", "rotate=60", "fage=1000")
    world.receive()
    world.now += 100
    world.receive(MESSAGE.replace("z9hG4bK1", "z9hG4bK2"))
    one, other = world.files(".data")
    os.utime(one, (TIME - 5000, TIME - 5000))
    os.utime(other, (TIME, TIME))
    for path in world.files(".meta"):
        os.utime(path, (TIME, TIME))
    (world.folder / "sd-mine.txt").touch()
    world.proxy.advance(700.0)
    assert world.files(".data") == [other]
    assert world.files(".txt")
    world.module.stop()


def test_a_folder_that_is_not_there_stops_no_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path, "enable=1", f"folder={tmp_path}/nope")
    world.receive()
    assert world.told == [""]
    assert caplog.text.count("cannot write") == 1


def test_a_sandbox_writes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, "enable=1")
    world.proxy.sandbox = True
    fork = world.module.fork(world.proxy)
    assert fork.send(world.proxy.fake_run(), "x") == 1
    assert not world.files("")


@pytest.mark.parametrize("param", ["rotate=0", "fprefix=a/b", "fprefix=*"])
def test_parameters_that_cannot_be(param: str) -> None:
    with pytest.raises(ParamError):
        make_proxy(transmit=lambda data, dest: True, listens=[LISTEN], modparams=[f"sipdump:{param}"])
