"""KSR.sdpops: calls as recorded from Kamailio 5.6.3, and the iterators that it does not have."""

from __future__ import annotations

from typing import Any

import pytest

from ksrcore.kemi.declare import KsrError
from lab.sequence import Bench, check, load

BODY = "v=0\r\no=- 1 2 IN IP6 ::1\r\ns=x\r\nc=IN IP6 ::1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
SDP = {"body": BODY, "fields": ["Content-Type: application/sdp"]}
APPLY = "(KSR.textopsx.msg_apply_changes(), KSR.pv.get('$rb'))[1]"


@pytest.mark.parametrize("scenario", load("sdpops"), ids=lambda scenario: str(scenario["name"]))
def test_as_in_kamailio(scenario: dict[str, Any]) -> None:
    check(scenario)


def calls(*expressions: str, step: dict[str, Any] = SDP) -> list[Any]:
    return Bench().request(step, list(expressions))[0]


def test_iterators() -> None:
    lines = BODY.splitlines(keepends=True)
    walk = ["KSR.sdpops.sdp_iterator_next('i')", "KSR.sdpops.sdp_iterator_value('i')"] * 7
    got = calls("KSR.sdpops.sdp_iterator_start('i')", *walk, "KSR.pv.get('$sdpitval(i)')")
    assert got == [1, *(item for line in lines for item in (1, line)), -1, None, None]
    got = calls(
        "KSR.sdpops.sdp_iterator_start('i')",
        "KSR.sdpops.sdp_iterator_rm('i')",
        *["KSR.sdpops.sdp_iterator_next('i')"] * 3,
        "KSR.sdpops.sdp_iterator_insert('i', 'before\\r\\n')",
        "KSR.sdpops.sdp_iterator_append('i', 'after\\r\\n')",
        "KSR.sdpops.sdp_iterator_rm('i')",
        "KSR.sdpops.sdp_iterator_append('none', 'x')",
        "KSR.sdpops.sdp_iterator_end('i')",
        "KSR.sdpops.sdp_iterator_end('i')",
        APPLY,
    )
    assert got == [1, -1, 1, 1, 1, 1, 1, 1, -1, 1, -1, BODY.replace("s=x", "before\r\nafter")]


def test_where_no_iterator_begins() -> None:
    assert calls(*(f"KSR.sdpops.sdp_iterator_start('{n}')" for n in range(5))) == [1, 1, 1, 1, -1]
    assert calls("KSR.sdpops.sdp_iterator_start('')", "KSR.sdpops.sdp_iterator_next('')") == [-1, -1]
    assert calls("KSR.sdpops.sdp_iterator_start('i')", step={}) == [-1]
    with pytest.raises(KsrError, match="name of an iterator"):
        calls("KSR.pv.get('$sdpitval()')")


def test_address_family() -> None:
    assert calls("KSR.sdpops.sdp_get_address_family()") == [6]
    assert calls("KSR.sdpops.sdp_get_address_family()", step={**SDP, "body": BODY.replace("IP6", "IP4")}) == [4]
    assert calls("KSR.sdpops.sdp_get_address_family()", step={}) == [-1]


def test_session_version() -> None:
    got = calls("KSR.pv.seti('$sdp(sess_version)', -1)", APPLY)
    assert got == [True, BODY.replace("1 2 IN", "1 3 IN")]
    assert calls("KSR.pv.seti('$sdp(sess_version)', -1)", step={}) == [False]
    with pytest.raises(KsrError, match="sess_version"):
        calls("KSR.pv.get('$sdp(zz)')")
