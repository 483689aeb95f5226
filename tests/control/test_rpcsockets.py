"""The datagram socket and the fifo of jsonrpcs, on an event loop of their own."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest

from ksrcore.control.jsonrpc import Answer, run
from ksrcore.control.rpcsockets import Access, DatagramRpc, FifoRpc, RpcSocketError

ACCESS = Access(0o660)
COMMANDS = {"core.echo": lambda params: params, "big": lambda params: "x" * 300_000}


def execute(document: str) -> Answer | None:
    return run(COMMANDS, document, pretty=False)


def echo(text: str, more: str = "") -> str:
    return f'{{"jsonrpc":"2.0","method":"core.echo","params":["{text}"],{more}"id":1}}'


ANSWER = '{{"jsonrpc":"2.0","result":["{}"],"id":1}}'


def test_datagrams(tmp_path: Path) -> None:
    path = tmp_path / "rpc.sock"

    async def scenario() -> list[bytes]:
        server = DatagramRpc(str(path), execute, ACCESS)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.bind("")
            client.setblocking(False)
            for document in (echo("a"), "no JSON", echo("b")):
                client.sendto(document.encode(), str(path))
            loop = asyncio.get_running_loop()
            answers = [await asyncio.wait_for(loop.sock_recv(client, 65536), 2) for _ in range(2)]
        server.close()
        return answers

    assert asyncio.run(scenario()) == [ANSWER.format("a").encode(), ANSWER.format("b").encode()]
    assert not path.exists()


def test_udp() -> None:
    async def scenario() -> bytes:
        server = DatagramRpc("udp:127.0.0.1:0", execute, ACCESS)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.sendto(echo("a").encode(), server._sock.getsockname())
            answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 65536), 2)
        server.close()
        return answer

    assert asyncio.run(scenario()) == ANSWER.format("a").encode()


def test_an_answer_too_large_for_a_datagram(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "rpc.sock"

    async def scenario() -> None:
        server = DatagramRpc(str(path), execute, ACCESS)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.bind("")
            client.sendto(b'{"jsonrpc":"2.0","method":"big","id":1}', str(path))
            while "use the fifo" not in caplog.text:
                await asyncio.sleep(0.01)
        server.close()

    asyncio.run(asyncio.wait_for(scenario(), 3))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda p: DatagramRpc(str(p), execute, ACCESS), "no socket"),
        (lambda p: DatagramRpc(str(p / "missing" / "x"), execute, ACCESS), "Not a directory"),
        (lambda p: DatagramRpc("udp:nowhere", execute, ACCESS), "udp:nowhere"),
        (lambda p: FifoRpc(str(p), execute, ACCESS, "/tmp"), "no fifo"),
        (lambda p: FifoRpc(str(p.parent / "f"), execute, Access(0o660, "no-such-user"), "/tmp"), "no such user"),
    ],
)
def test_what_cannot_be_opened(tmp_path: Path, make: object, text: str) -> None:
    file = tmp_path / "file"
    file.touch()

    async def scenario() -> None:
        with pytest.raises(RpcSocketError, match=text):
            make(file)  # type: ignore[operator]

    asyncio.run(scenario())


def test_a_second_server_does_not_take_over(tmp_path: Path) -> None:
    async def scenario() -> None:
        one = DatagramRpc(str(tmp_path / "s"), execute, ACCESS)
        two = FifoRpc(str(tmp_path / "f"), execute, ACCESS, str(tmp_path))
        with pytest.raises(RpcSocketError, match="another server listens"):
            DatagramRpc(str(tmp_path / "s"), execute, ACCESS)
        with pytest.raises(RpcSocketError, match="another server reads"):
            FifoRpc(str(tmp_path / "f"), execute, ACCESS, str(tmp_path))
        one.close()
        two.close()

    asyncio.run(scenario())


def test_what_a_killed_server_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        left.bind(str(tmp_path / "s"))
    os.mkfifo(tmp_path / "f")

    async def scenario() -> None:
        DatagramRpc(str(tmp_path / "s"), execute, ACCESS).close()
        FifoRpc(str(tmp_path / "f"), execute, ACCESS, str(tmp_path)).close()

    asyncio.run(scenario())


# -- the fifo ---------------------------------------------------------------------------------------------------------


async def ask(folder: Path, text: str, *, pieces: int = 1, late: float = 0.0, name: str = "reply") -> str:
    """Write to the fifo in pieces, open the fifo for the answer ``late`` seconds after, read the answer."""
    os.mkfifo(folder / name)
    commands = os.open(folder / "f", os.O_WRONLY | os.O_NONBLOCK)
    size = -(-len(text) // pieces)
    for at in range(0, len(text), size):
        os.write(commands, text[at : at + size].encode())
        await asyncio.sleep(0.01)
    os.close(commands)
    await asyncio.sleep(late)
    answer = await asyncio.wait_for(asyncio.to_thread((folder / name).read_text), 5)
    (folder / name).unlink()
    return answer


def test_the_fifo(tmp_path: Path) -> None:
    reply = '"reply_name":"reply",'

    async def scenario() -> None:
        server = FifoRpc(str(tmp_path / "f"), execute, Access(0o600), str(tmp_path))
        assert await ask(tmp_path, echo("a", reply) + "\n") == ANSWER.format("a")
        # Documents in pieces, over lines, with braces in strings; a client that is slow to open.
        assert await ask(tmp_path, "junk\n" + echo("a}{", reply).replace(",", ",\n"), pieces=4) == ANSWER.format("a}{")
        assert await ask(tmp_path, echo("b", reply), late=0.15) == ANSWER.format("b")
        # More than a pipe holds.
        big = await ask(tmp_path, '{"jsonrpc":"2.0","method":"big","reply_name":"reply","id":1}')
        assert len(big) > 300_000
        server.close()

    asyncio.run(scenario())
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (echo("a"), "without reply_name"),
        (echo("a", '"reply_name":"../x",'), "without '/'"),
        (echo("a", '"reply_name":"file",'), "it is no fifo"),
        ("{" * 70_000, "left out"),
    ],
)
def test_what_the_fifo_does_not_answer(
    tmp_path: Path, document: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()

    async def scenario() -> None:
        server = FifoRpc(str(tmp_path / "f"), execute, ACCESS, str(tmp_path))
        commands = os.open(tmp_path / "f", os.O_WRONLY | os.O_NONBLOCK)
        data = document.encode()
        while data:
            try:
                data = data[os.write(commands, data) :]
            except BlockingIOError:
                pass
            await asyncio.sleep(0.005)
        while text not in caplog.text:
            await asyncio.sleep(0.01)
        os.close(commands)
        server.close()

    asyncio.run(asyncio.wait_for(scenario(), 4))
    assert (tmp_path / "file").read_bytes() == b""
