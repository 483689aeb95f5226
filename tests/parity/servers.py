"""The two servers of a group of cases, on loopback networks of their own that differ only in two digits."""

from __future__ import annotations

import itertools
import json
import os
import socket
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from lab.needs import SCHEMA_FOLDER, need
from lab.ngpeer import NgPeer
from lab.server import Server
from parity.casefile import Setup

DISPATCH = Path(__file__).parent / "scripts" / "dispatch.py"

#: What cases write; each server has another network of the same length in its place.
WRITTEN = "127.0.0."

#: Loaded into Kamailio for every case. What changes a server by its mere presence is left to ``loadmodule``.
MODULES = (
    "db_sqlite jsonrpcs kex corex tm tmx sl rr pv maxfwd usrloc registrar textops textopsx siputils xlog sanity "
    "counters cfg_rpc acc kemix auth auth_db permissions nathelper htable pike path cfgutils"
).split()

_SCHEMAS = "standard auth_db usrloc permissions acc htable dispatcher dialog domain group alias_db uac dialplan".split()
_WITH_DB = "usrloc auth_db permissions".split()
_USE_DB = {"alias_db", "domain", "group", "drouting", "dialplan", "avpops", "speeddial", "lcr", "msilo"}


class Network:
    """A loopback network that no other run of the suite uses at the moment: ``127.X.Y.``; closed, it is free again."""

    def __init__(self, prefix: str, lock: socket.socket) -> None:
        self.prefix = prefix
        self._lock = lock

    @classmethod
    def take(cls, length: int = len(WRITTEN)) -> Network:
        """The first free one. Raises OSError."""
        for x, y in itertools.product(range(1, 10), range(10)):
            prefix = f"127.{x}.{y}."
            lock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                lock.bind((f"{prefix}250", 5060))
            except OSError:
                lock.close()
                continue
            assert len(prefix) == length
            return cls(prefix, lock)
        raise OSError("all 90 networks of the parity suite are in use: is something listening on every address?")

    def close(self) -> None:
        self._lock.close()


class Target(Server):
    """A server that runs the dispatcher script; texts go through :meth:`to` on the way in, :meth:`back` out."""

    def __init__(self, directory: Path, setup: Setup) -> None:
        self.network = Network.take()
        self.setup = setup
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.host = f"{self.network.prefix}1"
        super().__init__(
            directory,
            directory / "kamailio.sqlite",
            DISPATCH,
            environment={"KSR_PARITY_DIR": str(directory), "PYTHONDONTWRITEBYTECODE": "1"},
            domain="example.com",
            port=5060,
        )
        self.current = os.open(directory / "current", os.O_RDWR | os.O_CREAT, 0o600)
        self.at(0, 0)
        self.notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notes.bind(str(directory / "notes"))
        self.notes.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.notes.setblocking(False)
        self.ngs = {address: NgPeer(self.to(address)) for address in setup.ngs}
        self._database()
        for name, text in setup.files:
            (directory / name).write_text(self.to(text))

    def at(self, case: int, step: int) -> None:
        """From now on the dispatcher runs that case."""
        os.pwrite(self.current, f"{case:06d} {step:06d}\n".encode(), 0)

    def to(self, text: str) -> str:
        return text.replace("{dir}", str(self.directory)).replace(WRITTEN, self.network.prefix)

    def back(self, text: str) -> str:
        return text.replace(str(self.directory), "{dir}").replace(self.network.prefix, WRITTEN)

    def _database(self) -> None:
        with closing(sqlite3.connect(self.database)) as db, db:
            for name in _SCHEMAS:
                db.executescript((SCHEMA_FOLDER / f"{name}-create.sql").read_text())
            db.executescript(self.to(self.setup.sql))

    def write_config(self) -> Path:
        """kamailio.cfg: what the case gives as such beside base.cfg, which it includes; or made of its set-up lines."""
        path = self.directory / "kamailio.cfg"
        if self.setup.cfg:
            (self.directory / "base.cfg").write_text(self.config(Setup()))
            path.write_text(self.to(self.setup.cfg))
        else:
            path.write_text(self.config(self.setup, self.listens()))
        return path

    def config(self, setup: Setup, listens: list[str] | None = None) -> str:
        """The text of a kamailio.cfg. Without ``listens``, modules and all else that a case need not care for."""
        modules = [*MODULES, *(m for m in setup.modules if m not in MODULES)]
        lines = ["#!KAMAILIO", "debug=2", "log_stderror=yes", "children=1", "tcp_children=1", "auto_aliases=no"]
        lines += ["dns=no", "rev_dns=no", "tcp_accept_no_cl=yes"]
        if listens is not None:
            lines.append('alias="example.com"')
            lines += [f"alias={alias}" if ":" in alias else f'alias="{alias}"' for alias in setup.aliases]
            lines += [f"listen={text}" for text in listens]
        lines += [f"{name}={self.to(value)}" for name, value in setup.settings]
        lines += [f'loadmodule "{name}.so"' for name in (*modules, "app_python3")]
        url = f"sqlite:///{self.database}"
        lines += [_modparam(m, "db_url", url) for m in (*_WITH_DB, *(m for m in setup.modules if m in _USE_DB))]
        lines += [
            _modparam("jsonrpcs", "dgram_socket", f"{self.directory}/rpc.sock"),
            _modparam("jsonrpcs", "transport", 4),
            _modparam("app_python3", "load", str(DISPATCH)),
            *(_modparam(m, n, self.to(v) if isinstance(v, str) else v) for m, n, v in setup.modparams),
            'cfgengine "python"',
        ]
        return "\n".join(lines) + "\n"

    def listens(self) -> list[str]:
        own = [f"udp:{WRITTEN}1:5060", f"tcp:{WRITTEN}1:5060"]
        return [self.to(text) for text in (*own, *self.setup.listens)]

    def udp_addresses(self) -> list[str]:
        """Where messages over UDP can be sent to."""
        return [text.split()[0].partition(":")[2] for text in self.listens() if text.startswith("udp:")]

    def answers(self, timeout: float = 0.1, user: str = "") -> bool:
        """Whether the dispatcher runs: a barrier is told."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((f"{self.network.prefix}249", 0))
            probe.sendto(barrier(f"{self.network.prefix}249:5060", "hello"), (self.host, 5060))
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                return bool(self.notes.recv(65536))
            except BlockingIOError:
                time.sleep(0.005)
        return False

    def started(self, deadline: float) -> None:
        time.sleep(0.1)

    def stop(self, timeout: float = 10.0, check: bool = True) -> None:
        try:
            super().stop(timeout, check)
        finally:
            for peer in self.ngs.values():
                peer.close()
            if self.current >= 0:
                self.network.close()
                self.notes.close()
                os.close(self.current)
                self.current = -1

    def rpc(self, method: str, params: list[Any]) -> Any:
        """The answer of jsonrpcs' datagram socket: ``{"result": ...}`` or ``{"error": {"code", "message"}}``."""
        request: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": method}
        if params:
            request["params"] = params
        path = self.directory / f"rpc-{time.monotonic_ns()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(str(path))
            sock.settimeout(5.0)
            sock.sendto(json.dumps(request).encode(), str(self.directory / "rpc.sock"))
            data = sock.recv(1 << 20)
        path.unlink()
        try:
            answer = json.loads(data)
        except ValueError:
            return {"text": data.decode("latin-1")}
        return {name: answer[name] for name in ("result", "error") if name in answer}


