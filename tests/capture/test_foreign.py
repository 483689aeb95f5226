"""Messages of other proxies in the recorder, and back."""

from __future__ import annotations

from capture.samples import PROXY, UAC, captured, message
from ksrcore.capture.foreign import captured as as_captured
from ksrcore.capture.foreign import insert
from ksrcore.net.address import Dest, Listen, Rcv
from ksrcore.proxy import Proxy


def proxy(*listens: Listen) -> Proxy:
    return Proxy(transmit=lambda data, dest: True, listens=list(listens))


def test_there_and_back() -> None:
    live = proxy(Listen("udp", "127.0.0.1", 5060))
    for sent in (captured(), captured(message("SIP/2.0 200 OK"), PROXY, UAC, proto="tcp")._replace(conid=3)):
        out = sent.src_ip == PROXY[0]
        record = insert(live, sent, "x.pcap", out=out)
        assert record.origin == "x.pcap"
        assert as_captured(record, live.pick_listen) == sent._replace(out=out)


def test_the_socket_is_one_of_ours() -> None:
    other, same = Listen("udp", "127.0.0.1", 5060), Listen("udp", *PROXY)
    for listens, expected in (((other, same), same), ((other,), other), ((), Listen("udp", *PROXY))):
        where = insert(proxy(*listens), captured(), "x").where
        assert isinstance(where, Rcv)
        assert where.listen == expected
        assert (where.dst_ip, where.dst_port) == PROXY


def test_a_message_that_left_without_a_socket_named() -> None:
    live = proxy(Listen("udp", "127.0.0.1", 5070))
    record = live.recorder.add(1.0, Dest("udp", "10.0.0.1", 5060), message().decode(), True)
    assert as_captured(record, live.pick_listen)[2:6] == ("127.0.0.1", 5070, "10.0.0.1", 5060)
    assert as_captured(record, lambda proto, ip: None).src_ip == "0.0.0.0"
