import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ksrcore.net.dns import DnsOptions, ResolveError, Resolver, Target
from ksrcore.net.dnsbackend import Answer, DnsError, Hosts, Naptr, Srv

Zone = dict[str, list[Any]]

ZONE: Zone = {
    "a.test A": ["192.0.2.1", "192.0.2.2"],
    "a.test AAAA": ["2001:db8::1"],
    "six.test AAAA": ["2001:db8::6"],
    "_sip._udp.srv.test SRV": [Srv(20, 0, 5080, "a.test"), Srv(10, 5, 5081, "b.test"), Srv(10, 9, 5082, "B.test")],
    "_sip._tcp.srv.test SRV": [Srv(0, 0, 5083, "b.test")],
    "_sips._tcp.srv.test SRV": [Srv(0, 0, 5443, "b.test")],
    "srv.test A": ["192.0.2.9"],
    "b.test A": ["192.0.2.3"],
    "_sip._udp.none.test SRV": [Srv(0, 0, 5060, "")],
    "none.test A": ["192.0.2.4"],
    "naptr.test NAPTR": [
        Naptr(10, 5, "s", "SIP+D2U", "", "_sip._udp.srv.test"),
        Naptr(20, 5, "S", "sip+d2t", "", "_sip._tcp.srv.test"),
        Naptr(1, 5, "s", "SIPS+D2T", "", "_sips._tcp.srv.test"),
        Naptr(1, 5, "u", "E2U+sip", "!.*!sip:x@y!", ""),
    ],
    "literal.test A": [],
    "_sip._udp.literal.test SRV": [Srv(0, 0, 5090, "192.0.2.7")],
}


class FakeBackend:
    """Answers from a table, and notes what was asked. A value that is an exception is raised."""

    def __init__(self, zone: Zone, ttl: float | None = 60.0) -> None:
        self.zone = zone
        self.ttl = ttl
        self.asked: list[str] = []
        self.closed = False

    async def query(self, name: str, rtype: str) -> Answer:
        self.asked.append(f"{name} {rtype}")
        await asyncio.sleep(0)
        values = self.zone.get(f"{name} {rtype}", [])
        if values and isinstance(values[0], Exception):
            raise values[0]
        return Answer(tuple(values), self.ttl if values else None)

    def close(self) -> None:
        self.closed = True


class Lab:
    """A resolver on a fake backend, a hosts file and a clock of our own."""

    def __init__(self, tmp_path: Path, zone: Zone | None = None, **options: Any) -> None:
        self.now = 1000.0
        self.backend = FakeBackend(ZONE if zone is None else zone)
        hosts = tmp_path / "hosts"
        hosts.write_text("127.0.0.1 localhost\n192.0.2.50 Box.test box # a comment\nfd00::50 box\nnonsense line\n")
        self.hosts = hosts
        self.resolver = Resolver(
            DnsOptions(**options),
            self.backend,
            hosts=Hosts(hosts),
            clock=lambda: self.now,
            rng=random.Random(7),
        )

    def resolve(self, *args: Any) -> list[str]:
        return [f"{t.proto}:{t.ip}:{t.port}" for t in asyncio.run(self.resolver.resolve(*args))]

    def now_or_none(self, *args: Any) -> list[str] | None:
        found = self.resolver.try_resolve_now(*args)
        return None if found is None else [f"{t.proto}:{t.ip}:{t.port}" for t in found]


@pytest.mark.parametrize(
    ("args", "target"),
    [
        (("192.0.2.1",), "udp:192.0.2.1:5060"),
        (("192.0.2.1", 5080), "udp:192.0.2.1:5080"),
        (("[2001:DB8::1]", 0, "TCP"), "tcp:2001:db8::1:5060"),
        (("192.0.2.1", 0, "", True), "tls:192.0.2.1:5061"),
        (("192.0.2.1", 7, "tcp", True), "tls:192.0.2.1:7"),
        (("192.0.2.1", 0, "tls"), "tls:192.0.2.1:5061"),
        (("192.0.2.1", 0, "ws", True), "wss:192.0.2.1:443"),
        (("box", 5070), "udp:192.0.2.50:5070"),
        (("BOX.test",), "udp:192.0.2.50:5060"),
    ],
)
def test_answered_at_once(tmp_path: Path, args: tuple[Any, ...], target: str) -> None:
    lab = Lab(tmp_path)
    assert lab.now_or_none(*args) == [target]
    assert lab.resolve(*args) == [target]
    assert lab.backend.asked == []


