"""``ksrshell doctor`` and ``ksrshell agent``: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ksrcore.kamailio.checkup import AGENT
from ksrshell.main import main

SCRIPT = "import KSR\ndef ksr_request_route(msg):\n    return 1\ndef ksr_onsend_route(msg):\n    return 1\n"


@pytest.fixture
def cfg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KSRSHELL_DIR", str(tmp_path))
    (tmp_path / "routes.py").write_text(SCRIPT)
    path = tmp_path / "kamailio.cfg"
    path.write_text(
        'children=CHILDREN\nloadmodule "jsonrpcs.so"\nloadmodule "app_python3.so"\n'
        f'modparam("app_python3", "load", "{tmp_path}/routes.py")\ncfgengine "python"\n'
    )
    return path


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


def test_doctor(cfg: Path) -> None:
    result = invoke("doctor", cfg, "-A", "CHILDREN=1")
    assert result.exit_code == 1
    assert (
        f"{cfg}: error[no-agent]: the agent is not installed; `ksrshell agent {cfg} -A CHILDREN=1` says"
        in result.output
    )
    assert f"{cfg}:1: warning[children]: children=1" in result.output
    assert f"1 error, 2 warnings, 1 info in {cfg}" in result.output
    (cfg.parent / "routes.py").write_text(SCRIPT + "import ksragent\n")
    result = invoke("doctor", cfg, "-A", "CHILDREN=4", "--json")
    found = json.loads(result.stdout)
    assert [each for each in found if each["severity"] != "info"] == []
    assert result.exit_code == 0


@pytest.mark.parametrize("words", [("/no/kamailio.cfg",), ("nobody",)])
def test_doctor_has_nothing_to_look_at(cfg: Path, words: tuple[str, ...]) -> None:
    result = invoke("doctor", *words)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")


def test_a_bad_define(cfg: Path) -> None:
    result = invoke("doctor", cfg, "-A", "=x")
    assert result.exit_code == 2 and "-A expects NAME or NAME=VALUE" in result.output


def test_agent(cfg: Path) -> None:
    result = invoke("agent", cfg, "-A", "CHILDREN=4")
    assert result.exit_code == 0
    assert f'    import sys; sys.path.append("{AGENT.parent}"); import ksragent\n' in result.output
    assert f"2. Or replace the line {cfg}:4" in result.output
    assert f'    #!define KSRAGENT_SCRIPT "{cfg.parent}/routes.py"\n' in result.output
    assert f'    modparam("app_python3", "load", "{AGENT}")\n' in result.output
    answer = json.loads(invoke("agent", cfg, "-A", "CHILDREN=1", "--json").stdout)
    assert answer["installed"] is False and answer["cfg_place"] == f"{cfg}:4"
    assert any("children=1" in problem for problem in answer["problems"])
    assert invoke("agent", "--path").output.strip() == str(AGENT.parent)
    (cfg.parent / "routes.py").write_text(SCRIPT + answer["script_line"] + "\n")
    assert "The agent is installed" in invoke("agent", cfg, "-A", "CHILDREN=4").output


def test_agent_for_a_cfg_without_a_script(cfg: Path) -> None:
    cfg.write_text('loadmodule "sl.so"\nrequest_route { exit; }\n')
    output = invoke("agent", cfg).output
    assert f"{cfg} loads no script in Python." in output
    assert "What is needed first:" in output and "error[no-python]" in output


def test_a_cfg_that_is_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "no.cfg"
    for command in ("doctor", "agent"):
        result = invoke(command, missing)
        assert result.exit_code == 2
        assert result.output == f"Error: {missing}: cannot be read: No such file or directory\n"


def test_what_it_says_to_type_has_the_defines(cfg: Path) -> None:
    result = invoke("doctor", cfg, "-A", "CHILDREN=4", "-A", "WITH_X", "-A", "NAME=two words")
    assert f"`ksrshell agent {cfg} -A CHILDREN=4 -A WITH_X -A 'NAME=two words'` says" in result.output
