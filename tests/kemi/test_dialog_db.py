"""dialog: the database, and sandboxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ksrcore.debug.sandbox import Sandbox, Sandboxes
from ksrcore.kemi.declare import ParamError
from ksrcore.store.database import Database
from lab.dialogs import Calls

PROFILES = ["dialog:profiles_with_value=v", "dialog:profiles_no_value=n"]
DO = [
    "KSR.pv.seti('$dlg_ctx(timeout_bye)', 1)",
    "KSR.dialog.dlg_manage()",
    "KSR.pv.sets('$dlg_var(x)', '1')",
    "KSR.dialog.var_sets('k', '2')",
    "KSR.dialog.set_dlg_profile('v', 'joe')",
    "KSR.dialog.set_dlg_profile_static('n')",
    "KSR.dialog.dlg_setflag(3)",
]


def rows(calls: Calls) -> list[Any]:
    names = "callid, caller_cseq, callee_cseq, state, timeout, sflags, iflags, req_uri"
    return calls.db.query(f"SELECT {names} FROM dialog")


def variables(calls: Calls) -> list[Any]:
    return calls.db.query("SELECT dialog_key, dialog_value FROM dialog_vars ORDER BY id")


def test_written_at_once(tmp_path: Path) -> None:
    calls = Calls(tmp_path, ["dialog:db_mode=1", *PROFILES])
    calls.invite(DO)
    calls.answer("180 Ringing")
    assert rows(calls) == []
    calls.answer("200 OK")
    assert rows(calls) == [("c1", "1", "0", 3, 1795447200, 8, 1, "sip:bob@127.0.0.1:7777")]
    assert variables(calls) == [("k", "2"), ("x", "1")]
    calls.after(10)
    calls.within("ACK")
    assert rows(calls) == [("c1", "1", "0", 4, 1795447210, 8, 1, "sip:bob@127.0.0.1:7777")]
    calls.within("INFO", ["KSR.dialog.var_sets('z', '4')", "KSR.dialog.var_rm('k')"], cseq=5)
    assert rows(calls)[0][1] == "5"
    assert variables(calls) == [("x", "1"), ("z", "4")]
    calls.within("BYE", cseq=6)
    calls.answer("200 OK", to=calls.out("BYE")[0])
    calls.after(6)
    assert rows(calls) == variables(calls) == []


@pytest.mark.parametrize("mode", [1, 2, 3])
def test_a_restart(tmp_path: Path, mode: int) -> None:
    calls = Calls(tmp_path, [f"dialog:db_mode={mode}", *PROFILES])
    calls.call(DO, fields=["Record-Route: <sip:10.0.0.1;lr>"])
    calls.call(callid="over")
    calls.within("BYE", callid="over", cseq=2)
    before = next(row for row in calls.rpc("dlg.list") if row["call-id"] == "c1")
    calls.restart()
    assert calls.stats() == {"active": 1}
    (row,) = calls.rpc("dlg.list")
    assert {name: row[name] for name in row if row[name] != before[name]} == {
        "dflags": 0, "profiles": [{"v": "joe"}, "n"], "variables": before["variables"],
    } | {"variables": row["variables"]}  # fmt: skip
    assert sorted(map(str, row["variables"])) == sorted(map(str, before["variables"]))
    assert calls.rpc("dlg.profile_get_size", "v", "joe") == 1
    asked = ['KSR.pv.get("$DLG_status")', "KSR.dialog.var_get('x')", "KSR.dialog.is_in_profile('v', 'joe')"]
    assert calls.within("INFO", asked, cseq=6) == [4, "1", 1]
    calls.within("BYE", cseq=7)
    calls.answer("200 OK", to=calls.out("BYE")[-1])
    calls.after(6)
    assert calls.states() == rows(calls) == []


def test_every_now_and_then(tmp_path: Path) -> None:
    calls = Calls(tmp_path, ["dialog:db_mode=2", "dialog:db_update_period=20"])
    calls.call()
    assert rows(calls) == []
    calls.after(21)
    assert [row[3] for row in rows(calls)] == [4]


def test_what_ended_meanwhile(tmp_path: Path) -> None:
    calls = Calls(tmp_path, ["dialog:db_mode=1", "dialog:default_timeout=30"])
    calls.call()
    calls.after(5)
    calls.proxy.wall_offset += 100
    calls.restart()
    assert calls.states() == [4]
    calls.after(11)
    assert calls.states() == []
    assert calls.stats() == {"expired": 1}


def test_loading_later(tmp_path: Path) -> None:
    calls = Calls(tmp_path, ["dialog:db_mode=1"])
    calls.call()
    calls.call(callid="c2")
    calls.modparams.append("dialog:db_skip_load=1")
    calls.restart()
    assert calls.states() == []
    do = ["KSR.dialog.dlg_db_load_callid('c2')", "KSR.dialog.dlg_db_load_callid('no')", "KSR.dialog.is_known_dlg()"]
    assert calls.request("INFO", do, callid="c2") == [1, -1, 1]
    assert calls.request("INFO", ["KSR.dialog.dlg_db_load_extra()"], callid="x") == [1]
    assert calls.states() == [4, 4]
    assert Calls(tmp_path).request("INFO", ["KSR.dialog.dlg_db_load_extra()", *do[:1]]) == [-1, -1]


def test_another_hash_size_and_columns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    calls = Calls(tmp_path, ["dialog:db_mode=1"])
    calls.call()
    calls.modparams.append("dialog:hash_size=2")
    calls.restart()
    assert calls.states() == []
    assert "another hash_size" in caplog.text
    with pytest.raises(ParamError, match="no column nope"):
        Calls(tmp_path, ["dialog:db_mode=1", "dialog:state_column=nope"])
    with pytest.raises(ParamError, match="no table nope"):
        Calls(tmp_path, ["dialog:db_mode=1", "dialog:vars_table_name=nope"])


def test_a_database_of_its_own(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/own.sqlite"
    calls = Calls(tmp_path, ["dialog:db_mode=1", f"dialog:db_url={url}"])
    calls.call()
    for module in calls.proxy.modules.values():
        module.stop()
    with Database.open(url) as db:
        assert db.query("SELECT callid FROM dialog") == [("c1",)]


def test_a_sandbox_writes_into_its_copy(tmp_path: Path) -> None:
    calls = Calls(tmp_path, ["dialog:db_mode=1", *PROFILES])
    calls.call(DO)
    calls.within("INFO", cseq=2)
    record = next(r for r in reversed(list(calls.proxy.recorder)) if r.data.startswith("INFO ") and not r.out)
    before = calls.rpc("dlg.list")
    calls.sent.clear()
    box = Sandbox(calls.proxy, record)
    run, module = box.run, box.proxy.modules.dialog
    assert box.proxy.modules.rr.loose_route(run) == 1
    assert module.var_get(run, "x") == "1"
    assert module.var_sets(run, "x", "9") == 1
    assert module.set_dlg_profile(run, "v", "jim") == 1
    assert module.dlg_bye(run, "all") == 1
    assert len(box.sent) == 2
    assert module.rpc_profile_size(["v"]) == 2
    assert (calls.rpc("dlg.list"), calls.sent, calls.rpc("dlg.profile_get_size", "v")) == (before, [], 1)
    assert ("x", "9") not in variables(calls)


def test_a_sandbox_makes_the_dialog_again(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.invite()
    record = next(r for r in calls.proxy.recorder if r.data.startswith("INVITE ") and not r.out)
    calls.answer("200 OK")
    did = calls.dialogs.table.ordered()[0].did
    box = Sandbox(calls.proxy, record)
    script = box.proxy.script
    assert script is not None
    boxes = Sandboxes(calls.proxy)
    calls.script.module.todo[:] = ["KSR.dialog.dlg_manage()", 'KSR.pv.get("$dlg(state)")']
    calls.script.module.results.clear()
    with boxes.working_in(box):
        script.call(box.run, "ksr_request_route")
    assert calls.script.module.results == [1, 1]
    (invite,) = [text for _, text in box.sent if text.startswith("INVITE ")]
    assert f";did={did}" in invite
    assert calls.states() == [3]
