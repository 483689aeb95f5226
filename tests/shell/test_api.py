"""``ksrshell api``: what there is of Kamailio's functions."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from ksrcore.kemi import MODULES, known
from ksrshell.main import main


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["api", *args])


def test_a_part_of_the_name_is_enough() -> None:
    result = run("sl.send_rep")
    assert result.exit_code == 0
    assert "KSR.sl.send_reply(code: int, reason: str) -> int" in result.output
    assert "functions: " in result.stderr


@pytest.mark.parametrize("pattern", ["KSR.tm.t_relay", "TM.T_RELAY", "tm.t_rela?"])
def test_patterns(pattern: str) -> None:
    assert "KSR.tm.t_relay() -> int\n" in run(pattern).output


def test_json_has_every_function_of_kamailio() -> None:
    views = json.loads(run("--json").output)
    assert set(views[0]) == {"module", "name", "ret", "params", "versions", "status", "doc"}
    found = {(view["module"], view["name"]): view for view in views}
    assert {(decl.module, decl.name) for decl in known()} <= set(found)
    have = {(decl.module, decl.name) for module in MODULES for decl in module.exports.values()}
    assert {key for key, view in found.items() if view["status"] == "implemented"} == have
    reply = found["sl", "send_reply"]
    assert (reply["ret"], reply["params"]) == ("int", ["int", "str"])
    assert reply["versions"] == ["5.6.3", "6.2-dev"]
    assert found["", "info"]["params"] == ["str"]


def test_by_status() -> None:
    views = json.loads(run("--json", "--status", "known").output)
    assert views
    assert {view["status"] for view in views} == {"known"}
    assert "[known" in run("geoip2.match").output


def test_nothing_matches() -> None:
    result = run("tm.is_method")
    assert result.exit_code == 1
    assert "no KEMI function matches 'tm.is_method'; nearest: KSR.is_method" in result.stderr
    assert (
        "no function that matches 'maxfwd.process_maxfwd' is known"
        in run("maxfwd.process_maxfwd", "--status", "known").stderr
    )
