"""``ksrshell serve`` with a kamailio.cfg, and with the sockets of jsonrpcs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ksrcore.kamailio.rpcclient import RpcClient, Target
from ksrcore.server import Options, ServeError, serve
from lab.ports import free_port

SCRIPT = """
import KSR
def ksr_request_route(msg):
    KSR.sl.send_reply(200, KSR.kx.get_def("REASON"))
    return 1
"""
CFG = """
#!ifdef WITH_PYTHON
loadmodule "sl.so"
loadmodule "htable.so"
loadmodule "lcr.so"
loadmodule "app_python3.so"
modparam("htable", "htable", "t=>size=4;")
modparam("app_python3", "load", "routes.py")
cfgengine "python"
#!else
request_route { exit; }
#!endif
listen=udp:127.0.0.1:PORT advertise 1.2.3.4:5070 name "one"
alias="example.com"
"""


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A proxy that is ready, ended in order; its folder is the working folder."""
    control = folder / "control.sock"
    command = [sys.executable, "-m", "ksrshell", "serve", *words, "--control", str(control)]
    command += ["--db", f"sqlite:///{folder}/kamailio.db"]
    environment = {**os.environ, "XDG_STATE_HOME": str(folder)}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder, env=environment
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line == f"ready routes {control}\n", (folder / "log").read_text()
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "routes.py").write_text(SCRIPT)
    (tmp_path / "kamailio.cfg").write_text(CFG)
    yield tmp_path
    # A script that was loaded in this process is a module of it.
    for name in ("routes", "KSR"):
        sys.modules.pop(name, None)


def test_a_cfg(folder: Path) -> None:
    port = free_port()
    defines = ["-A", "WITH_PYTHON", "-A", f"PORT={port}", "-A", "REASON=Fine"]
    with serving(folder, "kamailio.cfg", *defines, "--alias", "more.org", "--rpc-socket", "rpc.sock"):
        rpc = RpcClient([Target("dgram", str(folder / "rpc.sock"))])
        (socket,) = rpc.call("corex.list_sockets")
        assert (socket["PORT"], socket["SOCKNAME"], socket["ADVERTISE"]) == (str(port), "one", "1.2.3.4")
        assert [row["ADDR"] for row in rpc.call("corex.list_aliases")] == ["more.org", "example.com"]
        assert rpc.call("htable.listTables")[0]["name"] == "t"
        names = rpc.call("core.ppdefines")
        assert {"WITH_PYTHON", "REASON", "MOD_htable", "KAMAILIO_5_6"} <= set(names)
    log = (folder / "log").read_text()
    assert "kamailio.cfg: not implemented here, their functions raise an error when they are called: modules lcr" in log
    assert not (folder / "rpc.sock").exists()


def test_fifo_and_socket_of_a_script(folder: Path) -> None:
    words = ["--listen", f"udp:127.0.0.1:{free_port()}", "-A", "REASON=Fine"]
    with serving(folder, "routes.py", *words, "--rpc-socket", "a.sock", "--rpc-fifo", "b.fifo"):
        for target in (Target("dgram", f"{folder}/a.sock"), Target("fifo", f"{folder}/b.fifo")):
            assert RpcClient([target]).call("core.ppdefines") == ["REASON"]
    assert not (folder / "b.fifo").exists()


@pytest.mark.parametrize(
    ("text", "defines", "error"),
    [
        (CFG, ["PORT=1"], "request_route routes in Kamailio's own language"),
        (CFG.replace("#!endif", ""), ["PORT=1"], "this #!ifdef or #!ifndef has no #!endif"),
        (CFG, ["=x"], "-A expects NAME"),
        (CFG.replace('"python"', '"lua"'), ["WITH_PYTHON", "PORT=1"], 'cfgengine "lua" is not run here'),
        (
            CFG.replace('"htable", "htable"', '"htable", "nonsense"'),
            ["WITH_PYTHON", f"PORT={free_port()}"],
            "module htable has no parameter 'nonsense'",
        ),
    ],
)
def test_a_cfg_that_is_refused(folder: Path, text: str, defines: list[str], error: str) -> None:
    (folder / "kamailio.cfg").write_text(text)
    options = Options(f"{folder}/kamailio.cfg", defines=defines, control=f"{folder}/c.sock")
    with pytest.raises(ServeError) as caught:
        serve(options)
    assert error in str(caught.value)


def test_a_path_that_is_taken(folder: Path) -> None:
    (folder / "file").touch()
    options = Options(
        f"{folder}/routes.py",
        listens=[f"udp:127.0.0.1:{free_port()}"],
        modparams=[f"jsonrpcs:dgram_socket={folder}/file"],
        db=f"sqlite:///{folder}/kamailio.db",
        control=f"{folder}/c.sock",
    )
    with pytest.raises(ServeError, match="there is a file of that name that is no socket"):
        serve(options)
    assert not (folder / "c.sock").exists()
