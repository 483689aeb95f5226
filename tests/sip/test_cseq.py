"""CSeq."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksrcore.sip.cseq import CSeq, parse_cseq
from ksrcore.sip.errors import ParseError


@pytest.mark.parametrize(
    ("body", "number", "method", "digits"),
    [
        ("1 INVITE", 1, "INVITE", "1"),
        ("0009\r\n  INVITE", 9, "INVITE", "0009"),
        (" 4294967295\tx.y ", 2**32 - 1, "x.y", "4294967295"),
        ("0" * 40 + "7 BYE", 7, "BYE", "0" * 40 + "7"),
    ],
)
def test_parse(body: str, number: int, method: str, digits: str) -> None:
    cseq = parse_cseq(body)
    assert (cseq.number, cseq.method, cseq.number_text) == (number, method, digits)
    assert str(cseq) == f"{digits} {method}"
    assert cseq == CSeq(number, method)
    assert hash(cseq) == hash(CSeq(number, method))
    assert parse_cseq(body) is cseq
    assert repr(cseq) == f"CSeq({number}, {method!r})"


@pytest.mark.parametrize(
    "body", ["", "1", "INVITE", "x INVITE", "-1 BYE", "4294967296 BYE", "36893488147419103232 BYE", "1 A B"]
)
def test_errors(body: str) -> None:
    with pytest.raises(ParseError):
        parse_cseq(body)


@given(st.text(st.characters(max_codepoint=255)) | st.text("0123456789 A\r\n"))
def test_only_parse_errors(body: str) -> None:
    try:
        cseq = parse_cseq(body)
    except ParseError:
        return
    assert parse_cseq(str(cseq)) == cseq
