"""The command line: ksrshell, attach, ps."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from ksrshell.main import COMMANDS, main
from shell.fake import FakeProxy


def invoke(*args: str) -> Result:
    return CliRunner().invoke(main, args, prog_name="ksrshell")


def test_help_lists_every_command() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    assert [name for name in COMMANDS if re.search(rf"^  {name} ", result.output, re.M)] == list(COMMANDS)
    for name in COMMANDS:
        assert invoke(name, "--help").exit_code == 0


@pytest.mark.parametrize(
    "words",
    [["demo"], ["run"], ["serve"], ["attach"], ["ps"], ["user"], ["user", "add"], ["user", "rm"], ["user", "list"]],
)
def test_help_has_examples_that_the_command_takes(words: list[str]) -> None:
    shown = invoke(*words, "--help").output
    examples = re.findall(r"^    (ksrshell .*)$", shown, re.M)
    assert examples
    for example in examples:
        given = shlex.split(example.partition(" <")[0])[1:]
        context: click.Context | None = None
        command: click.Command = main
        while isinstance(command, click.Group):
            context = click.Context(command, parent=context)
            found = command.get_command(context, given.pop(0))
            assert found is not None, example
            command = found
        command.make_context(None, given, parent=context)  # raises for an option that is not there


def test_version() -> None:
    assert re.fullmatch(r"ksrshell \d+\.\d+\.\d+\S*\n", invoke("--version").output)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom ksrshell.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'IPython', 'prompt_toolkit', 'rich', 'pygments', 'asyncio', 'sqlite3', 'dns'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_an_unknown_command() -> None:
    result = invoke("atach")
    assert result.exit_code == 2
    assert "No such command 'atach'. Did you mean 'attach'?" in result.output


def test_attach_runs_code(fake: FakeProxy) -> None:
    result = invoke("attach", "fake", "-c", "msgs[-1].method")
    assert (result.exit_code, result.output) == (0, "'BYE'\n")
    assert invoke("attach", str(fake.path), "-c", "1 + 1").output == "2\n"
    assert json.loads(invoke("attach", "-c", "msgs[1]", "--json").output)["id"] == 1


def test_attach_fails_in_one_line(fake: FakeProxy) -> None:
    result = invoke("attach", "-c", "msgs[99]")
    assert (result.exit_code, result.stderr) == (1, "Error: no message 99 yet: the newest is 13\n")
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("args", "code", "error"),
    [
        (("attach",), 1, "Error: the shell needs a terminal; without one, use -c CODE\n"),
        (("attach", "--json"), 2, "--json needs -c CODE"),
        (("attach", "-c", "1"), 1, "Error: no proxy is running: start one with `ksrshell demo`"),
        (("attach", "x", "-c", "1"), 1, "Error: no proxy named 'x'; none is running\n"),
        (("attach", "/no/such.sock", "-c", "1"), 1, "Error: no proxy at /no/such.sock: there is no such socket\n"),
    ],
)
def test_nothing_to_attach_to(runtime: Path, args: tuple[str, ...], code: int, error: str) -> None:
    result = invoke(*args)
    assert result.exit_code == code
    assert error in result.stderr


def test_ps(runtime: Path, fake: FakeProxy) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(runtime / "dead.sock"))
    result = invoke("ps")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["name", "pid", "up", "listens", "script", "engine"]
    assert lines[1].split()[:2] == ["fake", "4711"]
    assert lines[1].split()[-2:] == ["routing.py", "embedded"]
    assert result.stderr == f"dead: its process is gone; removed the stale socket {runtime / 'dead.sock'}\n"
    assert not (runtime / "dead.sock").exists()
    (proxy,) = json.loads(invoke("ps", "--json").stdout)
    assert (proxy["name"], proxy["path"], proxy["captured"]) == ("fake", str(fake.path), 13)


def test_ps_without_proxies(runtime: Path) -> None:
    assert invoke("ps").output.startswith("no proxy is running")
    assert invoke("ps", "--json").output == "[]\n"


def test_ps_in_an_unsafe_folder(runtime: Path) -> None:
    runtime.chmod(0o777)
    result = invoke("ps")
    assert result.exit_code == 1
    assert "expected 0700" in result.output
