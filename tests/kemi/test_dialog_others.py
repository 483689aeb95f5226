"""dialog: other dialogs than the message's, and parties that move (functions of Kamailio after 5.6)."""

from __future__ import annotations

from pathlib import Path

from lab.dialogs import ALICE, BOB, Calls


def test_variables_of_another_dialog(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.invite()
    own = "'c1', 'a1', ''"
    ask = [
        f"KSR.dialog.dlg_set_var({own}, 'k', 'v')", f"KSR.dialog.dlg_get_var({own}, 'k')",
        f"KSR.dialog.dlg_get_var({own}, 'none')", "KSR.dialog.dlg_get_var('c9', 'a1', '', 'k')",
        "KSR.dialog.dlg_set_var('c9', 'a1', '', 'k', 'v')", f"KSR.dialog.dlg_set_var({own}, '', 'v')",
    ]  # fmt: skip
    assert calls.request("OPTIONS", [*ask, "drop"], callid="c2") == [1, "v", None, None, -1, -1]
    calls.answer("200 OK")
    ask = ["KSR.dialog.dlg_get_var('c1', 'a1', 'b1', 'k')", "KSR.dialog.dlg_get_var('c1', 'b1', 'a1', 'k')"]
    assert calls.request("OPTIONS", [*ask, "drop"], callid="c3") == ["v", "v"]
    assert calls.request("OPTIONS", ["KSR.dialog.dlg_get_var('c1', 'a1', 'b9', 'k')", "drop"], callid="c4") == [None]


def test_refer(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.call()
    (row,) = calls.rpc("dlg.list")
    number = f"{row['h_entry']}, {row['h_id']}"
    calls.sent.clear()
    ask = [
        f"KSR.dialog.dlg_refer_did({number}, 'caller', 'sip:x@ex.com')",
        "KSR.dialog.dlg_refer_cid('c1', 'callee', 'sip:y@ex.com')",
        f"KSR.dialog.dlg_refer_did({number}, 'both', 'sip:x@ex.com')", "KSR.dialog.dlg_refer_cid('c1', 'caller', '')",
        "KSR.dialog.dlg_refer_cid('c9', 'caller', 'sip:x@ex.com')",
        "KSR.dialog.dlg_refer_did(1, 2, 'caller', 'sip:x@ex.com')",
    ]  # fmt: skip
    assert calls.request("OPTIONS", [*ask, "drop"], callid="c2") == [1, 1, -1, -1, -1, -1]
    refers = [(port, calls.fields(text, "Refer-To")) for port, text in calls.sent if text.startswith("REFER ")]
    assert refers == [(ALICE, ["Refer-To: sip:x@ex.com"]), (BOB, ["Refer-To: sip:y@ex.com"])]


def test_parties_that_move(tmp_path: Path) -> None:
    calls = Calls(tmp_path)
    calls.call()
    ask = ["KSR.dialog.dlg_update_contact()", "KSR.dialog.dlg_update_socket()"]
    assert calls.within("INFO", [*ask, "drop"], cseq=5, fields=["Contact: <sip:alice@127.0.0.1:5556>"]) == [1, 1]
    (row,) = calls.rpc("dlg.list")
    assert (row["caller"]["contact"], row["callee"]["contact"]) == (
        "sip:alice@127.0.0.1:5556",
        f"sip:bob@127.0.0.1:{BOB}",
    )
    assert row["caller"]["socket"] == "udp:127.0.0.1:5066"
    two = ["Contact: <sip:a@127.0.0.1>, <sip:b@127.0.0.1>"]
    assert calls.within("INFO", ["KSR.dialog.dlg_update_contact()", "drop"], cseq=6, fields=two) == [-1]
    assert calls.request("OPTIONS", [*ask, "drop"], callid="c2") == [-1, -1]
