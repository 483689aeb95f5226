"""Files of snapshots."""

from __future__ import annotations

from pathlib import Path

import pytest

from ksrshell.testing import UsageError
from ksrshell.testing.snapshots import SnapshotMismatch, Snapshots
from shell.testing.routers import REFUSE, Load


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_test_has_files_of_its_own(load: Load, tmp_path: Path) -> None:
    ksr = load(REFUSE)
    r = ksr.route(ksr.request())
    folder = tmp_path / "snapshots"
    for test in ("test_it", "test_it[1]", "TestX.test_it[a b]", "TestX.test_it[a/b]"):
        assert r == Snapshots(folder, test, True)
    found = names(folder)
    assert len(found) == 4 and found[-2:] == ["test_it-1.snap", "test_it.snap"]


def test_a_second_one_and_one_with_a_name(load: Load, tmp_path: Path) -> None:
    ksr = load(REFUSE)
    r = ksr.route(ksr.request())
    folder = tmp_path / "snapshots"
    snapshots = Snapshots(folder, "test_it", True)
    assert r == snapshots and snapshots == r
    snapshots(r, "named")
    assert names(folder) == ["test_it.2.snap", "test_it.named.snap", "test_it.snap"]
    again = Snapshots(folder, "test_it", False)
    assert r == again
    other = ksr.route(ksr.request("OPTIONS"))
    assert other != again
    assert "-CSeq: 1 INVITE" in again.explanation and "+CSeq: 1 OPTIONS" in again.explanation
    with pytest.raises(SnapshotMismatch, match="there is no snapshot .*test_it.new.snap yet"):
        again(r, "new")


def test_wrong_use(load: Load, tmp_path: Path) -> None:
    ksr = load(REFUSE)
    r = ksr.route(ksr.request())
    snapshots = Snapshots(tmp_path, "test_it", False)
    for name in ("../x", "2", "a.b"):
        with pytest.raises(UsageError, match="the name of a snapshot"):
            snapshots(r, name)
    with pytest.raises(UsageError, match="takes what ksr.route"):
        snapshots("404")  # type: ignore[arg-type]
    (tmp_path / "test_it.snap").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="cannot be read"):
        snapshots(r)
