"""Finding running proxies, and the stale sockets of dead ones."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ksrshell.errors import AttachError
from ksrshell.proxies import is_stale, publish, remove_stale, resolve, running
from shell.fake import FakeProxy


def stale(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    return path


def test_running(runtime: Path, fake: FakeProxy) -> None:
    stale(runtime / "dead.sock")
    (runtime / "no-socket.sock").write_text("")
    found = {each.name: each for each in running()}
    assert sorted(found) == ["dead", "fake"]
    assert found["fake"].hello["pid"] == 4711
    assert found["fake"].stats["captured"] == 13
    assert found["dead"].stale and "nobody listens" in found["dead"].problem


def test_a_stale_socket_is_removed(runtime: Path) -> None:
    path = stale(runtime / "dead.sock")
    (found,) = running()
    assert remove_stale(found)
    assert not path.exists()
    assert not remove_stale(found)


def test_a_socket_that_is_bound_and_not_yet_listening_stays(runtime: Path) -> None:
    path = runtime / "starting.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        (found,) = running()
        assert not found.stale
        assert not remove_stale(found)
        assert path.exists()
    assert is_stale(path)


def test_somebody_elses_stale_socket_stays(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stale(runtime / "dead.sock")
    (found,) = running()
    monkeypatch.setattr("os.geteuid", lambda: 54321)
    assert not remove_stale(found)
    assert path.exists()


def test_resolve(runtime: Path) -> None:
    with pytest.raises(AttachError, match="no proxy is running: start one with"):
        resolve()
    with FakeProxy(runtime / "one.sock", "one") as one:
        assert resolve() == one.path
        assert resolve("one") == one.path
        assert resolve("/some/where.sock") == Path("/some/where.sock")
        with pytest.raises(AttachError, match="no proxy named 'three'; running: one"):
            resolve("three")
        with (
            FakeProxy(runtime / "two.sock", "two"),
            pytest.raises(AttachError, match="several proxies are running, name one: one, two"),
        ):
            resolve()
    with pytest.raises(AttachError, match="no proxy named 'one'; none is running"):
        resolve("one")


def test_a_runtime_folder_open_to_others(runtime: Path) -> None:
    runtime.chmod(0o755)
    with pytest.raises(AttachError, match="expected 0700"):
        running()


def test_a_proxy_elsewhere_gets_a_name(runtime: Path, fake: FakeProxy, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.sock"
    (runtime / "fake.sock").rename(elsewhere)
    first, second = publish(elsewhere, "demo"), publish(elsewhere, "demo")
    assert (first, second) == (runtime / "demo.sock", runtime / "demo-2.sock")
    assert [each.name for each in running() if each.hello] == ["demo", "demo-2"]
    assert resolve("demo").resolve() == elsewhere


def test_the_name_of_a_demo_that_was_killed_is_taken_again(runtime: Path, fake: FakeProxy, tmp_path: Path) -> None:
    (runtime / "demo.sock").symlink_to(tmp_path / "gone.sock")
    assert publish(runtime / "fake.sock", "demo") == runtime / "demo.sock"
    assert [each.name for each in running()] == ["demo", "fake"]
    (runtime / "mine.sock").write_text("")
    assert publish(runtime / "fake.sock", "mine") == runtime / "mine-2.sock"


def test_no_name_where_the_runtime_folder_is_not_safe(runtime: Path) -> None:
    runtime.chmod(0o755)
    assert publish(runtime / "a.sock", "demo") is None
