"""What a datagram costs in the loop: hot selector, asyncio's add_reader and DatagramProtocol side by side.

Each server echoes every datagram in a process of its own; the client keeps WINDOW of them in flight, or sends RATE a
second. Rounds alternate between the servers; the figure is the server's CPU per datagram (schedstat), as the median
of the rounds, and its ratio to add_reader. Run: python tests/bench/udp_loop.py [--rounds 5] [--count 20000]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from ksrcore.net import loop as netloop

SERVERS = ("add_reader", "hot", "protocol")
PAYLOAD = b"x" * 500
DRAIN = int(os.environ.get("DRAIN", "16"))  # datagrams a call of a reader takes at most


def reader(sock: socket.socket) -> Callable[[], None]:
    recvfrom, sendto = sock.recvfrom, sock.sendto

    def read() -> None:
        for _ in range(DRAIN):
            try:
                data, addr = recvfrom(65535)
            except BlockingIOError:
                return
            sendto(data, addr)

    return read


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data, addr)


async def serve(kind: str, sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    if kind == "protocol":
        await loop.create_datagram_endpoint(Echo, sock=sock)
    elif kind == "hot":
        netloop.add_reader(loop, sock.fileno(), reader(sock))
    else:
        loop.add_reader(sock.fileno(), reader(sock))
    await asyncio.Event().wait()


def start(kind: str) -> tuple[int, tuple[str, int]]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    pid = os.fork()
    if not pid:
        try:
            if kind == "hot":
                netloop.run(serve(kind, sock))
            else:
                asyncio.run(serve(kind, sock))
        finally:
            os._exit(1)
    addr: tuple[str, int] = sock.getsockname()
    sock.close()
    return pid, addr


def cpu_us(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1000


def load(addr: tuple[str, int], count: int, window: int, rate: float) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(addr)
        sock.settimeout(2)
        sent = 0
        begin = time.monotonic()
        for got in range(count):
            while sent < count and sent - got < window:
                if rate:
                    time.sleep(max(0.0, begin + sent / rate - time.monotonic()))
                sock.send(PAYLOAD)
                sent += 1
            sock.recv(65535)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=20000)
    args = parser.parse_args()
    write = sys.stdout.write
    for label, window, rate in (("one in flight", 1, 0.0), ("32 in flight", 32, 0.0), ("4,000 a second", 8, 4000.0)):
        used: dict[str, list[float]] = {kind: [] for kind in SERVERS}
        for _ in range(args.rounds):
            for kind in SERVERS:
                pid, addr = start(kind)
                try:
                    load(addr, 200, 1, 0)
                    before = cpu_us(pid)
                    load(addr, args.count, window, rate)
                    used[kind].append((cpu_us(pid) - before) / args.count)
                finally:
                    os.kill(pid, 9)
                    os.waitpid(pid, 0)
        base = statistics.median(used["add_reader"])
        for kind in SERVERS:
            mid = statistics.median(used[kind])
            write(f"{label:>15}  {kind:<10} {mid:6.2f} us a datagram   {mid / base:.2f}\n")


if __name__ == "__main__":
    main()
