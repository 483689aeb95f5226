"""A little DNS server on loopback, made with dnspython, and the real backends in front of it."""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from ksrcore.net.dns import DnsOptions, Resolver, Target
from ksrcore.net.dnsbackend import Answer, DnsBackend, DnsError, Hosts, Naptr, Srv, SystemBackend

ZONE = {
    "sip.test. NAPTR": ['10 5 "s" "SIP+D2T" "" _sip._tcp.sip.test.'],
    "_sip._tcp.sip.test. SRV": ["10 5 5080 a.test.", "20 0 5081 b.test."],
    "a.test. A": ["192.0.2.1", "192.0.2.2"],
    "a.test. AAAA": ["2001:db8::1"],
    "b.test. A": ["192.0.2.3"],
    "gone.test. SRV": ["0 0 0 ."],
}


class Server(asyncio.DatagramProtocol):
    """Answers from ZONE; SERVFAIL for names under broken., silence under silent."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text()
        key = f"{name} {dns.rdatatype.to_text(question.rdtype)}"
        self.asked.append(key)
        if name.endswith("silent."):
            return
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if name.endswith("broken."):
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif key in ZONE:
            reply.answer.append(dns.rrset.from_text(name, 300, "IN", key.split()[1], *ZONE[key]))
        elif not any(known.startswith(name) for known in ZONE):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(reply.to_wire(), addr)


def play(act: Callable[[DnsBackend, Server], Awaitable[None]]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
        port: int = transport.get_extra_info("sockname")[1]
        backend = DnsBackend(("127.0.0.1",), port, retr_time=0.1, retr_no=1)
        try:
            await act(backend, server)
        finally:
            backend.close()
            transport.close()
            await asyncio.sleep(0)

    asyncio.run(main())


def test_records_of_every_type() -> None:
    async def act(backend: DnsBackend, server: Server) -> None:
        found = await backend.query("a.test", "A")
        assert (sorted(found.values), found.ttl) == (["192.0.2.1", "192.0.2.2"], 300.0)
        assert await backend.query("a.test", "AAAA") == Answer(("2001:db8::1",), 300.0)
        srv = await backend.query("_sip._tcp.sip.test", "SRV")
        assert sorted(srv.values) == [Srv(10, 5, 5080, "a.test"), Srv(20, 0, 5081, "b.test")]
        naptr = await backend.query("sip.test", "NAPTR")
        assert naptr.values == (Naptr(10, 5, "s", "SIP+D2T", "", "_sip._tcp.sip.test"),)
        assert (await backend.query("gone.test", "SRV")).values == (Srv(0, 0, 0, ""),)

    play(act)


def test_no_name_and_no_such_type_are_empty() -> None:
    async def act(backend: DnsBackend, server: Server) -> None:
        assert await backend.query("b.test", "AAAA") == Answer(())
        assert await backend.query("no.test", "A") == Answer(())

    play(act)


@pytest.mark.parametrize("name", ["x.broken", "x.silent", "x" * 64 + ".test"])
def test_failures_are_dns_errors(name: str) -> None:
    async def act(backend: DnsBackend, server: Server) -> None:
        with pytest.raises(DnsError, match=name[:8]):
            await backend.query(name, "A")

    play(act)


def test_the_whole_way_of_rfc_3263() -> None:
    async def act(backend: DnsBackend, server: Server) -> None:
        resolver = Resolver(DnsOptions(dns_try_naptr=True), backend)
        assert resolver.try_resolve_now("sip.test") is None
        found = await resolver.resolve("sip.test")
        assert sorted(found) == [
            Target("tcp", "192.0.2.1", 5080),
            Target("tcp", "192.0.2.2", 5080),
            Target("tcp", "192.0.2.3", 5081),
        ]
        assert found[2] == Target("tcp", "192.0.2.3", 5081)
        assert resolver.try_resolve_now("sip.test") == found
        assert server.asked == ["sip.test. NAPTR", "_sip._tcp.sip.test. SRV", "a.test. A", "b.test. A"]
        await resolver.close()

    play(act)


def test_a_slow_server_holds_nothing_up() -> None:
    async def act(backend: DnsBackend, server: Server) -> None:
        slow = asyncio.create_task(backend.query("x.silent", "A"))
        await asyncio.sleep(0.02)
        assert (await backend.query("b.test", "A")).values == ("192.0.2.3",)
        assert not slow.done()
        with pytest.raises(DnsError):
            await slow

    play(act)


@pytest.mark.parametrize("lacking", ["dnspython", "configuration"])
def test_without_dnspython_or_name_servers_the_system_is_asked(
    lacking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lacking == "dnspython":
        monkeypatch.setitem(sys.modules, "dns.asyncresolver", None)

    def getaddrinfo(name: str, port: None, family: int, kind: int) -> list[tuple[object, ...]]:
        assert name == "a.test"
        if family == socket.AF_INET6:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(family, kind, 17, "", ("192.0.2.1", 0)), (family, kind, 17, "", ("192.0.2.1", 0))]

    async def main() -> None:
        backend = DnsBackend(resolv_conf=tmp_path / "missing")
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        assert (await backend.query("a.test", "A")).values == ("192.0.2.1",)
        assert (await backend.query("a.test", "AAAA")).values == ()
        assert (await backend.query("_sip._udp.a.test", "SRV")).values == ()
        backend.close()
        monkeypatch.undo()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "Temporary failure"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
)
def test_failures_of_the_system_are_dns_errors(error: OSError, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*args: object) -> None:
        raise error

    async def main() -> None:
        backend = SystemBackend()
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        with pytest.raises(DnsError, match=said):
            await backend.query("a.test", "A")
        monkeypatch.undo()
        backend.close()

    asyncio.run(main())


def test_resolv_conf_is_read_again_when_changed(tmp_path: Path) -> None:
    async def act(backend: DnsBackend, server: Server) -> None:
        conf = tmp_path / "resolv.conf"
        conf.write_text("nameserver 127.0.0.9\n")
        own = DnsBackend(resolv_conf=conf)
        import dns.asyncresolver

        assert own._configured(dns.asyncresolver).nameservers == ["127.0.0.9"]
        conf.write_text("nameserver 127.0.0.10\n# changed\n")
        assert own._configured(dns.asyncresolver).nameservers == ["127.0.0.10"]
        own.close()

    play(act)


def test_hosts_file(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    hosts = Hosts(path)
    assert hosts.lookup("a", 0.0) == ()
    path.write_text("192.0.2.1\ta A.example\n::1 a # b\n\nbad a\n")
    assert hosts.lookup("a", 1.0) == ()
    assert hosts.lookup("a", 9.0) == ("192.0.2.1", "::1")
    assert hosts.lookup("a.example", 9.0) == ("192.0.2.1",)
    assert hosts.lookup("b", 9.0) == ()
    assert hosts.lookup("x.localhost", 9.0) == ("127.0.0.1", "::1")
