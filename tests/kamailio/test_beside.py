"""The proxy beside a server: as much of the server's settings as it can have, and a script even when it cannot run."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ksrcore.kamailio.agents import look, servers
from ksrcore.kamailio.beside import Beside, UnrunScript
from ksrcore.kamailio.cfg import read
from ksrcore.kamailio.ksragent.state import Page

CFG = """#!KAMAILIO
listen=udp:127.0.0.1:5066
alias="lab.test"
loadmodule "tm.so"
loadmodule "usrloc.so"
loadmodule "app_python3.so"
modparam("tm", "fr_timer", 7000)
modparam("tm", "no_such_param", 1)
modparam("usrloc", "db_mode", 2)
modparam("usrloc", "db_url", "mysql://x")
modparam("app_python3", "load", "{script}")
cfgengine "python"
"""

SCRIPT = """
import no_such_module
import KSR

LIMIT = 3


def mod_init():
    return kamailio()


class kamailio:
    def __init__(self):
        self.db = no_such_module.connect()

    def ksr_request_route(self, msg):
        return 1
"""


def info(folder: Path, script: str) -> Any:
    path = folder / "route.py"
    path.write_text(script)
    cfg = folder / "kamailio.cfg"
    cfg.write_text(CFG.format(script=path))
    return SimpleNamespace(facts={"script": str(path), "sockets": []}, config=read(cfg), problem="")


def test_it_has_the_settings_that_the_core_knows(tmp_path: Path) -> None:
    beside = Beside(info(tmp_path, SCRIPT.replace("no_such_module", "json").replace("json.connect()", "1")), "x", [])
    assert beside.problem == ""
    proxy = beside.proxy
    assert [listen.text for listen in proxy.listens] == ["udp:127.0.0.1:5066"] and "lab.test" in proxy.aliases
    assert proxy.module("tm").fr_timer == 7000
    assert any("no_such_param" in note for note in beside.notes)
    beside.close()


def test_a_script_that_does_not_run_there_can_still_be_swapped(tmp_path: Path) -> None:
    beside = Beside(info(tmp_path, SCRIPT), "x", [])
    assert "does not run on the embedded core" in beside.problem and "no_such_module" in beside.problem
    script = beside.proxy.script
    assert isinstance(script, UnrunScript)
    assert {route.name for route in script.routes()} >= {"ksr_request_route", "mod_init"}
    plan = script.swaps.prepare("def ksr_request_route(self, msg):\n    return 2\n")
    assert [item.place for item in plan.items] == [("kamailio", "ksr_request_route")]
    beside.close()


def test_folders_that_are_none_are_passed_over(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("KSRSHELL_DIR", str(tmp_path))
    (tmp_path / "empty.kamailio").mkdir(mode=0o700)
    (tmp_path / "open.kamailio").mkdir(mode=0o755)
    (tmp_path / "bad.kamailio").mkdir(mode=0o700)
    (tmp_path / "bad.kamailio" / "state").write_bytes(b"x")
    own = {server.name: server for server in servers() if server.folder.parent == tmp_path}
    assert set(own) == {"open", "bad"}
    assert "chmod 700" in own["open"].problem and "no state page" in own["bad"].problem
    assert not look(tmp_path / "missing.kamailio").problem


def test_a_page_that_others_wrote(tmp_path: Path) -> None:
    for number, text in enumerate((b"[" * 3000, b"[1]", b"7", b"{", b"\xff")):
        folder = tmp_path / f"x{number}.kamailio"
        folder.mkdir(mode=0o700)
        Page(str(folder / "state"), create={"pid": 1, "generation": 2}, secret="a" * 32).close()
        data = bytearray((folder / "state").read_bytes())
        data[72:76] = len(text).to_bytes(4, sys.byteorder)
        data[1024 : 1024 + len(text)] = text
        (folder / "state").write_bytes(data)
        server = look(folder)
        assert not server.facts and "cannot be read" in server.problem


def test_a_module_that_refuses_loses_its_own_parameters_only(tmp_path: Path) -> None:
    given = info(tmp_path, SCRIPT.replace("no_such_module", "json").replace("json.connect()", "1"))
    text = (tmp_path / "kamailio.cfg").read_text()
    more = 'loadmodule "htable.so"\nmodparam("htable", "timer_interval", 0)\n'
    (tmp_path / "kamailio.cfg").write_text(text.replace("cfgengine", more + "cfgengine"))
    given.config = read(tmp_path / "kamailio.cfg")
    beside = Beside(given, "x", [])
    assert beside.proxy.module("tm").fr_timer == 7000 and beside.proxy.module("htable").timer_interval == 20
    assert any(note.startswith("htable: without their parameters") for note in beside.notes)
    assert any("timer_interval expects seconds" in note for note in beside.notes)
    beside.close()
