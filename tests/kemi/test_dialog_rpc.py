"""dialog: the commands, as Kamailio 5.6.3 answers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.dialogs import Calls

CALL = {
    "ref": 2, "call-id": "c1", "from_uri": "sip:alice@ex.com", "to_uri": "sip:bob@ex.com", "state": 4,
    "start_ts": 1795404000, "init_ts": 1795404000, "end_ts": 0, "duration": 0, "timeout": 1795447200, "lifetime": 43200,
    "dflags": 515, "sflags": 0, "iflags": 0,
    "caller": {
        "tag": "a1", "contact": "sip:alice@127.0.0.1:5555", "cseq": "1", "route_set": "",
        "socket": "udp:127.0.0.1:5066",
    },
    "callee": {
        "tag": "b1", "contact": "sip:bob@127.0.0.1:7777", "cseq": "0", "route_set": "", "socket": "udp:127.0.0.1:5066",
    },
    "profiles": [], "variables": [{"y": "2"}, {"x": "1"}],
}  # fmt: skip

DO = ["KSR.dialog.dlg_manage()", "KSR.dialog.var_sets('x', '1')", "KSR.dialog.var_sets('y', '2')"]


def test_lists(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    assert calls.rpc("dlg.list") == []
    calls.call(DO)
    (dialog,) = calls.dialogs.table.ordered()
    row = {"h_entry": dialog.h_entry, "h_id": dialog.h_id, **CALL}
    assert calls.rpc("dlg.list") == calls.rpc("dlg.list_ctx") == [row]
    assert list(calls.rpc("dlg.list")[0]) == list(row)
    assert calls.rpc("dlg.dlg_list", "c1") == calls.rpc("dlg.dlg_list_ctx", "c1", "a1") == row
    assert calls.rpc("dlg.dlg_list", "c1", "x") == calls.rpc("dlg.dlg_list") == {}
    calls.within("BYE", cseq=2)
    over = calls.rpc("dlg.list")[0]
    assert {name: over[name] for name in over if over[name] != row[name]} == {
        "ref": 1, "state": 5, "end_ts": 1795404000, "timeout": 0, "dflags": 519, "variables": [],
    }  # fmt: skip


def test_a_call_not_answered(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.invite()
    row = calls.rpc("dlg.list")[0]
    assert row["callee"] == dict.fromkeys(("tag", "contact", "cseq", "route_set", "socket"))
    assert (row["ref"], row["timeout"], row["duration"], row["dflags"]) == (1, 0, 0, 512)
    calls.answer("404 Not Found")
    # As Kamailio: from a beginning there was not.
    assert calls.rpc("dlg.list")[0]["duration"] == 1795404000


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        (("furi", "eq", "sip:alice@ex.com"), 1),
        (("furi", "eq", "sip:alice"), "error 404: Not found"),
        (("turi", "sw", "sip:bob"), 1),
        (("ruri", "re", "^sip:.*7777$"), 1),
        (("callid", "eq", "c1", 5), 1),
        (("callid", "re", "["), "error 500: Invalid matching value parameter"),
        (("start_ts", "gt", "5"), 1),
        (("start_ts", "lt", "5"), "error 404: Not found"),
        (("start_ts", "gt", "abc"), "error 404: Not found"),
        (("start_ts", "eq", "5"), "error 500: Matching operator not supported with start_ts key"),
        (("callid", "gt", "5"), "error 500: Matching operator not supported"),
        (("callid", "xx", "5"), "error 500: Invalid matching operator parameter"),
        (("nope", "eq", "5"), "error 500: Invalid matching key parameter"),
        (("start_ts", "gt", 5), "error 500: Invalid parameters"),
        (("callid", "eq"), "error 500: Invalid parameters"),
    ],
)
def test_list_match(tmp_path: Path, params: tuple[Any, ...], wanted: Any) -> None:
    calls = Calls(tmp_path)
    calls.call()
    found = calls.rpc("dlg.list_match", *params)
    assert (found if isinstance(found, str) else len(found)) == wanted
    assert calls.rpc("dlg.list_match_ctx", *params) == found


def test_states(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.call()
    assert calls.rpc("dlg.stats_active") == {"starting": 0, "connecting": 0, "answering": 0, "ongoing": 1, "all": 1}
    assert calls.rpc("dlg.stats_active", 1)["all"] == 1
    assert calls.rpc("dlg.is_alive", "c1", "b1", "a1") == "Alive"
    assert calls.rpc("dlg.is_alive", "c1", "a1", "x") == "error 404: Dialog not found"
    assert calls.rpc("dlg.is_alive", "c1").startswith("error 400: Too few parameters")
    for bad in ("x", "5", 0, 9):
        assert calls.rpc("dlg.set_state", "c1", "a1", "b1", bad) == "error 500: Invalid state value"
    assert calls.rpc("dlg.set_state", "c1", "a1", "b1") == "error 400: Need the callid, from tag,to tag and state"
    assert calls.rpc("dlg.set_state", "c1", "a1", "b1", 3) == "Done"
    assert calls.rpc("dlg.is_alive", "c1", "a1", "b1") == "error 500: Dialog not in confirmed state"
    assert calls.rpc("dlg.set_state", "c1", "a1", "b1", 5) == "Done"
    assert calls.rpc("dlg.stats_active")["all"] == 0


def test_profiles(tmp_path: Path) -> None:
    calls = Calls(tmp_path, ["dialog:profiles_with_value=v"])
    calls.call(["KSR.dialog.dlg_manage()", "KSR.dialog.set_dlg_profile('v', 'x')"])
    assert [calls.rpc("dlg.profile_get_size", *p) for p in (["v"], ["v", "x"], ["v", "y"], [])] == [1, 1, 0, {}]
    assert calls.rpc("dlg.profile_get_size", "no") == "error 404: Profile not found: no"
    assert calls.rpc("dlg.profile_list", "v") == calls.rpc("dlg.profile_list", "v", "x") == calls.rpc("dlg.list")
    assert calls.rpc("dlg.profile_list", "v", "y") == calls.rpc("dlg.profile_list") == []


def test_briefing_and_dump(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.call(DO)
    (dialog,) = calls.dialogs.table.ordered()
    numbers = {"h_entry": dialog.h_entry, "h_id": dialog.h_id}
    brief = {name: CALL[name] for name in ("from_uri", "to_uri", "call-id")} | {"from_tag": "a1", "to_tag": "a1"}
    assert calls.rpc("dlg.briefing") == [{**numbers, **brief}]
    assert calls.rpc("dlg.briefing", "s") == [{**numbers, "state": 4}]
    assert calls.rpc("dlg.briefing", "") == [numbers]
    path = tmp_path / "dump"
    assert calls.rpc("dlg.dump_file", str(path)) == {}
    row = json.loads(path.read_text())
    assert (row["call_id"], row["variables"], row["profiles"]) == ("c1", {"y": "2", "x": "1"}, {})
    assert "duration" not in row
    assert calls.rpc("dlg.dump_file", str(tmp_path)).startswith("error 500: ")
