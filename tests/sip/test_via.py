"""Via. What is accepted was compared with Kamailio 5.6.3's $sel(via[1].*)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksrcore.sip.errors import ParseError
from ksrcore.sip.via import Via, parse_vias

LATIN1 = st.text(st.characters(max_codepoint=255))


def check_spans(via: Via, body: str) -> None:
    assert body[via.start : via.end] == via.text == str(via)
    sent_by = body[via.sent_by_start : via.sent_by_end]
    assert sent_by.startswith(via.host) and sent_by.endswith(via.port)
    assert body[via.params_start : via.end] == via.params_text


def test_common_form() -> None:
    body = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport;received=192.0.2.9;i=1a;alias;maddr=h;X=1"
    (via,) = parse_vias(body)
    assert (via.protocol, via.transport, via.host, via.port, via.port_no) == (
        "SIP/2.0",
        "UDP",
        "192.0.2.1",
        "5060",
        5060,
    )
    assert (via.branch, via.rport, via.received, via.i, via.alias, via.maddr) == (
        "z9hG4bK1",
        "",
        "192.0.2.9",
        "1a",
        "",
        "h",
    )
    assert via.param("x") == via.param("X") == "1"
    assert via.param("none") is None
    span = via.param_span("RPORT")
    assert span and body[span[0] : span[1]] == "rport"
    assert via.param_span("none") is None
    assert repr(via) == f"Via({body!r})"
    check_spans(via, body)


def test_without_parameters() -> None:
    (via,) = parse_vias("SIP/2.0/TCP example.com")
    assert (via.branch, via.rport, via.received, via.i, via.alias, via.maddr) == ("", None, "", "", None, "")
    assert (via.port, via.port_no, via.params_text) == ("", 0, "")
    check_spans(via, "SIP/2.0/TCP example.com")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("SIP/2.0/udp h", [("UDP", "h", "", "")]),
        ("SIP/2.0/UDP h_x;rport=;BRANCH=a;branch=b", [("UDP", "h_x", "", "b")]),
        ('SIP/2.0/UDP h;x="a;;b";y=[c]', [("UDP", "h", "", "")]),
        ("sip/2.0/FOO h;branch=x", [("FOO", "h", "", "x")]),
        ("SIP/2.0/TLS-SCTP h;branch=x", [("TLS-SCTP", "h", "", "x")]),
        ("SIP/2.0/UDP  [::1]:5;branch=z", [("UDP", "[::1]", "5", "z")]),
        ("SIP/2.0/UDP [2001:db8::9:1];branch=z", [("UDP", "[2001:db8::9:1]", "", "z")]),
        ('SIP/2.0/UDP h;branch="z;1,2";rport', [("UDP", "h", "", "z;1,2")]),
        ("SIP / 2.0 / UDP h : 99 ;branch=x", [("UDP", "h", "99", "x")]),
        ("SIP/2.0/UDP\th;branch = x ", [("UDP", "h", "", "x")]),
        ("SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;rport;branch=390skdjuw", [("UDP", "192.0.2.2", "", "390skdjuw")]),
        (
            "SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n"
            " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239",
            [("TCP", "spindle.example.com", "", "z9hG4bK9ikj8"), ("UDP", "192.168.255.111", "", "z9hG4bK30239")],
        ),
        ("SIP/2.0/UDP a,SIP/2.0/TCP b:1;branch=2", [("UDP", "a", "", ""), ("TCP", "b", "1", "2")]),
    ],
)
def test_forms(body: str, expected: list[tuple[str, str, str, str]]) -> None:
    vias = parse_vias(body)
    assert [(via.transport, via.host, via.port, via.branch) for via in vias] == expected
    for via in vias:
        assert via.protocol.upper() == "SIP/2.0"
        check_spans(via, body)


def test_last_of_equal_parameters_counts() -> None:
    (via,) = parse_vias("SIP/2.0/UDP h;rport=12;rport=13")
    assert via.rport == "13"
    assert via.param_span("rport") == (23, 31)


@pytest.mark.parametrize(
    "body",
    [
        *[
            "",
            ",",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0 h",
            "h",
            "SIP/1.0/UDP h",
            "HTTP/2.0/UDP h",
            "//UDP h",
            "SIP/2.0/ h",
        ],
        *[
            "SIP/2.0/UDP h:",
            "SIP/2.0/UDP h:x",
            "SIP/2.0/UDP h:99999",
            "SIP/2.0/UDP ::1",
            "SIP/2.0/UDP [::1",
            "SIP/2.0/UDP []",
        ],
        *["SIP/2.0/UDP [::1]x", "SIP/2.0/UDP ;branch=x", "SIP/2.0/UDP h (comment);branch=x", "SIP/2.0/UDP h x"],
        *["SIP/2.0/UDP h;branch=", "SIP/2.0/UDP h;branch", "SIP/2.0/UDP h;;branch=x", "SIP/2.0/UDP h;"],
        *["SIP/2.0/U;DP h", "SIP/2.0/UDP h, x"],
        *["SIP/2.0/UDP h;branch=x;", "SIP/2.0/UDP h;received=", "SIP/2.0/UDP h;=x", "SIP/2.0/UDP h;branch=a b"],
        *["SIP/2.0/UDP h;branch=x,", "SIP/2.0/UDP a,,SIP/2.0/UDP b", 'SIP/2.0/UDP h;x="'],
    ],
)
def test_errors(body: str) -> None:
    with pytest.raises(ParseError):
        parse_vias(body)


def test_the_list_is_the_callers_and_the_cache_bounded() -> None:
    parse_vias("SIP/2.0/UDP h").clear()
    assert len(parse_vias("SIP/2.0/UDP h")) == 1
    for number in range(1500):
        assert parse_vias(f"SIP/2.0/UDP h:{number}")[0].port_no == number


@given(LATIN1 | st.builds("SIP/2.0/UDP {}".format, st.text('ah1:[];=," \t\r\n/')) | st.text("SIP/2.0UDh:;=, \r\n"))
def test_only_parse_errors_and_spans_agree(body: str) -> None:
    try:
        vias = parse_vias(body)
    except ParseError:
        return
    end = 0
    for via in vias:
        check_spans(via, body)
        assert via.start >= end
        end = via.end
        (again,) = parse_vias(via.text)
        assert (again.transport, again.host, again.port, again.branch) == (
            via.transport,
            via.host,
            via.port,
            via.branch,
        )


def test_values_are_bounded() -> None:
    assert len(parse_vias(", ".join(["SIP/2.0/UDP h"] * 256))) == 256
    with pytest.raises(ParseError, match="at most 256 Via values"):
        parse_vias(", ".join(["SIP/2.0/UDP h"] * 257))
