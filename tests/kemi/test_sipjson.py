"""KSR.sipjson; what Kamailio 5.6.3 does with the same is compared by tests/parity/cases/sipjson."""

from __future__ import annotations

import json

from .conftest import MakeRun

REPLY = """SIP/2.0 200 OK "x"
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1
From: <sip:alice@a.com>;tag=1
To: <sip:bob@b.com>;tag=2
Call-ID: c"1
CSeq: 1 INVITE
Content-Length: 0

"""


def test_a_reply(make_run: MakeRun) -> None:
    bench = make_run(REPLY)
    assert bench.KSR.sipjson.sj_serialize("0B", "$var(x)") == 1
    found = json.loads(bench.KSR.pv.get("$var(x)"))
    assert (found["mt"], found["rs"], found["rr"], found["ci"], found["ru"], found["rb"]) == (
        1, 200, 'OK "x"', 'c"1', "", "",
    )  # fmt: skip


def test_variables_that_cannot_be_written(make_run: MakeRun) -> None:
    bench = make_run(REPLY)
    assert bench.KSR.sipjson.sj_serialize("0", "$rm") == -1
    assert bench.KSR.sipjson.sj_serialize("0", "x") == -1
