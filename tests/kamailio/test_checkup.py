"""What is wrong with a Kamailio: each kind, by the cfg or the script that has it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ksrcore.kamailio import checkup
from ksrcore.kamailio.agents import Server
from ksrcore.kamailio.cfg import Config, read
from ksrcore.kamailio.embed import plan, real_script
from ksrcore.kamailio.lexer import CfgError
from ksrcore.kemi import MODULES

SCRIPT = """
import KSR
def ksr_request_route(msg):
    KSR.sl.send_reply(200, "OK")
    return 1
def ksr_reply_route(msg):
    return 1
def ksr_onsend_route(msg):
    return 1
"""
AGENT = "import sys; sys.path.append('/x'); import ksragent\n"
LOADED = 'loadmodule "sl.so"\nloadmodule "jsonrpcs.so"\nloadmodule "app_python3.so"\n'
ENGINE = 'modparam("app_python3", "load", "{}")\ncfgengine "python"\n'
MORE = "children=4\n"


def config(folder: Path, text: str = "", script: str = SCRIPT + AGENT, *, loaded: str = LOADED) -> Config:
    (folder / "routes.py").write_text(script)
    path = folder / "kamailio.cfg"
    path.write_text(f"{loaded}{ENGINE.format(folder / 'routes.py')}{text or MORE}")
    return read(path)


def codes(config: Config) -> list[str]:
    return [problem.code for problem in checkup.check_config(config) if problem.severity != "info"]


def test_nothing_wrong(tmp_path: Path) -> None:
    assert codes(config(tmp_path)) == []


@pytest.mark.parametrize(
    ("text", "script", "loaded", "expected"),
    [
        (MORE, SCRIPT, LOADED, ["no-agent"]),
        (MORE, SCRIPT + "# import ksragent\n", LOADED, ["no-agent"]),
        ('modparam("app_python3", "threads_mode", 1)\n' + MORE, "", LOADED, ["threads-mode"]),
        ("children=1\n", "", LOADED, ["children"]),
        ("fork=no\n", "", LOADED, ["fork"]),
        (MORE, "", LOADED.replace('loadmodule "jsonrpcs.so"\n', ""), ["no-rpc"]),
        ('modparam("jsonrpcs", "transport", 1)\n' + MORE, "", LOADED, ["no-rpc"]),
        (MORE, "", LOADED.replace('loadmodule "sl.so"\n', ""), ["module-not-loaded"]),
        ('cfgengine "python3s"\n' + MORE, "", LOADED, ["engine"]),
        (MORE, "def ksr_request_route(msg:\n" + AGENT, LOADED, ["script-syntax"]),
        (MORE, SCRIPT.replace("send_reply", "send_repl") + AGENT, LOADED, ["script-unknown-function"]),
        (
            MORE,
            SCRIPT.replace("def ksr_onsend_route(msg):\n    return 1\n", ""),
            LOADED,
            ["no-agent", "script-missing-callback"],
        ),
    ],
)
def test_each_kind(tmp_path: Path, text: str, script: str, loaded: str, expected: list[str]) -> None:
    assert codes(config(tmp_path, text, script or SCRIPT + AGENT, loaded=loaded)) == expected


def test_threads_mode_is_named_with_its_line(tmp_path: Path) -> None:
    found = config(tmp_path, 'modparam("app_python3", "threads_mode", 1)\nchildren=4\n')
    (problem,) = [each for each in checkup.check_config(found) if each.code == "threads-mode"]
    assert str(problem).startswith(f"{tmp_path}/kamailio.cfg:6: error[threads-mode]: threads_mode=1 lets a worker wait")


def test_a_native_cfg(tmp_path: Path) -> None:
    path = tmp_path / "kamailio.cfg"
    path.write_text('loadmodule "sl.so"\nrequest_route { exit; }\n')
    assert codes(read(path)) == ["engine", "no-python", "no-rpc"]
    with pytest.raises(CfgError, match="kamailio.cfg:2: request_route routes in Kamailio's own language"):
        plan(read(path), ["sl"], [])


def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    found = config(tmp_path)
    (tmp_path / "routes.py").unlink()
    assert codes(found) == ["script", "no-agent"]


def test_the_agent_in_the_scripts_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KSRAGENT_SCRIPT", raising=False)
    (tmp_path / "routes.py").write_text(SCRIPT)
    path = tmp_path / "kamailio.cfg"
    define = f'#!define KSRAGENT_SCRIPT "{tmp_path}/routes.py"\n'
    path.write_text(LOADED + define + ENGINE.format(checkup.AGENT) + MORE)
    found = read(path)
    assert checkup.agent_in(found) and real_script(found) == f"{tmp_path}/routes.py"
    assert codes(found) == []
    assert plan(found, [], []).script == f"{tmp_path}/routes.py"
    path.write_text(LOADED + ENGINE.format(checkup.AGENT) + MORE)
    assert codes(read(path)) == ["no-script"]
    path.write_text(LOADED + define + ENGINE.format("/nowhere/ksragent.py") + MORE)
    assert codes(read(path)) == ["agent-path"]


def test_what_the_servers_user_cannot_read(tmp_path: Path) -> None:
    file = tmp_path / "agent" / "__init__.py"
    file.parent.mkdir(mode=0o700)
    file.touch()
    for folder in (*tmp_path.parents, tmp_path):
        if folder.stat().st_uid == os.geteuid() and folder.name.startswith("pytest"):
            folder.chmod(0o755)
    tmp_path.chmod(0o755)
    if os.geteuid() == 0:
        assert checkup.unreadable(file, "nobody") == str(file.parent)
        file.parent.chmod(0o755)
        assert checkup.unreadable(file, "nobody") == ""
    assert checkup.unreadable(file, "root") == ""
    assert checkup.unreadable(file, "no-such-user") == ""


def test_the_linked_python(tmp_path: Path) -> None:
    library = tmp_path / "app_python3.so"
    library.write_bytes(b"\x7fELF...libpython3.8.so.1.0\0")
    assert checkup.linked_python(str(library)) == (3, 8)
    assert checkup.linked_python(str(tmp_path / "none")) is None
    found = config(tmp_path, f'mpath="{tmp_path}"\n{MORE}')
    assert codes(found) == ["python-version"]


def test_an_old_kamailio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "kamailio"
    program.write_text("#!/bin/sh\necho 'version: kamailio 4.4.1 (x86_64/linux)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert codes(config(tmp_path)) == ["version"]
    program.write_text("#!/bin/sh\necho nothing\n")
    assert [p.text for p in checkup.check_config(config(tmp_path)) if p.code == "version"] == [
        f"{program} -v says no version: 'nothing\\n'"
    ]


def test_folders_of_servers(tmp_path: Path) -> None:
    folder = tmp_path / "r.kamailio"
    folder.mkdir()
    (problem,) = checkup.check_server(Server("r", folder, facts={"pid": 1}))
    assert (problem.code, problem.severity) == ("stale-folder", "warning")
    (problem,) = checkup.check_server(Server("r", folder, problem=f"{folder} belongs to eve: attach as that user"))
    assert problem.code == "folder" and problem.remedy == "attach as that user"
    (folder / "state").write_bytes(b"x" * 100)
    (problem,) = checkup.check_server(Server("r", folder, facts={"pid": 1}, alive=True))
    assert problem.code == "agent-version"


def test_a_plan_for_the_embedded_core(tmp_path: Path) -> None:
    text = """
    listen=udp:127.0.0.1:5062 advertise 1.2.3.4:5060 name "a"
    listen=127.0.0.1
    listen=udp:lo:5070
    alias=example.com udp:example.org:5060
    port=5066
    tcp_accept_no_cl=yes
    mhomed=1
    loadmodule "tm.so"
    loadmodule "lcr.so"
    modparam("tm", "fr_timer", 5000)
    """
    names = [module.name for module in MODULES]
    found = plan(config(tmp_path, text), names, ["tcp_accept_no_cl"])
    assert found.listens == [
        "udp:127.0.0.1:5062 advertise 1.2.3.4:5060 name a",
        "udp:127.0.0.1:5066",
        "tcp:127.0.0.1:5066",
        "udp:127.0.0.1:5070",
    ]
    assert found.aliases == ["example.com", "udp:example.org:5060"]
    assert found.modparams == ["tm:fr_timer=5000", "core:tcp_accept_no_cl=1"]
    assert [text.partition(": ")[2] for text in found.warnings] == [
        "not implemented here, their functions raise an error when they are called: modules lcr",
        "these settings have no effect here: mhomed",
    ]
    assert plan(config(tmp_path, "port=5066\n"), names, []).listens[0] == "udp:127.0.0.1:5066"
    text = """
    listen=udp:127.0.0.1:5062 name "a"
    advertised_address="1.2.3.4"
    advertised_port=5099
    my.number = 5 desc "five"
    kemi.onsend_route_callback=""
    event_route[htable:mod-init] { }
    """
    found = plan(config(tmp_path, text), names, [])
    assert found.listens == ["udp:127.0.0.1:5062 advertise 1.2.3.4:5099 name a"]
    assert found.custom == {("my", "number"): 5}
    assert len(found.warnings) == 2
    assert "event routes in Kamailio's own language are not run here: event_route[htable:mod-init]" in found.warnings[0]
    assert "kemi.onsend_route_callback are ignored" in found.warnings[1]
    with pytest.raises(CfgError, match="request_route routes in Kamailio's own language"):
        plan(config(tmp_path, "request_route { exit; }\n"), names, [])
    with pytest.raises(CfgError, match="no address, no interface"):
        plan(config(tmp_path, "listen=udp:no-such-host.invalid:5060\n"), names, [])
    with pytest.raises(CfgError, match="sctp is not spoken here"):
        plan(config(tmp_path, "listen=sctp:127.0.0.1:5060\n"), names, [])
