"""dmq and htable over it between ksrshell and a real Kamailio."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ksrshell import connect
from lab.child import die_with_parent
from lab.needs import need
from lab.ports import free_port

CONFIG = """#!KAMAILIO
debug=0
log_stderror=yes
children=1
disable_tcp=yes
listen=udp:127.0.0.1:{port}
loadmodule "jsonrpcs.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "textops.so"
loadmodule "dmq.so"
loadmodule "htable.so"
modparam("jsonrpcs", "dgram_socket", "{folder}/rpc")
modparam("dmq", "server_address", "sip:127.0.0.1:{port}")
modparam("htable", "htable", "t=>size=4;dmqreplicate=1;")
modparam("htable", "enable_dmq", 1)
request_route {{
    if (is_method("KDMQ")) {{ dmq_handle_message(); }}
}}
"""

SCRIPT = """
import KSR
def ksr_request_route(msg):
    return KSR.dmq.handle_message()
"""


@contextmanager
def kamailio(folder: Path, port: int) -> Iterator[Any]:
    """A Kamailio with dmq; gives ``rpc(method, *params)``."""
    (folder / "k.cfg").write_text(CONFIG.format(port=port, folder=folder))
    command = [need("kamailio", "kamailio"), "-DD", "-E", "-f", str(folder / "k.cfg"), "-Y", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(folder / "me"))
        sock.settimeout(3)

        def rpc(method: str, *params: Any) -> Any:
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            sock.sendto(json.dumps(request).encode(), str(folder / "rpc"))
            answer = json.loads(sock.recv(65536))
            return answer.get("result", answer.get("error"))

        try:
            until(lambda: (folder / "rpc").exists())
            yield rpc
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def ksrshell(folder: Path, command: list[str]) -> Iterator[None]:
    with (folder / "ours").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ksrshell", *command],
            stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=die_with_parent,
        )  # fmt: skip
    try:
        assert process.stdout is not None and process.stdout.readline().startswith("ready")
        yield
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def until(test: Any) -> None:
    end = time.monotonic() + 10
    while not test():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def test_with_a_kamailio(tmp_path: Path) -> None:
    theirs, ours = free_port(), free_port()
    with kamailio(tmp_path, theirs) as rpc:
        rpc("htable.sets", "t", "early", "e")
        (tmp_path / "s.py").write_text(SCRIPT)
        params = [f"dmq:server_address=sip:127.0.0.1:{ours}", f"dmq:notification_address=sip:127.0.0.1:{theirs}"]
        params += ["htable:htable=t=>size=4;dmqreplicate=1", "htable:enable_dmq=1", "htable:dmq_init_sync=1"]
        command = ["serve", str(tmp_path / "s.py"), "--listen", f"udp:127.0.0.1:{ours}"]
        command += ["--db", f"sqlite:///{tmp_path}/db", "--control", str(tmp_path / "c")]
        for param in params:
            command += ["--modparam", param]
        with ksrshell(tmp_path, command), connect(str(tmp_path / "c")) as proxy:
            until(lambda: "early" in str(proxy.rpc("htable.dump", "t")))
            states = {node["port"]: node["status"] for node in rpc("dmq.list_nodes")}
            assert states == {str(theirs): "active", str(ours): "active"}
            rpc("htable.sets", "t", "theirs", "x")
            rpc("htable.delete", "t", "early")
            proxy.rpc("htable.seti", "t", "ours", 5)
            until(lambda: "theirs" in str(proxy.rpc("htable.dump", "t")))
            until(lambda: "early" not in str(proxy.rpc("htable.dump", "t")))
            until(lambda: "'value': 5" in str(rpc("htable.get", "t", "ours")))