def test_localhost_needs_no_dns_and_no_hosts_file(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hosts.unlink()
    assert lab.now_or_none("localhost", 0, "tcp") == ["tcp:127.0.0.1:5060"]
    lab.resolver.families = ("AAAA", "A")
    assert lab.now_or_none("localhost", 0, "tcp") == ["tcp:::1:5060"]


def test_a_changed_hosts_file_is_read_again(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    assert lab.now_or_none("box", 1) == ["udp:192.0.2.50:1"]
    lab.hosts.write_text("192.0.2.51 box\n")
    lab.now += 10
    assert lab.now_or_none("box", 1) == ["udp:192.0.2.51:1"]


@pytest.mark.parametrize(
    ("args", "targets", "asked"),
    [
        (("a.test", 5080), "udp:192.0.2.1:5080 udp:192.0.2.2:5080", "a.test A"),
        (("A.Test.", 5080, "tcp"), "tcp:192.0.2.1:5080 tcp:192.0.2.2:5080", "a.test A"),
        (("six.test", 5080), "udp:2001:db8::6:5080", "six.test A, six.test AAAA"),
        (("a.test",), "udp:192.0.2.1:5060 udp:192.0.2.2:5060", "_sip._udp.a.test SRV, a.test A"),
        (
            ("srv.test",),
            "udp:192.0.2.3:5082 udp:192.0.2.3:5081 udp:192.0.2.1:5080 udp:192.0.2.2:5080",
            "_sip._udp.srv.test SRV, b.test A, a.test A",
        ),
        (("srv.test", 0, "tcp"), "tcp:192.0.2.3:5083", "_sip._tcp.srv.test SRV, b.test A"),
        (("srv.test", 0, "", True), "tls:192.0.2.3:5443", "_sips._tcp.srv.test SRV, b.test A"),
        (("srv.test", 5060), "udp:192.0.2.9:5060", "srv.test A"),
        (("literal.test",), "udp:192.0.2.7:5090", "_sip._udp.literal.test SRV"),
    ],
)
def test_srv_then_addresses(tmp_path: Path, args: tuple[Any, ...], targets: str, asked: str) -> None:
    lab = Lab(tmp_path)
    assert lab.now_or_none(*args) is None
    assert " ".join(lab.resolve(*args)) == targets
    assert ", ".join(lab.backend.asked) == asked
    # now it is known
    assert lab.now_or_none(*args) == targets.split()
    assert ", ".join(lab.backend.asked) == asked


def test_naptr_with_our_preferences(tmp_path: Path) -> None:
    lab = Lab(tmp_path, dns_try_naptr=True)
    udp = ["udp:192.0.2.3:5082", "udp:192.0.2.3:5081", "udp:192.0.2.1:5080", "udp:192.0.2.2:5080"]
    assert lab.resolve("naptr.test") == [*udp, "tcp:192.0.2.3:5083"]
    assert lab.backend.asked[0] == "naptr.test NAPTR"


def test_naptr_with_their_order(tmp_path: Path) -> None:
    lab = Lab(tmp_path, dns_try_naptr=True, dns_naptr_ignore_rfc=False)
    lab.resolver.protos = ("udp", "tcp", "tls")
    assert lab.resolve("naptr.test")[:2] == ["tls:192.0.2.3:5443", "udp:192.0.2.3:5082"]


def test_a_transport_of_negative_preference_is_not_used(tmp_path: Path) -> None:
    lab = Lab(tmp_path, dns_try_naptr=True, dns_udp_pref=-1)
    assert lab.resolve("naptr.test") == ["tcp:192.0.2.3:5083"]


def test_without_naptr_records_the_first_srv_of_our_transports(tmp_path: Path) -> None:
    lab = Lab(tmp_path, dns_try_naptr=True, dns_tcp_pref=40)
    assert lab.resolve("srv.test") == ["tcp:192.0.2.3:5083"]
    assert lab.backend.asked == ["srv.test NAPTR", "_sip._tcp.srv.test SRV", "b.test A"]
    assert lab.resolve("a.test") == ["udp:192.0.2.1:5060", "udp:192.0.2.2:5060"]


def test_srv_of_a_dot_leaves_the_address_as_kamailio_does(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    assert lab.resolve("none.test") == ["udp:192.0.2.4:5060"]
    assert lab.backend.asked == ["_sip._udp.none.test SRV", "none.test A"]


def test_srv_weights_share_the_load(tmp_path: Path) -> None:
    zone: Zone = {
        "_sip._udp.w.test SRV": [Srv(1, 30, 1, "a.test"), Srv(1, 10, 2, "a.test"), Srv(2, 0, 3, "a.test")],
        "a.test A": ["192.0.2.1"],
    }
    lab = Lab(tmp_path, zone, dns_srv_lb=True)
    lab.resolve("w.test")
    first: Counter[int] = Counter()
    for _ in range(1000):
        found = lab.resolver.try_resolve_now("w.test")
        assert found is not None
        first[found[0].port] += 1
        assert sorted(target.port for target in found) == [1, 2, 3]
        assert found[2].port == 3
    assert 650 < first[1] < 850


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("no.test",), "cannot resolve no.test: no address in DNS"),
        (("",), "'' is neither an IP address nor a host name"),
        (("a b.test",), "neither an IP address nor a host name"),
        (("a..test",), "neither an IP address nor a host name"),
        (("x" * 300,), "neither an IP address nor a host name"),
        (("\xe9.test",), "neither an IP address nor a host name"),
        (("192.0.2.1", 0, "sctp"), "unknown transport 'sctp'; expected one of udp, tcp"),
        (("192.0.2.1", 0, "udp", True), "a sips URI cannot be reached over udp"),
    ],
)
def test_what_leads_nowhere(tmp_path: Path, args: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ResolveError) as caught:
        Lab(tmp_path).resolve(*args)
    assert said in str(caught.value)


