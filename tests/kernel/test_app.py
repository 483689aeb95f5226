"""The kernel's process: who may connect, what is said when it cannot run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.ports import free_port


def start(arguments: list[str], *, prefix: str = "", timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
    code = f"import sys\n{prefix}\nsys.argv = ['k', *{arguments!r}]\nfrom ksrkernel.__main__ import main\nmain()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=timeout)


def connection(folder: Path, **changes: object) -> str:
    ports = {f"{name}_port": free_port() for name in ("shell", "iopub", "stdin", "control", "hb")}
    values = {"transport": "tcp", "ip": "127.0.0.1", "key": "", "signature_scheme": "hmac-sha256", **ports, **changes}
    path = folder / "connection.json"
    path.write_text(json.dumps(values))
    return str(path)


def test_tcp_without_a_key_is_refused(tmp_path: Path) -> None:
    found = start(["-f", connection(tmp_path)])
    assert found.returncode == 1
    (line,) = found.stderr.strip().splitlines()
    assert "no key, and tcp is open to everybody on this machine" in line


def test_without_ipykernel_it_says_what_to_install() -> None:
    found = start(["-f", "none.json"], prefix="sys.modules['ipykernel'] = None")
    assert found.returncode == 1
    assert found.stderr.strip() == (
        "the KSR kernel needs ipykernel, which is not installed here: pip install 'ksrshell[kernel]'"
    )


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_cells_run_over_ipc_and_over_tcp_with_a_key(jupyter: Path, tmp_path: Path, transport: str) -> None:
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="ksr", transport=transport)
    if transport == "ipc":
        manager.ip = str(tmp_path / "kernel")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        reply = client.execute_interactive("1 + 1", timeout=60, output_hook=lambda message: None)
        assert reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
