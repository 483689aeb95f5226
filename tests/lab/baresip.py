"""baresip as a headless phone, driven over its control socket (module ctrl_tcp: JSON in netstrings)."""

import json
import socket
import subprocess
import time
import wave
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.child import die_with_parent
from lab.database import DOMAIN, password
from lab.needs import need
from lab.ports import free_port


class BaresipFailed(Exception):
    """The phone did not start, or what it should have reported did not happen; the text ends with its output."""


class Baresip:
    """One phone: subscriber ``user`` at ``proxy`` ("host:port"); a context manager.

    It registers at once and, with ``answer=True``, answers by itself. It sends silence.
    """

    def __init__(
        self,
        directory: Path,
        user: str,
        proxy: str,
        *,
        transport: str = "udp",
        answer: bool = False,
        domain: str = DOMAIN,
    ) -> None:
        self.directory = directory
        self.user = user
        self.proxy = proxy
        self.transport = transport
        self.answer = answer
        self.domain = domain
        self.port = free_port()
        self.control_port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.events: list[dict[str, Any]] = []
        self._socket: socket.socket | None = None
        self._buffer = b""

    def write_config(self) -> None:
        rtp = free_port()
        rtp -= rtp % 2
        (self.directory / "config").write_text(
            "\n".join(
                [
                    f"sip_listen\t127.0.0.1:{self.port}",
                    "module_path\t/usr/lib/baresip/modules",
                    "module\tg711.so",
                    "module\taufile.so",
                    "module_app\taccount.so",
                    "module_app\tmenu.so",
                    "module_app\tctrl_tcp.so",
                    f"ctrl_tcp_listen\t127.0.0.1:{self.control_port}",
                    f"audio_source\taufile,{self.directory}/said.wav",
                    f"audio_player\taufile,{self.directory}/heard.wav",
                    f"audio_alert\taufile,{self.directory}/alert.wav",
                    f"rtp_ports\t{rtp}-{rtp + 20}",
                    "net_interface\t127.0.0.1",
                    "",
                ]
            )
        )
        (self.directory / "accounts").write_text(
            f"<sip:{self.user}@{self.domain};transport={self.transport}>;auth_pass={password(self.user)}"
            f';outbound="sip:{self.proxy};transport={self.transport}";regint=300'
            f";answermode={'auto' if self.answer else 'manual'}\n"
        )
        (self.directory / "contacts").write_text("")
        with wave.open(str(self.directory / "said.wav"), "wb") as said:
            # G.711's own rate: baresip does not resample without a filter module.
            said.setnchannels(1)
            said.setsampwidth(2)
            said.setframerate(8000)
            said.writeframes(bytes(2 * 8000 * 20))

    @property
    def output(self) -> str:
        path = self.directory / "output.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self) -> Self:
        baresip = need("baresip", package="baresip-core")
        self.directory.mkdir(parents=True)
        self.write_config()
        with (self.directory / "output.log").open("wb") as output:
            self.process = subprocess.Popen(
                [baresip, "-4", "-s", "-f", str(self.directory)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                preexec_fn=die_with_parent,
            )
        try:
            self._connect()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def _connect(self, timeout: float = 5.0) -> None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", self.control_port), timeout)
                return
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise self.failure("did not open its control socket") from None
                time.sleep(0.02)

    def failure(self, text: str) -> BaresipFailed:
        tail = "\n".join(self.output.splitlines()[-60:])
        return BaresipFailed(f"baresip {self.user} {text}; events: {self.events}; its output ends:\n{tail}")

    def command(self, command: str, params: str = "") -> None:
        """Runs one of baresip's long commands ("dial", "hangup", "reginfo" ...)."""
        if self._socket is None:
            raise RuntimeError("this phone is not running; use it in a with statement")
        text = json.dumps({"command": command, "params": params, "token": "lab"}).encode()
        self._socket.sendall(b"%d:%s," % (len(text), text))

    def wait_registered(self, timeout: float = 5.0) -> None:
        """Returns when the registrar has answered 200; read from the output: it may come before our connection."""
        deadline = time.monotonic() + timeout
        while "[1 binding]" not in self.output:
            if time.monotonic() > deadline:
                raise self.failure(f"was not registered within {timeout:g} s")
            time.sleep(0.02)

    def wait_for(self, kind: str, timeout: float = 5.0) -> dict[str, Any]:
        """The next event of type ``kind`` (CALL_RINGING, CALL_ESTABLISHED, CALL_CLOSED ...) not yet waited for."""
        deadline = time.monotonic() + timeout
        while True:
            for index, event in enumerate(self.events):
                if event.get("type") == kind:
                    return self.events.pop(index)
            if not self._read(deadline - time.monotonic()):
                raise self.failure(f"did not report {kind} within {timeout:g} s")

    def _read(self, timeout: float) -> bool:
        """Takes in what the control socket has; False when nothing came in ``timeout`` seconds."""
        if self._socket is None or timeout <= 0:
            return False
        self._socket.settimeout(timeout)
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return False
        self._buffer += data
        while b":" in self._buffer:
            size, _, rest = self._buffer.partition(b":")
            if len(rest) <= int(size):
                break
            self.events.append(json.loads(rest[: int(size)]))
            self._buffer = rest[int(size) + 1 :]
        return bool(data)
