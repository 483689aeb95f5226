"""The control socket: whose it is, what is in its place, what a dead proxy left."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ksrcore.control.socket import ControlSocketError, check_control_path, open_control_socket, peer_uid


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    # A Unix socket's path is short; pytest's folders may not be.
    here = Path.cwd()
    os.chdir(tmp_path)
    yield Path("a.sock")
    os.chdir(here)


def test_only_the_owner_can_open_it(path: Path) -> None:
    with open_control_socket(path, "a"):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_socket_left_by_a_dead_proxy_is_replaced(path: Path) -> None:
    open_control_socket(path, "a").close()
    assert path.exists()
    with open_control_socket(path, "a"), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_second_proxy_of_the_name_is_refused(path: Path) -> None:
    with open_control_socket(path, "a"):
        with pytest.raises(ControlSocketError, match="a proxy named 'a' is already running at a.sock"):
            open_control_socket(path, "a")
        assert path.exists()


def test_looking_makes_nothing(path: Path) -> None:
    assert not check_control_path(path, "a")
    with pytest.raises(ControlSocketError, match="new/a.sock: its folder new does not exist; create it first"):
        check_control_path(Path("new/a.sock"), "a")
    assert os.listdir() == []
    open_control_socket(path, "a").close()
    assert check_control_path(path, "a")
    assert path.exists()


def test_a_link_to_a_proxy_elsewhere_counts_as_that_proxy(path: Path) -> None:
    elsewhere = path.with_name("elsewhere.sock")
    path.symlink_to(elsewhere)
    assert check_control_path(path, "a")
    with open_control_socket(elsewhere, "b"), pytest.raises(ControlSocketError, match="'a' is already running"):
        check_control_path(path, "a")


def test_a_file_in_its_place_is_left_alone(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(ControlSocketError, match="a.sock exists and is not a socket"):
        open_control_socket(path, "a")
    assert path.read_text() == "mine"


def test_a_socket_of_another_user_is_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_control_socket(path, "a").close()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(ControlSocketError, match="belongs to user"):
        open_control_socket(path, "a")
    assert path.exists()


def test_a_path_that_is_too_long(path: Path) -> None:
    with pytest.raises(ControlSocketError, match="107 bytes"):
        open_control_socket(Path("x" * 120), "a")


def test_a_file_where_the_folder_should_be(path: Path) -> None:
    path.write_text("a file")
    with pytest.raises(ControlSocketError, match="its folder a.sock does not exist"):
        open_control_socket(path / "b.sock", "b")


def test_the_peer_is_known(path: Path) -> None:
    one, two = socket.socketpair(socket.AF_UNIX)
    with one, two:
        assert peer_uid(one) == os.geteuid()
