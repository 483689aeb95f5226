"""``%edit NAME``: the editor is a program of the user's; what it leaves is swapped in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ksrshell.edit import edit, editor
from ksrshell.errors import UsageError
from ksrshell.session import Session
from shell.fake import FakeProxy

NEW = "def ksr_route_relay(self, msg):\n    return 7\n"


@pytest.fixture
def use_editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An editor that writes what is in the files 1, 2 ... of a folder, one at each start."""
    folder = tmp_path / "texts"
    folder.mkdir()
    script = tmp_path / "editor.py"
    script.write_text(
        "import sys, pathlib\n"
        f"folder = pathlib.Path({str(folder)!r})\n"
        "texts = sorted(folder.glob('[0-9]'))\n"
        "target = pathlib.Path(sys.argv[-1])\n"
        "(folder / 'seen').open('a').write(target.read_text())\n"
        "if texts:\n    target.write_text(texts[0].read_text()); texts[0].unlink()\n"
        "sys.exit(int((folder / 'status').read_text()) if (folder / 'status').exists() else 0)\n"
    )
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")
    return folder


def run(session: Session, answers: list[bool] | None = None) -> tuple[object, list[str]]:
    said: list[str] = []
    left = list(answers or ())
    return edit(session, "ksr_route_relay", lambda question: left.pop(0), said.append), said


def test_a_saved_text_is_swapped_in(session: Session, fake: FakeProxy, use_editor: Path) -> None:
    (use_editor / "1").write_text(NEW)
    done, said = run(session)
    assert "swapped ksr_route_relay: version" in repr(done) and said == []
    assert fake.asked[-1][1]["source"] == NEW
    assert (use_editor / "seen").read_text().startswith("def ")


def test_nothing_changed(session: Session, fake: FakeProxy, use_editor: Path) -> None:
    assert run(session) == (None, ["nothing changed: nothing was swapped"])
    assert fake.asked[-1][0] == "ksr.versions"


def test_what_is_refused_can_be_edited_again(session: Session, use_editor: Path) -> None:
    (use_editor / "1").write_text("nothing = 1\n")
    (use_editor / "2").write_text(NEW)
    done, said = run(session, [True])
    assert "swapped" in repr(done) and said == ["line 1: no function to swap"]
    # The second time the editor had the user's text, not the old one.
    assert (use_editor / "seen").read_text().endswith("nothing = 1\n")


def test_what_is_given_up_is_kept(session: Session, use_editor: Path) -> None:
    (use_editor / "1").write_text("nothing = 1\n")
    done, said = run(session, [False])
    assert done is None
    kept = Path(said[-1].removeprefix("nothing was swapped; the text is in "))
    assert kept.read_text() == "nothing = 1\n"
    kept.unlink()


def test_an_editor_that_fails(session: Session, use_editor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (use_editor / "status").write_text("3")
    with pytest.raises(UsageError, match="ended with status 3: nothing was swapped"):
        run(session)
    monkeypatch.setenv("VISUAL", "/no/such/editor")
    with pytest.raises(UsageError, match="cannot start the editor '/no/such/editor'.*No such file"):
        run(session)


def test_which_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "code --wait")
    monkeypatch.setenv("EDITOR", "nano")
    assert editor() == ["code", "--wait"]
    monkeypatch.delenv("VISUAL")
    assert editor() == ["nano"]
    monkeypatch.delenv("EDITOR")
    assert editor() == ["vi"]
    monkeypatch.setenv("EDITOR", "'")
    with pytest.raises(UsageError, match="cannot read the editor's command"):
        editor()
