"""Runs the notebooks of the course as Jupyter does, with the real kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def load(path: Path) -> Any:
    notebook = cast(Any, nbformat).read(path, as_version=4)
    cast(Any, nbformat).validate(notebook)
    return notebook


@contextmanager
def kernel(notebook: Any, folder: Path) -> Iterator[NotebookClient]:
    """A client with a kernel, started for the notebook, of those that Jupyter finds. ``folder``: for its sockets."""
    manager = cast(Any, AsyncKernelManager)(kernel_name="ksr", transport="ipc", ip=str(folder / "ipc"))
    client = NotebookClient(
        notebook, km=manager, timeout=60, kernel_name="ksr", resources={"metadata": {"path": str(FOLDER)}}
    )
    # A manager that it is given it would leave running.
    with client.setup_kernel(cleanup_kc=True):
        yield client


def text(cell: Any) -> str:
    """What a cell has put out, as a reader sees it: the text forms, white space as single spaces."""
    parts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            parts.append(output.text)
        elif output.output_type == "error":
            parts.append("\n".join(output.traceback))
        else:
            parts.append(output.data.get("text/plain", ""))
    return " ".join(_ESCAPES.sub("", "\n".join(parts)).split())


def html(cell: Any) -> str:
    return "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)


def missing(cell: Any) -> list[str]:
    """What a cell's output should have had and has not."""
    expected = cell.metadata.get("ksr", {}).get("expect", [])
    return [
        each
        for each in expected
        if (each.removeprefix("html:").strip() not in html(cell) if each.startswith("html:")
            else " ".join(each.split()) not in text(cell))
    ]  # fmt: skip


def role(cell: Any) -> str:
    return str(cell.metadata.get("ksr", {}).get("role", ""))
