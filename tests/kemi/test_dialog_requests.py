"""dialog: the requests that the proxy makes: BYE, keepalives, bridges. Texts as Kamailio 5.6.3 sent them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.dialogs import ALICE, BOB, Calls

MANAGE = "KSR.dialog.dlg_manage()"


@pytest.mark.parametrize(
    ("side", "ports"), [("caller", [ALICE]), ("callee", [BOB]), ("all", [ALICE, BOB]), ("", [ALICE, BOB])]
)
def test_dlg_bye(tmp_path: Path, side: str, ports: list[int]) -> None:
    calls = Calls(tmp_path)
    calls.call()
    calls.events  # noqa: B018 (those of the beginning)
    calls.sent.clear()
    assert calls.within("INFO", [f"KSR.dialog.dlg_bye('{side}')", "drop"], cseq=5) == [1]
    byes = [(port, text) for port, text in calls.sent if text.startswith("BYE ")]
    assert [port for port, _ in byes] == ports
    assert calls.events == [("dialog:end", "OPTIONS", None, 4)]
    assert calls.states() == [4]
    calls.confirm(byes[0][1])
    assert calls.states() == []
    assert calls.stats() == {"processed": 1}


def test_what_a_bye_says(tmp_path: Path) -> None:
    calls = Calls(tmp_path, ["dialog:dlg_extra_hdrs=Hint: a", "dialog:lreq_callee_headers=TH: x\r\n"])
    calls.invite([MANAGE], fields=["Record-Route: <sip:127.0.0.1:5555;lr;r=1>", "Record-Route: <sip:10.0.0.1;lr>"])
    calls.answer("200 OK")
    calls.within("ACK")
    calls.within("INFO", cseq=5)
    (row,) = calls.rpc("dlg.list")
    assert calls.rpc("dlg.end_dlg", row["h_entry"], str(row["h_id"]), "X-Why: b\r\n") == {}
    to_alice, to_bob = calls.out("BYE")
    names = ("To", "From", "CSeq", "Call-ID", "Route", "Hint", "X-Why", "TH")
    assert to_alice.startswith("BYE sip:alice@127.0.0.1:5555 SIP/2.0\r\n")
    assert calls.fields(to_alice, *names) == [
        "To: <sip:alice@ex.com>;tag=a1", "From: <sip:bob@ex.com>;tag=b1", "CSeq: 1 BYE", "Call-ID: c1",
        "Route: <sip:127.0.0.1:5555;lr;r=1>, <sip:10.0.0.1;lr>", "Hint: a", "X-Why: b",
    ]  # fmt: skip
    assert calls.fields(to_bob, *names) == [
        "To: <sip:bob@ex.com>;tag=b1", "From: <sip:alice@ex.com>;tag=a1", "CSeq: 6 BYE", "Call-ID: c1",
        "Hint: a", "X-Why: b", "TH: x",
    ]  # fmt: skip


def test_what_cannot_be_ended(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    assert calls.request("MESSAGE", ["KSR.dialog.dlg_bye('all')"], totag="") == [-1]
    calls.invite()
    calls.answer("180 Ringing")
    calls.events  # noqa: B018
    (row,) = calls.rpc("dlg.list")
    assert calls.rpc("dlg.end_dlg", row["h_entry"], row["h_id"]) == {}
    assert calls.events == [("dialog:failed", "OPTIONS", None, 2)]
    calls.answer("200 OK")
    calls.within("ACK")
    assert calls.within("BYE", ["KSR.dialog.dlg_bye('all')", "KSR.dialog.dlg_set_timeout(9)"], cseq=2) == [-1, -1]
    assert calls.rpc("dlg.end_dlg", 1, 2) == "error 404: Dialog not found"
    assert calls.rpc("dlg.end_dlg", 1) == "error 500: Invalid parameters"
    assert len(calls.out("BYE")) == 1


def test_terminate(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.call()
    assert calls.rpc("dlg.terminate_dlg", "c1", "a1", "x") == "error 500: Couldnt find callid in dialog"
    assert calls.rpc("dlg.terminate_dlg", "c1", "a1", "b1") == {}
    byes = calls.out("BYE")
    calls.confirm(byes[1], "481 Gone")
    calls.confirm(byes[0])
    assert calls.states() == []
    assert calls.rpc("dlg.terminate_dlg", "c1") == "error 400: Need a Callid ,from tag ,to tag"


def test_a_lifetime_that_ends_with_byes(tmp_path: Path) -> None:
    calls = Calls(tmp_path, ["dialog:default_timeout=5", "dialog:send_bye=1"])
    calls.call(["KSR.pv.sets('$dlg_ctx(timeout_route)', 'x')", MANAGE])
    calls.events  # noqa: B018
    calls.after(6)
    assert [event[0] for event in calls.events] == ["dialog:timeout", "dialog:end"]
    assert calls.stats() == {"processed": 1, "active": 1, "expired": 1}
    assert calls.states() == [4]
    # Nobody answers: the transactions' timeout is an answer, too.
    calls.after(32)
    assert calls.states() == []
    assert calls.stats() == {"processed": 1, "expired": 1}


def test_keepalives(tmp_path: Path) -> None:
    calls = Calls(tmp_path, ["dialog:ka_timer=3", "dialog:ka_interval=30", "dialog:ka_failed_limit=2"])
    calls.call(["KSR.dialog.dlg_set_property('ka-src')", "KSR.dialog.dlg_set_property('ka-dst')", MANAGE])
    calls.after(29)
    assert calls.out("OPTIONS") == []
    calls.after(4)
    to_bob, to_alice = calls.out("OPTIONS")
    assert calls.fields(to_bob, "To", "CSeq") == ["To: <sip:bob@ex.com>;tag=b1", "CSeq: 1 OPTIONS"]
    assert calls.fields(to_alice, "To", "CSeq") == ["To: <sip:alice@ex.com>;tag=a1", "CSeq: 0 OPTIONS"]
    (dialog,) = calls.dialogs.table.ordered()
    calls.confirm(to_bob, "481 Gone")
    calls.confirm(to_alice, "404 Fine")
    assert dialog.lifetime == 43200
    calls.sent.clear()
    calls.after(31)
    calls.confirm(calls.out("OPTIONS")[0], "481 Gone")
    assert dialog.lifetime == 43200  # the other one's answer has begun the count anew
    calls.after(0.5)
    calls.after(10)
    assert calls.states() == [4]
    calls.after(23)  # 408
    assert dialog.lifetime == 10
    calls.after(11)
    assert calls.states() == []


def test_a_bridge(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    assert calls.rpc("dlg.bridge_dlg", "sip:a@127.0.0.1:5555", "sip:b@127.0.0.1:7777") == {}
    (invite,) = calls.out("INVITE")
    assert calls.fields(invite, "To", "From", "CSeq", "Contact", "Content-Type")[2:] == [
        "CSeq: 10 INVITE", "Contact: <sip:controller@kamailio.org:5060>", "Content-Type: application/sdp",
    ]  # fmt: skip
    assert "\r\n\r\nv=0\r\no=kamailio-bridge 0 0 IN IP4 0.0.0.0\r\n" in invite
    calls.confirm(invite)
    calls.after(0.5)
    assert len(calls.out("ACK")) == 1
    (refer,) = calls.out("REFER")
    assert calls.fields(refer, "To", "CSeq", "Referred-By", "Refer-To") == [
        "To: <sip:a@127.0.0.1:5555>;tag=x", "CSeq: 11 REFER", "Referred-By: sip:controller@kamailio.org",
        "Refer-To: sip:b@127.0.0.1:7777",
    ]  # fmt: skip
    calls.confirm(refer, "202 Accepted")
    (bye,) = calls.out("BYE")
    assert calls.fields(bye, "CSeq") == ["CSeq: 12 BYE"]
    assert calls.states() == []


def test_dlg_bridge(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    args = ["'sip:a@127.0.0.1:5555', 'sip:b@x', ''", "'sip:a@1.2.3.4', 'sip:b@x', 'sip:127.0.0.1:9;lr'"]
    args += ["'x', 'y', ''", "'', '', ''"]
    assert calls.request("MESSAGE", [f"KSR.dialog.dlg_bridge({a})" for a in args], totag="") == [1, 1, -1, -1]
    assert [port for port, text in calls.sent if text.startswith("INVITE ")] == [5555, 9]
    calls.sent.clear()
    calls.rpc("dlg.bridge_dlg", "sip:a@127.0.0.1:5555", "sip:b@x", ".", "_")
    assert calls.out("INVITE")[0].endswith("\r\n\r\n")
    assert calls.rpc("dlg.bridge_dlg", "x") == "error 500: Invalid parameters"
