"""ksrshell check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ksrcore.script.check import CODES
from ksrshell.check import check
from script.faultless import script


def run(*args: str | Path, typed: str | None = None) -> Result:
    return CliRunner().invoke(check, [str(arg) for arg in args], input=typed)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.py"
    path.write_text(script("KSR.tm.t_relay()"))
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.py"
    path.write_text(script('KSR.inf("é")\nif KSR.tm.t_relay():\n    KSR.msilo.mstore()'), "utf-8-sig")
    return path


@pytest.fixture
def doubtful(tmp_path: Path) -> Path:
    path = tmp_path / "doubtful.py"
    path.write_text(script("if KSR.tm.t_relay():\n    pass"))
    return path


def test_nothing_found(good: Path) -> None:
    result = run(good)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing found in 1 file\n")


def test_the_format_that_editors_read(bad: Path, good: Path) -> None:
    result = run(good, bad)
    assert result.exit_code == 1
    first, second, third = result.stdout.splitlines()
    assert first.startswith(f"{bad}:17:9: error[unknown-function]: KSR.inf: no Kamailio exports this name to KEMI;")
    assert second.startswith(f"{bad}:18:12: warning[truth-value]: ")
    assert third.startswith(f"{bad}:19:13: info[not-implemented]: ")
    assert result.stderr == "1 error, 1 warning, 1 info in 2 files\n"


def test_strict(doubtful: Path, good: Path) -> None:
    assert run(doubtful).exit_code == 0
    assert run("--strict", doubtful).exit_code == 1
    assert run("--strict", good).exit_code == 0


def test_json(bad: Path, good: Path) -> None:
    found = json.loads(run("--json", bad).stdout)
    assert [each["code"] for each in found] == ["unknown-function", "truth-value", "not-implemented"]
    assert {key: found[0][key] for key in found[0] if key != "text"} == {
        "file": str(bad),
        "line": 17,
        "column": 9,
        "end_line": 17,
        "end_column": 16,
        "severity": "error",
        "code": "unknown-function",
    }
    result = run("--json", good)
    assert (json.loads(result.stdout), result.stderr) == ([], "")


def test_versions_of_kamailio(tmp_path: Path) -> None:
    path = tmp_path / "new.py"
    path.write_text(script("KSR.pvx.shvinc_get('x')"))
    assert run(path).exit_code == run("--kamailio", "6.2", path).exit_code == 0
    assert "error[other-version]" in run("--kamailio", "5.6", path).stdout
    result = run("--kamailio", "5.1", path)
    assert result.exit_code == 2
    assert "no table of Kamailio '5.1': there are 5.6.3, 6.2-dev" in result.stderr


def test_the_standard_input(bad: Path) -> None:
    result = run("-", typed=bad.read_text())
    assert result.exit_code == 1
    assert result.stdout.startswith("-:17:9: error[unknown-function]: ")


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("routing.lua", b"x", "routing.lua: Lua: only scripts in Python can be checked so far"),
        ("routing.js", b"x", "routing.js: JavaScript: only scripts in Python can be checked so far"),
        ("routing.py", b"\xff", "routing.py: not UTF-8: invalid start byte at byte 0"),
        ("none.py", None, "none.py: No such file or directory"),
    ],
)
def test_what_cannot_be_checked(tmp_path: Path, good: Path, name: str, data: bytes | None, text: str) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    result = run(path, good)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [f"ksrshell check: {tmp_path}/{text}", "nothing found in 1 file"]
    # Nothing was checked, so nothing is said to be fine.
    assert run(path).stderr.splitlines() == [f"ksrshell check: {tmp_path}/{text}"]


def test_list_codes() -> None:
    result = run("--list-codes")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(CODES)


def test_no_script() -> None:
    assert run().exit_code == 2
    assert "Missing argument 'SCRIPTS...'" in run().stderr


def test_the_bundled_script_is_without_fault() -> None:
    import ksrshell.demo

    (folder,) = ksrshell.demo.__path__
    result = run(Path(folder) / "routing.py")
    assert result.exit_code == 0
    assert "[truth-value]" not in result.stdout and "[dropped-exit]" not in result.stdout
