"""Starting nodes: what root does in the folder of another user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ksrcore.kamailio.agents import Server
from ksrshell import nodes
from ksrshell.errors import AttachError


def test_a_folder_that_was_exchanged_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "node.log").write_text("precious")
    folder = tmp_path / "x.kamailio"
    folder.symlink_to(elsewhere)
    with pytest.raises(AttachError, match=r"node\.log cannot be written"):
        nodes.start(Server("x", folder, alive=True))
    assert (elsewhere / "node.log").read_text() == "precious"


def test_a_link_in_the_logs_place_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "node.log").symlink_to(tmp_path / "precious")
    with nodes._new_log(Server("x", tmp_path)) as log:
        log.write(b"x")
    assert (tmp_path / "precious").read_text() == "precious" and (tmp_path / "node.log").read_text() == "x"
    assert (tmp_path / "node.log").stat().st_mode & 0o777 == 0o600


def test_nothing_is_imported_from_where_the_shell_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fcntl.py").write_text("open('imported', 'w')")
    (tmp_path / "argparse.py").write_text("open('imported', 'w')")
    monkeypatch.chdir(tmp_path)
    started: list[list[str]] = []
    real = subprocess.Popen

    def popen(command: list[str], **options: Any) -> Any:
        started.append(command)
        return real(command, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    folder = tmp_path / "x.kamailio"
    folder.mkdir(mode=0o700)
    with pytest.raises(AttachError, match="state"):
        nodes.start(Server("x", folder, alive=True))
    assert started[0][0] == sys.executable and not (tmp_path / "imported").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_roots_environment_stays_with_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "x")
    monkeypatch.setenv("KSRSHELL_DIR", str(tmp_path))
    assert nodes._environment(Server("x", tmp_path)) is None
    os.chown(tmp_path, 65534, 65534)
    kept = nodes._environment(Server("x", tmp_path))
    assert kept is not None and "A_SECRET" not in kept and "PATH" in kept and kept["KSRSHELL_DIR"] == str(tmp_path)
