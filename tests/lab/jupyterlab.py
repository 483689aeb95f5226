"""JupyterLab for a real, headless Chromium: the test drives it, and it makes the documentation's pictures."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from ksrshell.kernel import resources
from lab.ports import free_port

#: What a newcomer does first, a cell each.
CELLS = (
    "%proxy demo",
    "%send INVITE sip:bob@demo.example",
    "invite = msgs.where('method == \"INVITE\" and is_request and not out')[-1]\ntrace(invite)",
    "msgs",
    "use(invite)\nKSR.hdr.append('X-Test: <b>bold</b>\\r\\n')\nKSR.sl.send_reply(404, 'Not Found')\neffects()",
    "%%sip --fill\nMESSAGE sip:bob@demo.example SIP/2.0\nSubject: <script>window.hacked = 1</script>\n\nhello",
    "latency()",
    "traffic()",
)


def notebook(cells: tuple[str, ...] = CELLS) -> dict[str, Any]:
    """A notebook of these cells, not yet run."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "ksr", "display_name": "KSR (SIP routing)", "language": "python"}},
        "cells": [
            {"cell_type": "code", "id": f"cell-{n}", "metadata": {}, "source": source, "outputs": [],
             "execution_count": None}
            for n, source in enumerate(cells)
        ],
    }  # fmt: skip


def kernelspec(folder: Path) -> Path:
    """A folder for JUPYTER_PATH with the kernel of this interpreter in it."""
    target = folder / "kernels" / "ksr"
    target.mkdir(parents=True)
    resources(target, sys.executable)
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Jupyter's folders below ``folder``: nothing of the user's own is read or written."""
    return {
        **os.environ,
        "JUPYTER_PATH": str(kernelspec(folder / "share")),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }


@contextmanager
def jupyterlab(folder: Path, book: Path | None = None, *, dark: bool = False) -> Iterator[str]:
    """JupyterLab with all its files in ``folder``; the notebook's address, token included. Ends with the context.

    ``book``: the notebook, which is copied with all that lies beside it; default: the tour.
    """
    port, token = free_port(), secrets.token_hex(16)
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    if book is None:
        (folder / "notebooks").mkdir()
        (folder / "notebooks" / "tour.ipynb").write_text(json.dumps(notebook()))
    else:
        shutil.copytree(book.parent, folder / "notebooks", ignore=shutil.ignore_patterns("__pycache__"))
    theme = "JupyterLab Dark" if dark else "JupyterLab Light"
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": theme}))
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--port-retries=0",
        f"--IdentityProvider.token={token}", f"--notebook-dir={folder / 'notebooks'}",
        "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    if os.geteuid() == 0:
        command.append("--allow-root")
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment(folder))
    try:
        base = f"http://127.0.0.1:{port}"
        _wait_for(base, token, server, folder / "lab.log")
        yield f"{base}/lab/tree/{'tour.ipynb' if book is None else book.name}?token={token}"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for(base: str, token: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        try:
            with urlopen(Request(f"{base}/api/status", headers={"Authorization": f"token {token}"}), timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")
