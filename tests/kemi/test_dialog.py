"""dialog: what Kamailio 5.6.3 did with the same calls: states, events, statistics, matching, functions."""

from __future__ import annotations

from pathlib import Path

import pytest

from ksrcore.kemi.declare import ParamError
from ksrcore.kemi.dialog_cell import Dialog, Table, parse_did
from lab.dialogs import Calls

MANAGE = "KSR.dialog.dlg_manage()"
KNOWN = "KSR.dialog.is_known_dlg()"
STATUS = 'KSR.pv.get("$DLG_status")'
STATE = 'KSR.pv.get("$dlg(state)")'


def test_numbers_of_a_dialog() -> None:
    table = Table(4096)
    # As Kamailio did it: Call-ID cid1 is in entry 576, and 576:3524 is written 042.4cd.
    assert table.entry_of("cid1") == 576
    dialog = Dialog(576, 3524, "cid1")
    assert dialog.did == "042.4cd"
    assert parse_did("042.4cd") == (576, 3524)
    assert parse_did("zz") is None and parse_did("1") is None and parse_did("1.x") is None


def test_a_call(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    assert calls.invite([KNOWN, MANAGE, KNOWN, MANAGE, STATUS, STATE]) == [-1, 1, 1, -1, None, 1]
    assert calls.stats() == {"processed": 1}
    assert ";did=" in calls.invites["c1"]
    calls.answer("180 Ringing")
    assert calls.states() == [2]
    assert calls.events == [("unknown", "INVITE", 180, 2)]
    assert calls.stats() == {"processed": 1, "early": 1}
    calls.answer("200 OK")
    assert calls.events == [("dialog:start", "INVITE", 200, 3)]
    assert calls.stats() == {"processed": 1, "active": 1}
    assert calls.within("ACK", [STATUS]) == [4]
    assert calls.events == [("unknown", "ACK", None, 4)]
    assert calls.within("INFO", [STATUS, KNOWN, MANAGE], cseq=2) == [4, 1, 1]
    assert calls.within("INFO", [STATUS], cseq=7, upstream=True) == [4]
    (dialog,) = calls.dialogs.table.ordered()
    assert (dialog.caller.cseq, dialog.callee.cseq) == ("2", "7")
    calls.after(3)
    assert calls.within("BYE", [STATUS, 'KSR.pv.get("$DLG_lifetime")'], cseq=3) == [5, 3]
    assert calls.events == [("dialog:end", "BYE", None, 5)]
    assert calls.stats() == {"processed": 1}
    calls.answer("200 OK", to=calls.out("BYE")[-1])
    # It goes with the transaction of the BYE.
    assert calls.states() == [5]
    calls.after(6)
    assert calls.states() == []


def test_a_call_that_fails(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.invite()
    calls.answer("486 Busy Here")
    assert calls.events == [("dialog:failed", "INVITE", 486, 5)]
    assert calls.states() == [5]
    assert calls.stats() == {"processed": 1, "failed": 1}
    calls.request("ACK", totag="b1", branch="z9hG4bK1")
    calls.after(6)
    assert calls.states() == []


def test_a_call_that_is_cancelled(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.invite()
    calls.answer("180 Ringing")
    calls.request("CANCEL", totag="", branch="z9hG4bK1")
    calls.answer("487 Request Terminated")
    assert [event[:3] for event in calls.events] == [("unknown", "INVITE", 180), ("dialog:failed", "INVITE", 487)]
    assert calls.stats() == {"processed": 1, "failed": 1}


def test_replies_of_the_script(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.invite([MANAGE, "KSR.tm.t_newtran()", "KSR.tm.t_reply(404, 'x')", STATE, "drop"])
    # Our own reply is no message that an event could be about: it has a made-up one.
    assert calls.events == [("dialog:failed", "OPTIONS", None, 5)]
    calls.invite([MANAGE, "KSR.tm.t_newtran()", "KSR.tm.t_reply(200, 'x')", "drop"], callid="c2")
    assert calls.events == [("dialog:start", "OPTIONS", None, 3)]
    assert calls.rpc("dlg.dlg_list", "c2")["callee"] == dict.fromkeys(("tag", "contact", "cseq", "route_set", "socket"))


@pytest.mark.parametrize("last", ["KSR.sl.sl_send_reply(404, 'x')", "1"])
def test_without_a_transaction_it_goes_with_the_script(tmp_path: Path, last: str) -> None:
    calls = Calls(tmp_path)
    assert calls.invite([MANAGE, last, STATE, "drop"]) == [1, 1, 1]
    assert calls.states() == []
    assert calls.stats() == {"processed": 1}


def test_what_has_no_dialog(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    assert calls.request("MESSAGE", [MANAGE, KNOWN, STATE], totag="") == [-1, -1, None]
    assert calls.invite([MANAGE], ftag="") == [-1]
    assert calls.request("INVITE", [MANAGE], totag="") == [-1]  # no Contact
    assert calls.request("INFO", [MANAGE, KNOWN, STATUS]) == [1, -1, None]
    assert calls.states() == []


def test_the_flag_makes_one(tmp_path: Path) -> None:
    calls = Calls(tmp_path, ["dialog:dlg_flag=4"])
    calls.invite(["KSR.setflag(4)", KNOWN])
    assert calls.states() == [1]
    assert ";did=" in calls.invites["c1"]
    calls.invite([KNOWN], callid="c2")
    assert len(calls.states()) == 1


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [(0, [4, None, None, None, None]), (1, [4, 4, 4, None, None]), (2, [4, 4, 4, 4, None])],
)
def test_how_requests_within_are_found(tmp_path: Path, mode: int, wanted: list[int | None]) -> None:
    calls = Calls(tmp_path, [f"dialog:dlg_match_mode={mode}"])
    calls.call()
    (route,) = calls.routes["c1"]
    assert (";did=" in route) == (mode < 2)
    bare = route.partition(";did=")[0].rstrip(">") + ">"
    others = [route, bare, bare[:-1] + ";did=1.2>", bare[:-1] + ";did=zz>"]
    found = [calls.request("INFO", [STATUS], cseq=n, routes=[text])[0] for n, text in enumerate(others, 2)]
    found += calls.request("INFO", [STATUS], cseq=9, routes=[route], totag="other")
    assert found == wanted
    # dlg_manage() takes the tags always.
    assert calls.request("INFO", [STATUS, MANAGE, STATUS], cseq=10) == [None, 1, 4]


def test_a_spiral(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.invite()
    again = calls.invites["c1"]
    assert again.count(";did=") == 1
    calls.invite([MANAGE, STATE], branch="z9hG4bKspiral")
    assert len(calls.states()) == 1
    assert ";did=" not in calls.invites["c1"]
    other = Calls(tmp_path, ["dialog:detect_spirals=0"])
    other.invite()
    other.invite([MANAGE], branch="z9hG4bKspiral")
    assert len(other.states()) == 2


def test_early_and_late_requests(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.invite()
    calls.answer("183 Progress")
    routes = calls.routes["c1"] = calls.fields(calls.invites["c1"], "Record-Route")[0].split(": ")[1:]
    assert calls.request("PRACK", [STATUS], cseq=2, routes=routes) == [2]
    (dialog,) = calls.dialogs.table.ordered()
    assert (dialog.caller.cseq, dialog.iflags, dialog.dflags) == ("2", 32, 514)
    assert calls.request("BYE", [STATUS], cseq=3, routes=routes) == [2]
    calls.answer("200 OK")
    assert calls.within("INFO", [STATUS], cseq=4) == [3]
    assert dialog.caller.cseq == "2"  # nothing before the ACK counts
    assert calls.within("BYE", [STATUS], cseq=5) == [5]
    assert calls.within("ACK", [STATUS]) == [5]


def test_routes_of_both_sides(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.invite(fields=["Record-Route: <sip:10.0.0.1;lr>,<sip:10.0.0.2;lr>", "Record-Route: <sip:10.0.0.3;lr>"])
    own = "<sip:127.0.0.1:7777;lr;x=2>"
    calls.invites["c1"] = calls.invites["c1"].replace(
        "Record-Route:", f"Record-Route: <sip:127.0.0.1:7;lr;x=1>\r\nRecord-Route: {own}\r\nRecord-Route:", 1
    )
    calls.answer("200 OK")
    (dialog,) = calls.dialogs.table.ordered()
    assert dialog.caller.routes == "<sip:10.0.0.1;lr>,<sip:10.0.0.2;lr>,<sip:10.0.0.3;lr>"
    assert dialog.callee.routes == f"{own},<sip:127.0.0.1:7;lr;x=1>"


def test_lifetimes(tmp_path: Path) -> None:
    calls = Calls(tmp_path, ["dialog:timeout_avp=$avp(to)", "dialog:default_timeout=50"])
    calls.call(["KSR.pv.seti('$avp(to)', 30)", "KSR.dialog.dlg_set_timeout(9)", MANAGE])
    (dialog,) = calls.dialogs.table.ordered()
    assert dialog.lifetime == 30
    calls.after(10)
    calls.within("INFO", cseq=2)
    calls.after(29)
    assert calls.states() == [4]
    calls.after(2)
    assert calls.states() == []
    assert calls.events[-1] == ("dialog:end", "OPTIONS", None, 5)
    assert calls.stats() == {"processed": 1, "expired": 1}
    do = [f"KSR.dialog.dlg_set_{what}" for what in ("property('timeout-noreset')", "timeout(20)")]
    calls.call([MANAGE, *do], callid="c2")
    calls.after(15)
    calls.within("INFO", callid="c2", cseq=2)
    calls.after(6)
    assert calls.states() == []


def test_no_ack_and_no_answer(tmp_path: Path) -> None:
    calls = Calls(tmp_path, ["dialog:early_timeout=5", "tm:max_inv_lifetime=0", "tm:fr_inv_timer=900000"])
    calls.invite()
    calls.answer("180 Ringing")
    calls.invite(callid="c2")
    calls.answer("200 OK", callid="c2")
    calls.after(91)
    assert [d.callid for d in calls.dialogs.table.ordered()] == ["c2"]
    calls.after(11)
    assert calls.states() == []
    assert calls.stats() == {"processed": 2, "expired": 1}


def test_variables(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    assert calls.invite(
        [
            "KSR.dialog.var_sets('lost', '1')",
            "KSR.pv.sets('$dlg_var(p)', '1')",
            MANAGE,
            "KSR.dialog.var_get('p')",
            "KSR.dialog.var_get('lost')",
            "KSR.dialog.var_gete('lost')",
            "KSR.dialog.var_getw('lost')",
            "KSR.dialog.var_sets('b', '')",
            "KSR.dialog.var_is_null('b')",
            "KSR.dialog.var_is_null('lost')",
            "KSR.dialog.var_rm('p')",
            "KSR.pv.get('$dlg_var(p)')",
        ]
    ) == [1, True, 1, "1", None, "", "<null>", 1, 1, -1, 1, None]
    calls.answer("200 OK")
    assert calls.within("ACK", ["KSR.dialog.var_get('b')"]) == [""]


def test_flags_and_properties(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    do = [f"KSR.dialog.dlg_{what}" for what in ("setflag(3)", "isflagset(3)", "resetflag(3)", "isflagset(3)")]
    do += [f"KSR.dialog.dlg_{what}" for what in ("setflag(32)", "setflag(-1)", "setflag(4)", "set_property('ka-src')")]
    do += [f"KSR.dialog.dlg_{what}" for what in ("set_property('nope')", "reset_property('')")]
    results = [1, 1, 1, -1, -1, -1, 1, 1, -1, -1]
    assert calls.invite([*do, MANAGE]) == [*results, 1]
    (dialog,) = calls.dialogs.table.ordered()
    assert (dialog.sflags, dialog.iflags) == (16, 2)
    calls.answer("200 OK")
    assert calls.within("ACK", do) == results


def test_dlg_get(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.call()
    get = "KSR.dialog.dlg_get({})"
    args = ["'c1', 'a1', 'b1'", "'c1', 'b1', 'a1'", "'c1', 'a1', ''", "'c1', 'a1', 'x'", "'', '', ''"]
    do = [get.format(a) for a in args] + ["KSR.pv.get('$dlg_ctx(dir)')", "KSR.pv.get('$dlg(callid)')"]
    assert calls.request("MESSAGE", do, callid="other", totag="") == [1, 1, -1, -1, -1, 2, "c1"]


def test_profiles(tmp_path: Path) -> None:
    calls = Calls(tmp_path, ["dialog:profiles_with_value=v ; w", "dialog:profiles_no_value=n"])
    name = "KSR.dialog."
    asked = ("'w', 'early'", "'v', 'joe'", "'v', 'no'", "'n', 'x'", "'no', 'x'")
    sizes = ("'no', 'x', '$var(s)'", "'v', '', '$var(s)'", "'v', 'x', '$rm'")
    results = calls.invite(
        [
            *(f"{name}{x}" for x in ("set_dlg_profile('w', 'early')", "is_in_profile('w', 'early')")),
            MANAGE,
            *(f"{name}set_dlg_profile({x})" for x in ("'v', 'joe'", "'v', 'jim'", "'n', 'x'", "'v', ''", "'no', 'x'")),
            *(f"{name}set_dlg_profile_static('{x}')" for x in "nv"),
            *(f"{name}is_in_profile({x})" for x in asked),
            *(f"{name}is_in_profile_static('{x}')" for x in "nv"),
            f"{name}get_profile_size('v', 'joe', '$var(s)')",
            "KSR.pv.get('$var(s)')",
            f"{name}get_profile_size_static('n', '$avp(s)')",
            "KSR.pv.get('$avp(s)')",
            *(f"{name}get_profile_size({x})" for x in sizes),
            f"{name}unset_dlg_profile('v', 'jim')",
        ],
        replies=[
            *(f"{name}unset_dlg_profile('v', '{x}')" for x in ("jim", "jim", "no")),
            f"{name}unset_dlg_profile_static('n')",
        ],
    )
    assert results == [1, -1, 1, 1, 1, 1, -1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1, 1, 1, 1, 2, -1, -1, -1, -1]
    calls.answer("180 Ringing")
    assert calls.script.module.results[-4:] == [1, -1, -1, 1]
    assert calls.rpc("dlg.list")[0]["profiles"] == ["n", {"v": "joe"}, {"w": "early"}]
    assert calls.rpc("dlg.profile_get_size", "n") == 1
    calls.answer("404 Not Found")
    assert calls.rpc("dlg.profile_get_size", "v") == 0


def test_the_dialog_s_variables(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.invite(["KSR.pv.seti('$dlg_ctx(timeout_bye)', 1)", "KSR.pv.sets('$dlg_ctx(timeout_route)', 'x')", MANAGE])
    calls.answer("200 OK")
    names = "h_entry state callid from_uri to_uri from_tag to_tag toroute from_cseq to_cseq from_contact to_contact"
    names += " from_bindaddr to_bindaddr lifetime start_ts dflags sflags from_rroute toroute_name"
    values = calls.within("ACK", [f"KSR.pv.get('$dlg({name})')" for name in names.split()])
    assert values == [
        calls.dialogs.table.entry_of("c1"), 4, "c1", "sip:alice@ex.com", "sip:bob@ex.com", "a1", "b1", -1, "1", "0",
        "sip:alice@127.0.0.1:5555", "sip:bob@127.0.0.1:7777", "udp:127.0.0.1:5066", "udp:127.0.0.1:5066", 43200,
        1795404000, 515, 0, None, None,
    ]  # fmt: skip
    assert calls.dialogs.table.ordered()[0].iflags == 1
    context = [f"KSR.pv.get('$dlg_ctx({name})')" for name in "on set dir timeout timeout_bye timeout_route".split()]
    assert calls.within("INFO", [*context, "KSR.pv.get('$DLG_count')"]) == [0, 1, 0, 0, 0, None, 1]


@pytest.mark.parametrize(
    "param",
    [
        "hash_size=100", "dlg_match_mode=3", "db_mode=4", "enable_dmq=1", "track_cseq_updates=1", "wait_ack=0",
        "timeout_avp=x", "dlg_flag=40", "default_timeout=0", "ka_timer=3", "profiles_no_value=a;a", "h_id_step=0",
        "rr_param=", "keep_proxy_rr=4",
    ],
)  # fmt: skip
def test_parameters_are_checked(tmp_path: Path, param: str) -> None:
    with pytest.raises(ParamError):
        Calls(tmp_path, [f"dialog:{param}"])


def test_ids(tmp_path: Path) -> None:
    calls = Calls(tmp_path, ["dialog:h_id_start=5", "dialog:h_id_step=10"])
    calls.invite()
    calls.invite(callid="c2")
    assert [dialog.h_id % 10 for dialog in calls.dialogs.table.ordered()] == [5, 5]
