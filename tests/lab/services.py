"""Servers of other kinds that tests talk to, started on loopback with random ports: Redis, NATS, rtpengine."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.needs import need
from lab.ports import free_port


@contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    """``command`` runs, and listens on ``port``, inside the block."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{command[0]} does not listen on port {port}") from None
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def redis(directory: Path, port: int = 0) -> Iterator[int]:
    """A Redis server that keeps nothing; its port."""
    port = port or free_port()
    command = [need("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with running([*command, "--dir", str(directory)], port):
        yield port


@contextmanager
def nats(directory: Path, port: int = 0) -> Iterator[int]:
    """A NATS server; its port."""
    port = port or free_port()
    command = [need("nats-server", "nats-server"), "--addr", "127.0.0.1", "--port", str(port)]
    with running([*command, "--pid", str(directory / "nats.pid")], port):
        yield port


@contextmanager
def rtpengine(directory: Path, port: int = 0) -> Iterator[int]:
    """An rtpengine without its kernel module; the port of its ng protocol."""
    port = port or free_port()
    media = free_port() | 1  # the ports of media begin somewhere else in each test
    options = {
        "config-file": "none",
        "table": "-1",
        "interface": "127.0.0.1",
        "listen-ng": f"127.0.0.1:{port}",
        "port-min": str(min(media, 60000) + 1),
        "port-max": str(min(media, 60000) + 41),
        "num-threads": "2",
    }
    command = [need("rtpengine", "rtpengine-daemon"), *(f"--{name}={value}" for name, value in options.items())]
    with (directory / "rtpengine.log").open("wb") as log:
        process = subprocess.Popen([*command, "--foreground", "--log-stderr"], stdout=log, stderr=log)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.05)
            end = time.monotonic() + 10
            while True:
                try:
                    sock.sendto(b"0 d7:command4:pinge", ("127.0.0.1", port))
                    sock.recv(100)
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > end:
                        text = (directory / "rtpengine.log").read_text()
                        raise RuntimeError(f"rtpengine does not answer at port {port}: {text[-1000:]}") from None
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
