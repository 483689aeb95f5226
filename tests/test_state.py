import os
import tempfile
from pathlib import Path

import pytest

from ksrcore.state import StateError, default_db_url, runtime_dir, state_dir


def test_state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "x"))
    assert state_dir() == tmp_path / "x" / "ksrshell"
    assert state_dir().stat().st_mode & 0o777 == 0o700
    assert default_db_url() == f"sqlite:///{tmp_path}/x/ksrshell/ksrshell.db"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_STATE_HOME", value)
        assert state_dir() == tmp_path / "home" / ".local" / "state" / "ksrshell"


def test_state_dir_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(StateError, match="cannot be made: .*; set XDG_STATE_HOME"):
        state_dir()


def test_runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = runtime_dir()
    assert folder == runtime_dir() == tmp_path / "ksrshell"
    assert folder.stat().st_mode & 0o7777 == 0o700
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert runtime_dir() == tmp_path / f"ksrshell-{os.geteuid()}"


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o500])
def test_runtime_dir_open_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "ksrshell").mkdir()
    (tmp_path / "ksrshell").chmod(mode)
    with pytest.raises(StateError, match=f"has mode {mode:04o}, expected 0700; run: chmod 700"):
        runtime_dir()


def test_runtime_dir_of_another_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "ksrshell").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="is not a directory"):
        runtime_dir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "no"))
    with pytest.raises(StateError, match="cannot be made"):
        runtime_dir()


def test_runtime_dir_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    runtime_dir()
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(StateError, match="belongs to uid"):
        runtime_dir()
