"""``ksrshell kernel install``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ksrshell.main import main


def run(*words: str) -> tuple[int, str]:
    found = CliRunner().invoke(main, ["kernel", "install", *words])
    return found.exit_code, found.output


def test_into_another_environment(tmp_path: Path) -> None:
    code, output = run("--prefix", str(tmp_path))
    folder = tmp_path / "share" / "jupyter" / "kernels" / "ksr"
    assert (code, output) == (0, f"installed {folder}\n")
    spec = json.loads((folder / "kernel.json").read_text())
    assert spec["argv"] == [sys.executable, "-m", "ksrkernel", "-f", "{connection_file}"]
    assert (spec["display_name"], spec["interrupt_mode"]) == ("KSR (SIP routing)", "signal")
    assert (folder / "logo-svg.svg").exists()
    assert run("--prefix", str(tmp_path))[0] == 0  # again: over the one before


def test_for_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    assert run() == (0, f"installed {tmp_path / 'kernels' / 'ksr'}\n")


def test_what_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    code, output = run("--prefix", str(tmp_path / "file"))
    assert code == 1 and output.startswith("Error: cannot write ") and output.count("\n") == 1
    assert run("--user", "--sys-prefix")[0] == 2
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    monkeypatch.setattr("ksrshell.kernel.find_spec", lambda name: None)
    assert run()[1] == (
        "Error: the KSR kernel needs ipykernel, which is not installed here: pip install 'ksrshell[kernel]'\n"
    )
