"""KSR.corex: sockets, branches, flags, files and raw sending."""

from __future__ import annotations

from pathlib import Path

import pytest

from ksrcore.kemi.declare import ParamError
from lab.observed import SECOND, load
from tm.playbook import Playbook, request

from .conftest import MakeRun

TEXT = load("maxfwd_corex")[0]["text"]


def test_sockets_by_address_and_name(make_run: MakeRun) -> None:
    bench = make_run(TEXT)
    corex = bench.KSR.corex
    assert corex.set_send_socket("udp:127.0.0.2:27310") == 1
    assert bench.msg.force_socket == SECOND
    assert corex.set_send_socket("udp:127.0.0.3:27310") == -1
    assert corex.set_send_socket("nonsense::") == -1
    assert corex.set_send_socket_name("SECOND") == 1
    assert corex.set_send_socket_name("third") == -1
    assert corex.set_recv_socket_name("second") == 1
    assert bench.msg.rcv is not None and bench.msg.rcv.listen == SECOND
    assert corex.set_recv_socket("tcp:127.0.0.1:27310") == 1
    assert bench.msg.rcv.listen.proto == "tcp"


def test_source_address(make_run: MakeRun) -> None:
    bench = make_run(TEXT)
    assert bench.KSR.corex.set_source_address("tcp:10.0.0.9:5071") == 1
    rcv = bench.msg.rcv
    assert rcv is not None and (rcv.proto, rcv.src_ip, rcv.src_port) == ("tcp", "10.0.0.9", 5071)
    assert bench.KSR.corex.set_source_address("host:1") == -1


def test_branches(make_run: MakeRun) -> None:
    bench = make_run(TEXT)
    corex = bench.KSR.corex
    bench.KSR.setdsturi("sip:1.2.3.4")
    assert corex.append_branch() == 1
    assert corex.append_branch_uri("sip:carol@example.net") == 1
    assert corex.append_branch_uri_q("sip:dave@example.net", "0.5") == 1
    assert corex.append_branch_uri_q("sip:erin@example.net", "much") == -1
    found = [(branch.uri, branch.dst_uri, branch.q) for branch in bench.msg.branches]
    assert found == [
        ("sip:bob@example.com", "sip:1.2.3.4", -1),
        ("sip:carol@example.net", "", -1),
        ("sip:dave@example.net", "", 500),
    ]
    results = [corex.append_branch_uri("sip:x@example.net") for _ in range(20)]
    assert results.count(1) == 8 and len(bench.msg.branches) == 11


def test_xflags(make_run: MakeRun) -> None:
    corex = make_run(TEXT).KSR.corex
    assert [corex.setxflag(n) for n in (0, 63, 64, -1)] == [1, 1, -1, -1]
    assert [corex.isxflagset(n) for n in (0, 1, 63, 64)] == [1, -1, 1, -1]
    assert corex.resetxflag(63) == 1 and corex.isxflagset(63) == -1


def test_files(make_run: MakeRun, tmp_path: Path) -> None:
    corex = make_run(TEXT).KSR.corex
    path = str(tmp_path / "größe.txt")
    assert corex.file_write(path, "grün\n") == 1
    assert Path(path).read_text("utf-8") == "grün\n"
    assert corex.file_read(path) == "grün\n"
    assert corex.file_read(str(tmp_path / "none")) is None
    assert corex.file_write(str(tmp_path), "x") == -1


def test_raw_sending(make_run: MakeRun) -> None:
    bench = make_run(TEXT)
    corex = bench.KSR.corex
    assert corex.send_data("sip:127.0.0.1:5999", "ping") == 1
    assert corex.sendx("sip:127.0.0.1:5999", "udp:127.0.0.1:27310", "pong") == 1
    assert corex.sendx("sip:127.0.0.1:5999", "udp:127.0.0.3:1", "x") == -1
    assert corex.sendx("sip:127.0.0.1:5999;transport=tcp", "udp:127.0.0.1:27310", "x") == -1
    assert corex.send_data("tel:+49", "x") == -1
    assert [(dest.text, text) for dest, text in bench.sent] == [
        ("udp:127.0.0.1:5999", "ping"),
        ("udp:127.0.0.1:5999", "pong"),
    ]


def test_subdomains_of_an_alias_domain(make_run: MakeRun) -> None:
    bench = make_run(TEXT, modparams=("corex:alias_subdomains=kam.org", "corex:alias_subdomains=udp:sip.net:5070"))
    assert bench.KSR.is_myself("sip:kam.org") and bench.KSR.is_myself("sip:a.b.kam.org:99")
    assert not bench.KSR.is_myself("sip:xkam.org")
    assert bench.KSR.is_myself("sip:x.sip.net:5070") and not bench.KSR.is_myself("sip:x.sip.net:5071")


def test_a_parameter_that_is_not_offered_says_so(make_run: MakeRun) -> None:
    with pytest.raises(ParamError, match="corex:nio_intercept is not supported"):
        make_run(TEXT, modparams=("corex:nio_intercept=1",))


VIAS = ", SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKx\nVia: SIP/2.0/UDP 10.9.9.7;branch=z9hG4bKy"


@pytest.mark.parametrize(
    ("call", "to", "branch"),
    [
        ("forward_uac()", "10.0.0.3:5060", "0"),
        ("forward_uac_branch(3)", "10.0.0.3:5060", "3"),
        ("forward_uac_uri('sip:10.0.0.4:5070')", "10.0.0.4:5070", "0"),
        ("forward_uac_uri_branch('sip:10.0.0.4:5070', 12)", "10.0.0.4:5070", "12"),
    ],
)
def test_forwarded_with_our_via_alone(tmp_path: Path, call: str, to: str, branch: str) -> None:
    book = Playbook(tmp_path, f"def ksr_request_route(self, msg):\n    self.result = KSR.corex.{call}\n    return 1\n")
    (sent,) = book.feed(request("MESSAGE", via=VIAS, host="10.9.9.8"))
    assert sent.to == to
    assert len(sent.header("Via")) == 1 and sent.header("Via")[0].startswith("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK")
    assert sent.branch.endswith(f".{branch}")
    (again,) = book.feed(request("MESSAGE", via=VIAS, host="10.9.9.8"))
    assert again.text == sent.text


def test_forward_uac_where_it_cannot(make_run: MakeRun) -> None:
    corex = make_run(TEXT).KSR.corex
    assert [corex.forward_uac_branch(-1), corex.forward_uac_uri(""), corex.forward_uac_uri("nowhere")] == [-1, -1, -1]