def test_a_server_that_does_not_answer_is_not_asked_again_at_once(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {"x.test A": [DnsError("x.test A: timed out")]})
    for _ in range(3):
        with pytest.raises(ResolveError, match="cannot resolve x.test: x.test A: timed out"):
            lab.resolve("x.test", 5060)
    assert lab.backend.asked == ["x.test A", "x.test AAAA"]
    lab.now += 6
    lab.backend.zone["x.test A"] = ["192.0.2.8"]
    assert lab.resolve("x.test", 5060) == ["udp:192.0.2.8:5060"]


def test_a_failed_srv_question_still_leaves_the_address(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {"_sip._udp.x.test SRV": [DnsError("broken")], "x.test A": ["192.0.2.8"]})
    assert lab.resolve("x.test") == ["udp:192.0.2.8:5060"]


def test_a_backend_that_breaks_its_word_is_an_error_of_that_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lab = Lab(tmp_path, {"x.test A": [ZeroDivisionError("oops")]})
    with pytest.raises(ResolveError, match="ZeroDivisionError: oops"):
        lab.resolve("x.test", 1)
    assert "unexpected error of the DNS backend" in caplog.text


def test_answers_live_as_long_as_their_ttl(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.resolve("a.test", 1)
    lab.now += 59
    assert lab.now_or_none("a.test", 1)
    lab.now += 2
    assert lab.now_or_none("a.test", 1) is None
    lab.resolve("a.test", 1)
    lab.resolver.flush()
    assert lab.now_or_none("a.test", 1) is None


def test_ttl_bounds_and_negative_ttl(tmp_path: Path) -> None:
    lab = Lab(tmp_path, dns_cache_max_ttl=10.0, dns_cache_negative_ttl=20.0)
    lab.resolve("six.test", 1)
    lab.now += 11
    assert lab.now_or_none("six.test", 1) is None
    lab.resolve("six.test", 1)
    assert lab.backend.asked == ["six.test A", "six.test AAAA", "six.test AAAA"]


def test_the_cache_is_bounded_and_optional(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {f"n{n}.test A": ["192.0.2.1"] for n in range(10)}, dns_cache_entries=3)
    for n in range(10):
        lab.resolve(f"n{n}.test", 1)
    assert [lab.now_or_none(f"n{n}.test", 1) is not None for n in range(6, 10)] == [False, True, True, True]
    lab = Lab(tmp_path, use_dns_cache=False)
    lab.resolve("a.test", 1)
    assert lab.now_or_none("a.test", 1) is None


def test_families(tmp_path: Path) -> None:
    lab = Lab(tmp_path, dns_try_ipv6=False)
    with pytest.raises(ResolveError):
        lab.resolve("six.test", 1)
    lab = Lab(tmp_path)
    lab.resolver.families = ("AAAA", "A")
    assert lab.resolve("a.test", 1) == ["udp:2001:db8::1:1"]


def in_loop(act: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await act()

    asyncio.run(main())


def test_the_same_question_is_asked_once(tmp_path: Path) -> None:
    lab = Lab(tmp_path)

    async def act() -> None:
        found = await asyncio.gather(*(lab.resolver.resolve("a.test", 5060) for _ in range(20)))
        assert len(found) == 20
        assert lab.backend.asked == ["a.test A"]

    in_loop(act)


def test_lookup_calls_back_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lab = Lab(tmp_path)
    calls: list[tuple[list[Target], str]] = []

    async def act() -> None:
        def done(targets: list[Target], error: ResolveError | None) -> None:
            calls.append((targets, str(error)))
            if error:
                raise ValueError("a mistake in the callback")

        lab.resolver.lookup("b.test", 5060, "", False, done)
        lab.resolver.lookup("no.test", 5060, "", False, done)
        assert calls == []
        async with asyncio.timeout(2):
            while len(calls) < 2:
                await asyncio.sleep(0)
        await lab.resolver.close()

    in_loop(act)
    assert calls[0] == ([Target("udp", "192.0.2.3", 5060)], "None")
    assert "cannot resolve no.test" in calls[1][1]
    assert "a mistake in the callback" in caplog.text


def test_close_gives_up_what_is_under_way(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    calls: list[Any] = []

    async def act() -> None:
        lab.resolver.lookup("b.test", 5060, "", False, lambda targets, error: calls.append(targets))
        await asyncio.sleep(0)
        await lab.resolver.close()

    in_loop(act)
    assert calls == []
    assert lab.backend.closed
