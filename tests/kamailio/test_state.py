"""The state page: what is written there is read there, by another mapping of the same file."""

import os
from pathlib import Path

import pytest

from ksrcore.kamailio.ksragent.state import EPOCH, PROC_SLOTS, SIZE, Page, PageError, check_folder

FACTS = {"name": "x", "script": "/x.py", "pid": 7, "generation": 1234}


def pages(folder: Path) -> tuple[Page, Page]:
    path = str(folder / "state")
    return Page(path, create=FACTS, secret="ab" * 16), Page(path)


def test_both_ends_see_the_same(tmp_path: Path) -> None:
    server, node = pages(tmp_path)
    assert node.facts == FACTS and node.generation == 1234 and node.secret == "ab" * 16
    assert (node.attached, node.epoch, node.node) == (False, 0, 0)
    node.attached, node.node = True, 42
    assert node.bump() == 1
    assert server.attached and server.words[EPOCH] == 1 and server.node == 42
    assert os.stat(tmp_path / "state").st_mode & 0o777 == 0o600
    for page in (server, node):
        page.close()


def test_processes_take_slots(tmp_path: Path) -> None:
    server, node = pages(tmp_path)
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    assert [server.take_slot(pid, rank, lock) for pid, rank in ((10, 1), (11, -4), (10, 1))] == [0, 1, 0]
    words = server.slot_words(1)
    words[1], words[2], words[3] = 5, 6, 7
    server.set_linked(1, True)
    assert [tuple(proc) for proc in node.procs()] == [(0, 10, 1, 0, 0, 0, 0), (1, 11, -4, 5, 6, 7, 1)]
    for pid in range(100, 100 + PROC_SLOTS - 2):
        server.take_slot(pid, 1, lock)
    assert server.take_slot(99_999, 1, lock) == -1
    os.close(lock)
    words.release()
    for page in (server, node):
        page.close()


def test_it_lives_as_long_as_a_process_has_it(tmp_path: Path) -> None:
    server, node = pages(tmp_path)
    assert not node.alive()
    server.hold_life()
    assert node.alive()
    server.close()
    assert not node.alive()
    node.close()


@pytest.mark.parametrize("data", [b"", b"KSRAGENT", b"x" * SIZE, b"KSRAGENT" + b"\x09" + b"\0" * (SIZE - 9)])
def test_what_is_no_page_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "state").write_bytes(data)
    with pytest.raises(PageError):
        Page(str(tmp_path / "state"))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    pages(tmp_path)[0].close()
    (tmp_path / "link").symlink_to("state")
    with pytest.raises(OSError, match="."):
        Page(str(tmp_path / "link"))


def test_a_folder_that_is_open_or_anothers_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir(mode=0o700)
    check_folder(str(folder), os.geteuid())
    with pytest.raises(PageError, match="belongs to user"):
        check_folder(str(folder), os.geteuid() + 1)
    folder.chmod(0o750)
    with pytest.raises(PageError, match="chmod 700"):
        check_folder(str(folder), os.geteuid())
    (tmp_path / "y").symlink_to(folder)
    with pytest.raises(PageError, match="no directory"):
        check_folder(str(tmp_path / "y"), os.geteuid())


def test_the_page_is_no_hole(tmp_path: Path) -> None:
    """A process that writes to a hole when the disk is full is ended by the kernel."""
    server, node = pages(tmp_path)
    assert os.stat(tmp_path / "state").st_blocks * 512 >= SIZE
    for page in (server, node):
        page.close()
