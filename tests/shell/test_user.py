import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ksrcore.store.database import Database
from ksrcore.store.subscribers import Subscribers
from ksrshell.user import user


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/k.db"


def run(*args: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(user, args, input=typed)


def failed(*args: str, typed: str | None = None) -> str:
    result = run(*args, typed=typed)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def test_add_list_rm(url: str) -> None:
    assert run("list", "--db", url).output == ""
    assert run("add", "alice@a.test", "--password", "wonder", "--db", url).output == "added alice@a.test\n"
    assert run("add", "sip:bob@a.test", "--password", "x", "--db", url).output == "added bob@a.test\n"
    assert run("list", "--db", url).output == "alice@a.test\nbob@a.test\n"
    listed = json.loads(run("list", "--json", "--db", url).output)
    assert listed == [{"username": "alice", "domain": "a.test"}, {"username": "bob", "domain": "a.test"}]
    assert run("rm", "bob@a.test", "--db", url).output == "removed bob@a.test\n"
    assert run("list", "--db", url).output == "alice@a.test\n"


def test_password_is_asked_twice_and_not_shown(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ksrshell.user._terminal", lambda: True)
    result = run("add", "alice@a.test", "--db", url, typed="secret\nother\nsecret\nsecret\n")
    assert result.exit_code == 0
    assert "secret" not in result.output
    assert result.stdout == "added alice@a.test\n"
    with Database.open(url) as db:
        found = Subscribers(db).get("alice")
    assert found is not None and found.password == "secret"


def test_password_from_standard_input(url: str) -> None:
    result = run("add", "alice@a.test", "--db", url, typed="se cret\n")
    assert (result.exit_code, result.output) == (0, "added alice@a.test\n")
    with Database.open(url) as db:
        found = Subscribers(db).get("alice")
    assert found is not None and found.password == "se cret"
    assert "no password on standard input" in failed("add", "bob@a.test", "--db", url, typed="")


def test_names_are_stored_as_utf8(url: str, tmp_path: Path) -> None:
    run("add", "j\u00f6rg@a.test", "--password", "p\u00e4ss", "--db", url)
    outside = sqlite3.connect(tmp_path / "k.db")
    assert outside.execute("SELECT username, password FROM subscriber").fetchall() == [("j\u00f6rg", "p\u00e4ss")]
    outside.close()
    assert run("list", "--db", url).output == "j\u00f6rg@a.test\n"
    assert "j\u00f6rg@a.test exists already" in failed("add", "j\u00f6rg@a.test", "--db", url)


def test_errors(url: str, tmp_path: Path) -> None:
    assert "expected NAME@DOMAIN, got 'alice'" in failed("add", "alice", "--db", url)
    assert "expected NAME@DOMAIN" in failed("rm", "@x", "--db", url)
    assert "the password is empty" in failed("add", "a@b", "--password", "", "--db", url)
    assert "there is no subscriber a@b" in failed("rm", "a@b", "--db", url)
    assert "only SQLite is supported" in failed("list", "--db", "mysql://u:pw@h/d")
    assert "is a directory" in failed("list", "--db", str(tmp_path))
    assert "does not exist" in failed("list", "--db", f"{tmp_path}/n\u00f6/k.db")
    assert "n\u00f6" in failed("list", "--db", f"{tmp_path}/n\u00f6/k.db")


def test_default_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert run("add", "alice@a.test", "--password", "x").exit_code == 0
    assert (tmp_path / "ksrshell" / "ksrshell.db").stat().st_mode & 0o777 == 0o600
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert "cannot be made" in failed("list")
