"""What it costs when messages wait for somebody outside, and that others do not.

    python tests/bench/waits.py [--rate 200] [--seconds 5] [--delay 0.05]

A proxy on real sockets answers OPTIONS: those for ``ask`` after an HTTP query that takes ``delay``, the others at once.
Printed: the times of the others alone, and beside ``rate`` asking ones a second; the CPU of the proxy per message with
a script whose messages are processed as tasks, and with one whose are not.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parent.parent))
from lab.ports import free_port
from lab.webserver import webserver

SCRIPT = """
import KSR
def ksr_request_route(msg):
    if KSR.pv.get("$rU") == "ask":
        {call}
    KSR.sl.sl_send_reply(200, "OK")
    return 1
"""


def request(user: str, port: int, own: int, n: int) -> bytes:
    return (
        f"OPTIONS sip:{user}@127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bK{n}\r\n"
        f"From: <sip:a@b>;tag={n}\r\nTo: <sip:x@y>\r\nCall-ID: {user}{n}\r\nCSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


class Sender:
    """Sends at a steady rate and keeps the time of each answer (milliseconds)."""

    def __init__(self, user: str, port: int, rate: float, seconds: float) -> None:
        self.times: list[float] = []
        self.missing = 0
        self.thread = threading.Thread(target=self.run, args=(user, port, rate, seconds))
        self.thread.start()

    def run(self, user: str, port: int, rate: float, seconds: float) -> None:
        sent: dict[str, float] = {}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            own = sock.getsockname()[1]
            start = time.monotonic()
            for n in range(int(rate * seconds)):
                while (left := start + n / rate - time.monotonic()) > 0:
                    self.take(sock, left, sent)
                sent[f"{user}{n}"] = time.monotonic()
                sock.sendto(request(user, port, own, n), ("127.0.0.1", port))
            end = time.monotonic() + 2
            while sent and (left := end - time.monotonic()) > 0:
                self.take(sock, left, sent)
        self.missing = len(sent)

    def take(self, sock: socket.socket, left: float, sent: dict[str, float]) -> None:
        sock.settimeout(max(left, 0.0001))
        try:
            data = sock.recv(4096).decode()
        except TimeoutError:
            return
        callid = data.partition("Call-ID: ")[2].partition("\r\n")[0]
        at = sent.pop(callid, None)
        if at is not None:
            self.times.append((time.monotonic() - at) * 1000)

    def result(self) -> str:
        self.thread.join()
        times = sorted(self.times)
        if not times:
            return f"no answers, {self.missing} missing"
        p99 = times[int(len(times) * 0.99)]
        return (
            f"{len(times)} answers, {self.missing} missing, median {times[len(times) // 2]:.2f} ms, "
            f"99 % {p99:.2f} ms, longest {times[-1]:.2f} ms"
        )


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(call: str, rate: float, seconds: float, asking: bool) -> None:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ksr-waits-") as folder:
        script = Path(folder) / "waits.py"
        script.write_text(SCRIPT.format(call=call))
        command = [sys.executable, "-m", "ksrshell", "serve", str(script), "--listen", f"udp:127.0.0.1:{port}"]
        command += ["--db", f"sqlite:///{folder}/db", "--control", f"{folder}/c.sock", "--name", "waits"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert process.stdout is not None and process.stdout.readline().startswith("ready")
            Sender("plain", port, 200, 1).thread.join()
            before = cpu(process.pid)
            others = Sender("plain", port, rate * 5 if not asking else 100, seconds)
            asked = Sender("ask", port, rate, seconds) if asking else None
            click.echo(f"  others: {others.result()}")
            if asked is not None:
                click.echo(f"  asking: {asked.result()}")
            count = len(others.times) + (len(asked.times) if asked is not None else 0)
            click.echo(f"  {(cpu(process.pid) - before) / max(count, 1) * 1e6:.0f} us CPU a message")
        finally:
            process.terminate()
            process.wait(10)
            if process.stdout is not None:
                process.stdout.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--delay", type=float, default=0.05)
    args = parser.parse_args()
    with webserver() as server:
        server.slow = args.delay
        query = f'KSR.http_client.query("{server.url}/slow", "$var(r)")'
        click.echo("no function that waits in the script, others only")
        measure("pass", args.rate, args.seconds, False)
        click.echo("one in the script, not called, others only")
        measure(query, args.rate, args.seconds, False)
        click.echo(f"{args.rate:g} asking a second, {args.delay * 1000:g} ms each, and 100 others")
        measure(query, args.rate, args.seconds, True)


if __name__ == "__main__":
    main()
