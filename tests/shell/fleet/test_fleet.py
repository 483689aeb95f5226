"""Several proxies as one: calls on all, results by node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ksrshell.errors import AttachError, KsrShellError, RemoteError, UnknownName, UsageError
from ksrshell.fleet import ByNode, Fleet, connect_all
from ksrshell.fleet.names import FleetNamespace
from ksrshell.main import main
from ksrshell.runner import evaluate
from shell.fake import SOURCE, FakeProxy, Refused


def test_a_call_is_made_on_every_node(fleet: Fleet) -> None:
    found = fleet.rpc("core.uptime")
    assert isinstance(found, ByNode)
    assert found.values_by_node() == {"east": {"uptime": 75}, "west": {"uptime": 75}}
    assert found["west"] == {"uptime": 75}
    assert repr(found) == "east, west  {'uptime': 75}"


def test_what_is_live_goes_on_by_node(fleet: Fleet) -> None:
    newest = fleet.msgs[-1]
    assert newest.id.values_by_node() == {"east": 13, "west": 13}
    invites = fleet.msgs.where('method == "INVITE"')
    assert invites.nodes() == ["east", "west"]
    assert fleet.use(newest).nodes() == ["east", "west"]
    assert fleet.KSR.pv.get("$ru").nodes() == ["east", "west"]
    assert fleet.current.id["east"] == 13


def test_a_nodes_error_is_its_result(fleet: Fleet, proxies: tuple[FakeProxy, FakeProxy]) -> None:
    def refuse(params: object) -> object:
        raise Refused(500, "no script is loaded")

    proxies[1].methods["core.uptime"] = refuse
    found = fleet.rpc("core.uptime")
    assert found.nodes() == ["east"]
    assert str(found.errors["west"]) == "no script is loaded"
    with pytest.raises(RemoteError):
        found["west"]
    assert repr(found) == "east  {'uptime': 75}\nwest  no script is loaded"
    assert found.to_json() == {"east": {"uptime": 75}, "west": {"error": "no script is loaded"}}
    proxies[0].methods["core.uptime"] = refuse
    with pytest.raises(RemoteError, match=r"^no script is loaded$"):
        fleet.rpc("core.uptime")


def test_a_node_that_went_away_does_not_keep_the_others(fleet: Fleet, proxies: tuple[FakeProxy, FakeProxy]) -> None:
    proxies[1].close()
    found = fleet.rpc("core.uptime")
    assert found.nodes() == ["east"]
    assert isinstance(found.errors["west"], KsrShellError)
    assert fleet.figures()["transactions"] == 3


def test_figures_add_up(fleet: Fleet) -> None:
    assert fleet.figures()["transactions"] == 6
    assert [row[0] for row in fleet.rows()] == ["east", "west"]


def test_names_that_are_not_there(fleet: Fleet) -> None:
    with pytest.raises(UnknownName, match="a fleet has no 'nothing'"):
        fleet.nothing  # noqa: B018
    with pytest.raises(UsageError, match="no node 'north'; there are: east, west"):
        fleet["north"]
    with pytest.raises(UnknownName, match="have no 'nothing'"):
        fleet.msgs[-1].nothing  # noqa: B018


def test_some_of_them(fleet: Fleet) -> None:
    assert list(fleet.only("west")) == ["west"]
    assert fleet.west is fleet["west"]


def test_files_of_names(proxies: tuple[FakeProxy, FakeProxy], tmp_path: Path) -> None:
    names = tmp_path / "nodes.txt"
    names.write_text(f"# the lab\neast\n\n{proxies[1].path}  # by its socket\neast\n")
    with connect_all([f"@{names}"], timeout=5.0) as fleet:
        assert list(fleet) == ["east", "west", "east-2"]
    names.write_text("# nobody\n")
    with pytest.raises(AttachError, match="names no node"):
        connect_all([f"@{names}"])
    with pytest.raises(AttachError, match=r"cannot read the names of nodes in .*: No such file"):
        connect_all(["@/no/such/file"])


def test_one_that_is_not_there_is_an_error_at_once(proxies: tuple[FakeProxy, FakeProxy]) -> None:
    with pytest.raises(AttachError, match="no proxy named 'north'"):
        connect_all(["east", "north"])


def test_the_command(proxies: tuple[FakeProxy, FakeProxy]) -> None:
    result = CliRunner().invoke(main, ["attach", "east", "west", "--json", "-c", "msgs[-1].method"])
    assert result.exit_code == 0
    assert json.loads(result.output) == {"east": "BYE", "west": "BYE"}
    result = CliRunner().invoke(main, ["attach", "east", "west", "-c", "%rpc core.uptime"])
    assert result.output == "east, west  {'uptime': 75}\n"
    result = CliRunner().invoke(main, ["attach", "east", "north", "-c", "1"])
    assert result.exit_code == 1
    assert "no proxy named 'north'" in result.output


def test_names_of_the_prompt(fleet: Fleet) -> None:
    namespace = FleetNamespace(fleet)
    assert evaluate(namespace, "east.msgs[-1].id") == 13
    assert evaluate(namespace, "nodes.west.msgs[-1].id") == 13
    evaluate(namespace, "use(1)")
    assert evaluate(namespace, "effects()").nodes() == ["east", "west"]
    evaluate(namespace, "s = step(1)")
    assert namespace.stepping.nodes() == ["east", "west"]
    assert "canary" in namespace["swap"].usage
    with pytest.raises(UsageError, match="rpc"):
        evaluate(namespace, "rpc()")


def test_figures_side_by_side(fleet: Fleet, proxies: tuple[FakeProxy, FakeProxy]) -> None:
    lines = repr(fleet.stats).splitlines()
    assert lines[0].split() == ["figure", "east", "west"]
    assert lines[-1].split() == ["uptime", "1", "min", "1", "min"]
    proxies[1].close()
    assert repr(fleet.stats).splitlines()[-1].startswith("west  ")


def test_one_that_goes_away_before_it_is_shown(fleet: Fleet, proxies: tuple[FakeProxy, FakeProxy]) -> None:
    shown = fleet.routes
    proxies[0].close()
    lines = repr(shown).splitlines()
    assert any(line.startswith("west \u2500") for line in lines) and any("ksr_request_route" in line for line in lines)
    assert any("east" in line for line in lines) and any(
        "no such socket" in line or "went away" in line for line in lines
    )


def test_nodes_share_the_lines_of_the_terminal(
    fleet: Fleet, proxies: tuple[FakeProxy, FakeProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxies[1].name = "west"
    proxies[1].records = proxies[1].records[:12]
    monkeypatch.setenv("LINES", "24")
    shown = repr(fleet.msgs).splitlines()
    assert len(shown) <= 22 and max(map(len, shown)) <= 80


def test_use_and_view(fleet: Fleet) -> None:
    namespace = FleetNamespace(fleet)
    assert repr(evaluate(namespace, "use(1)")).startswith("east, west  using 1 INVITE ")
    assert evaluate(namespace, "use()").id["west"] == 1
    assert str(evaluate(namespace, "use(None)")) == "no message in use"
    with pytest.raises(UsageError, match="the full screen shows one node"):
        evaluate(namespace, "step(1).view()")


def test_magics(fleet: Fleet, proxies: tuple[FakeProxy, FakeProxy], tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text(SOURCE)
    for proxy in proxies:
        proxy.methods |= {"tm.stats": lambda p: {"total": 1}, "sl.stats": lambda p: {}}
    found = evaluate(
        FleetNamespace(fleet), f"%swap --canary west --for 0.02 --abort-if 'exceptions > 3' {tmp_path}/new.py"
    )
    assert (found.canary, found.taken, "saw no request in 0.02 s" in found.why) == ("west", False, True)
    with pytest.raises(UsageError, match="--canary NODE"):
        evaluate(FleetNamespace(fleet), f"%swap --for soon {tmp_path}/new.py")
    for proxy in proxies:
        proxy.methods["ksr.hold.held"] = lambda p: []
    assert evaluate(FleetNamespace(fleet), "%resume all") is None
    assert [sum(name == "ksr.hold.held" for name, _ in proxy.asked) >= 1 for proxy in proxies] == [True, True]


def test_the_prompts_name_is_short(fleet: Fleet) -> None:
    assert fleet.name == "east+west"
    assert Fleet({f"node-{n}": fleet["east"] for n in range(3)}).name == "3 nodes"