def barrier(source: str, token: str) -> bytes:
    """A message that the dispatcher only reports: what came before it at the same socket has been dealt with."""
    return (
        f"PARITY sip:{token} SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bKparity\r\nFrom: <sip:p@p>;tag=p\r\n"
        f"To: <sip:p@p>\r\nCall-ID: parity\r\nCSeq: 1 PARITY\r\nContent-Length: 0\r\n\r\n"
    ).encode()


class Kamailio(Target):
    kind = "kamailio"

    def command(self) -> list[str]:
        kamailio = need("kamailio", package="kamailio kamailio-python3-modules kamailio-sqlite-modules")
        config = self.write_config()
        defines = [part for define in self.setup.defines for part in ("-A", self.to(define))]
        return [
            *(kamailio, "-DD", "-E", "-f", str(config), "-Y", str(self.directory), "-m", "48", "-M", "8"),
            *defines,
        ]


class Embedded(Target):
    kind = "embedded"

    def command(self) -> list[str]:
        command = [sys.executable, "-m", "ksrshell", "serve"]
        ends = ["--db", f"sqlite:///{self.database}", "--name", "parity", "--control", str(self.directory / "control")]
        if self.setup.cfg:
            defines = [part for define in self.setup.defines for part in ("-A", self.to(define))]
            return [*command, str(self.write_config()), *defines, *ends]
        command.append(str(DISPATCH))
        for text in self.listens():
            command += ["--listen", text]
        for alias in ("example.com", *self.setup.aliases):
            command += ["--alias", alias]
        command += ["--modparam", "core:tcp_accept_no_cl=yes"]  # as in Kamailio's cfg
        params = [("core", name, value.strip('"')) for name, value in self.setup.settings]
        for module, name, value in (*params, *self.setup.modparams):
            command += ["--modparam", f"{module}:{name}={self.to(value) if isinstance(value, str) else value}"]
        return [*command, "--rpc-socket", str(self.directory / "rpc.sock"), *ends]


def _modparam(module: str, name: str, value: int | str) -> str:
    if isinstance(value, int):
        return f'modparam("{module}", "{name}", {value})'
    text = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'modparam("{module}", "{name}", "{text}")'
