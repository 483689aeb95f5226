"""KSR.nats with a real NATS server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from ksrcore.net import nats as client
from ksrcore.net.nats import parse_nats_url
from lab.ports import free_port
from lab.services import nats
from tm.playbook import Playbook

SCRIPT = """
seen = []

def ksr_request_route(self, msg):
    return 1

def ksr_nats(self, msg, evname):
    self.seen.append((evname, KSR.pv.get("$natsData")))
    return 1
"""


class Talk:
    def __init__(self, tmp_path: Path, port: int) -> None:
        params = [f"nats:nats_url=nats://127.0.0.1:{port}", "nats:subject_queue_group=one.>:g"]
        params += ["nats:subject_queue_group=two:g", "nats:event_callback=ksr_nats"]
        self.book = Playbook(tmp_path, SCRIPT, modparams=params)
        script: Any = self.book.proxy.script
        self.nats = script.ksr.nats
        self.seen: list[Any] = script.handler.seen

    async def wait(self, count: int) -> list[Any]:
        for _ in range(500):
            if len(self.seen) >= count:
                break
            await asyncio.sleep(0.01)
        found = self.seen[:]
        self.seen.clear()
        return found

    def stop(self) -> None:
        self.book.proxy.modules["nats"].stop()


def test_messages_and_a_server_that_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "AGAIN", 0.05)

    async def main() -> None:
        port = free_port()
        talk = Talk(tmp_path, port)
        assert talk.nats.publish("two", "before") == 1  # there is no server yet
        with nats(tmp_path, port):
            up = [("nats:connected", None)] * 2
            assert await talk.wait(3) == [*up, ("nats:two", "before")]
            assert talk.nats.publish("one.x", "caf\u00e9") == 1
            assert talk.nats.publish_request("two", "", "to.me") == 1
            assert talk.nats.publish("nobody", "x") == 1
            assert await talk.wait(2) == [("nats:one.>", "caf\u00e9"), ("nats:two", "")]
            assert talk.nats.publish("", "x") == 1
            assert talk.nats.publish("two", "y" * 2_000_000) == 1
        assert await talk.wait(2) == [("nats:disconnected", None)] * 2
        with nats(tmp_path, port):
            assert await talk.wait(2) == up
        await talk.wait(2)
        talk.stop()
        await asyncio.sleep(0)

    asyncio.run(main())


def test_a_server_that_refuses(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"max_payload":10}\r\n')
        line = await reader.readline()
        assert b'"user":"us","pass":"pw"' in line
        writer.write(b"-ERR 'Authorization Violation'\r\n")
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        book = Playbook(tmp_path, SCRIPT, modparams=[f"nats:nats_url=nats://us:pw@127.0.0.1:{port}"])
        script: Any = book.proxy.script
        script.ksr.nats.publish("a", "b")
        for _ in range(100):
            await asyncio.sleep(0.01)
            if "Authorization" in caplog.text:
                break
        book.proxy.modules["nats"].stop()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert "Authorization Violation" in caplog.text


def test_a_sandbox_publishes_nothing(tmp_path: Path) -> None:
    book = Playbook(tmp_path, SCRIPT)
    module: Any = book.proxy.modules["nats"]
    fork = module.fork(book.proxy)
    book.proxy.sandbox = True
    assert fork.publish(book.proxy.fake_run(), "a", "b") == 1
    assert not module._client._waiting


def test_urls() -> None:
    assert parse_nats_url("127.0.0.1") == ("127.0.0.1", 4222, "", "", False)
    assert parse_nats_url("tls://t@h:1") == ("h", 1, "t", "", True)
    for url in ("http://h", "nats://", "nats://h:x"):
        with pytest.raises(ValueError):
            parse_nats_url(url)


@pytest.mark.parametrize("param", ["nats_url=http://x", "subject_queue_group=x", "subject_queue_group=a b:c"])
def test_bad_parameters(tmp_path: Path, param: str) -> None:
    with pytest.raises(ParamError, match="expect"):
        Playbook(tmp_path, SCRIPT, modparams=[f"nats:{param}"])
