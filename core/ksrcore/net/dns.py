"""Where to send to a name: RFC 3263, with Kamailio's options.

Which questions are asked (``Resolver._plan``):

1. an address, or a name with a port: no NAPTR and no SRV;
2. a transport is known (``;transport=``, or sips): SRV of that transport, then A/AAAA;
3. else, with dns_try_naptr: NAPTR, then the SRV names it gives; without NAPTR records the SRV names of our
   transports in the order of their dns_*_pref, up to the first that exists; then A/AAAA over udp;
4. else, Kamailio's default: SRV of udp (tls for sips), then A/AAAA.

SRV records that lead to no address, also the target ".", leave the A/AAAA of the name, as in Kamailio (RFC 2782 would
have "." mean: not here).

Names in the hosts file, and localhost, are taken for addresses: no DNS question is asked for them. Addresses are those
of the first family that has some. The plan is a generator that does no I/O, so what hosts file and cache know is
answered at once (``try_resolve_now``), the rest by the same plan in a task.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from .address import DEFAULT_PORTS, canonical_ip
from .dnsbackend import Answer, Backend, DnsBackend, DnsError, Hosts, Naptr, Srv

log = logging.getLogger("ksrcore.net.dns")

_SRV_PREFIX: Final = {
    "udp": "_sip._udp.",
    "tcp": "_sip._tcp.",
    "tls": "_sips._tcp.",
    "ws": "_sip._ws.",
    "wss": "_sips._ws.",
}
_SERVICES: Final = {"sip+d2u": "udp", "sip+d2t": "tcp", "sips+d2t": "tls", "sip+d2w": "ws", "sips+d2w": "wss"}
_SECURE: Final = {"": "tls", "tcp": "tls", "tls": "tls", "ws": "wss", "wss": "wss"}
_NAME_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")

#: A failed question (no answer, as against an empty one) is not asked again for so long, seconds.
_FAILURE_TTL: Final = 5.0
#: Bounds against hostile zones and floods of names.
_MAX_TARGETS: Final = 32
_MAX_NAPTR: Final = 8
_MAX_SRV: Final = 16
_MAX_PENDING: Final = 1000


class Target(NamedTuple):
    """One place to try."""

    proto: str
    ip: str
    port: int


class ResolveError(Exception):
    """A name that leads nowhere; the text names it and says why, in one line."""


@dataclass(slots=True)
class DnsOptions:
    """Kamailio's core parameters of the same names; times in seconds. A dns_*_pref below 0 excludes the transport."""

    use_dns_cache: bool = True
    dns_try_naptr: bool = False
    dns_naptr_ignore_rfc: bool = True  #: our own dns_*_pref before the order of the NAPTR records
    dns_srv_lb: bool = False  #: balance among SRV records of one priority by weight (RFC 2782), not the heaviest first
    dns_try_ipv6: bool = True
    dns_udp_pref: int = 30
    dns_tcp_pref: int = 20
    dns_tls_pref: int = 10
    dns_cache_negative_ttl: float = 60.0
    dns_cache_min_ttl: float = 0.0
    dns_cache_max_ttl: float = math.inf
    dns_cache_entries: int = 4096  #: ours: Kamailio bounds its cache by memory
    dns_retr_time: float = 2.0
    dns_retr_no: int = 2
    dns_use_search_list: bool = True

    def pref(self, proto: str) -> int:
        prefs = {"udp": self.dns_udp_pref, "tcp": self.dns_tcp_pref, "tls": self.dns_tls_pref}
        return prefs.get(proto, 0)


class _Entry(NamedTuple):
    expires: float
    values: tuple[Any, ...]
    error: str


_Question = tuple[str, str]
_Plan = Generator[_Question, tuple[Any, ...], list[Target]]
_Step = Generator[_Question, tuple[Any, ...], list[Any]]


class Resolver:
    """Names to targets. ``protos`` are the transports we have, ``families`` the address types to ask for, in order."""

    def __init__(
        self,
        options: DnsOptions | None = None,
        backend: Backend | None = None,
        *,
        protos: Iterable[str] = ("udp", "tcp"),
        families: Iterable[str] = ("A", "AAAA"),
        hosts: Hosts | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self.options = opt = options or DnsOptions()
        self.protos = tuple(protos)
        self.families = tuple(families)
        self._backend = backend or DnsBackend(
            retr_time=opt.dns_retr_time, retr_no=opt.dns_retr_no, use_search_list=opt.dns_use_search_list
        )
        self._hosts = hosts or Hosts()
        self._clock = clock
        self._rng = rng or random.Random()
        self._cache: dict[_Question, _Entry] = {}
        self._pending: dict[_Question, asyncio.Task[_Entry]] = {}
        self._lookups: set[asyncio.Task[None]] = set()

    # what the owner calls

    def try_resolve_now(self, host: str, port: int = 0, transport: str = "", sips: bool = False) -> list[Target] | None:
        """The targets, or None when a question has to be asked first. Never waits.

        ``host`` with or without brackets, ``port`` 0 and ``transport`` '' when the URI names none. Raises
        ResolveError.
        """
        plan = self._plan(host, port, transport.lower(), sips)
        errors: list[str] = []
        try:
            question = next(plan)
            while True:
                entry = self._known(question)
                if entry is None:
                    return None
                if entry.error:
                    errors.append(entry.error)
                question = plan.send(entry.values)
        except StopIteration as done:
            return _checked(done.value, host, errors)

    async def resolve(self, host: str, port: int = 0, transport: str = "", sips: bool = False) -> list[Target]:
        """The targets in the order to try them, at least one. Arguments as for try_resolve_now. Raises ResolveError."""
        plan = self._plan(host, port, transport.lower(), sips)
        errors: list[str] = []
        try:
            question = next(plan)
            while True:
                entry = self._known(question) or await self._ask(question)
                if entry.error:
                    errors.append(entry.error)
                question = plan.send(entry.values)
        except StopIteration as done:
            return _checked(done.value, host, errors)

    def lookup(
        self,
        host: str,
        port: int,
        transport: str,
        sips: bool,
        done: Callable[[list[Target], ResolveError | None], None],
    ) -> None:
        """resolve() for callers that cannot await: ``done(targets, error)`` comes later on the loop, once."""

        async def run() -> None:
            targets: list[Target] = []
            error: ResolveError | None = None
            try:
                targets = await self.resolve(host, port, transport, sips)
            except ResolveError as err:
                error = err
            try:
                done(targets, error)
            except Exception:
                log.exception("exception after resolving %s", host)

        task = asyncio.get_running_loop().create_task(run(), name=f"resolve {host}")
        self._lookups.add(task)
        task.add_done_callback(self._lookups.discard)

    def flush(self) -> None:
        """Forget every cached answer (RPC dns.delete_all)."""
        self._cache.clear()

    async def close(self) -> None:
        """Give up what is under way; callbacks of it do not come any more."""
        tasks = [*self._lookups, *self._pending.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._backend.close()

    # the plan

    def _plan(self, host: str, port: int, transport: str, sips: bool) -> _Plan:
        if transport and transport not in _SRV_PREFIX:
            raise ResolveError(f"{host}: unknown transport {transport!r}; expected one of {', '.join(_SRV_PREFIX)}")
        if sips:
            if transport not in _SECURE:
                raise ResolveError(f"{host}: a sips URI cannot be reached over {transport}")
            transport = _SECURE[transport]
        proto = transport or "udp"
        ip = canonical_ip(host)
        if ip:
            return [Target(proto, ip, port or DEFAULT_PORTS[proto])]
        name = host.lower().rstrip(".")
        if not name or len(name) > 253 or not _NAME_CHARS.issuperset(name) or ".." in name or name[0] == ".":
            raise ResolveError(f"{host[:80]!r} is neither an IP address nor a host name")
        targets: list[Target] = []
        if not port and not self._hosts.lookup(name, self._clock()):
            services: list[tuple[str, str]] = []
            guessed = False
            if not transport and self.options.dns_try_naptr:
                services = self._services((yield name, "NAPTR"))
                if not services:
                    guessed = True
                    ours = [known for known in self.protos if self.options.pref(known) >= 0]
                    ours.sort(key=self.options.pref, reverse=True)
                    services = [(known, _SRV_PREFIX[known] + name) for known in ours]
            else:
                services = [(proto, _SRV_PREFIX[proto] + name)]
            for service, srv_name in services:
                records: list[Srv] = list((yield srv_name, "SRV"))
                for record in self._ordered(records)[:_MAX_SRV]:
                    if record.target and len(targets) < _MAX_TARGETS:
                        found = yield from self._addresses(record.target)
                        targets += [Target(service, address, record.port) for address in found]
                if targets and guessed:
                    break
            if targets:
                return targets[:_MAX_TARGETS]
        found = yield from self._addresses(name)
        return [Target(proto, address, port or DEFAULT_PORTS[proto]) for address in found[:_MAX_TARGETS]]

    def _addresses(self, name: str) -> _Step:
        ip = canonical_ip(name)  # not allowed in SRV records, and seen there
        if ip:
            return [ip]
        for family in self.families:
            if family == "AAAA" and not self.options.dns_try_ipv6:
                continue
            found = list((yield name.lower(), family))
            if found:
                return found
        return []

    def _services(self, records: tuple[Naptr, ...]) -> list[tuple[str, str]]:
        """(proto, SRV name) of the NAPTR records we can use, in the order to try them (RFC 3263 4.1)."""
        usable: list[tuple[int, int, int, str, str]] = []
        for record in records:
            proto = _SERVICES.get(record.service.lower(), "")
            pref = self.options.pref(proto)
            if proto in self.protos and pref >= 0 and record.flags.lower() == "s" and not record.regexp:
                own = -pref if self.options.dns_naptr_ignore_rfc else 0
                usable.append((own, record.order, record.preference, proto, record.replacement))
        return [(proto, name) for *_, proto, name in sorted(usable)[:_MAX_NAPTR] if name]

    def _ordered(self, records: list[Srv]) -> list[Srv]:
        """By priority, and within one by weight: RFC 2782's draw with dns_srv_lb, else the heaviest first."""
        rest = sorted(records, key=lambda record: (record.priority, -record.weight))
        if not self.options.dns_srv_lb:
            return rest
        out: list[Srv] = []
        while rest:
            # Those of weight 0 go to the front of the draw: they have a small chance, as the RFC wants.
            group = sorted((r for r in rest if r.priority == rest[0].priority), key=lambda record: record.weight)
            rest = rest[len(group) :]
            while group:
                drawn = self._rng.randint(0, sum(record.weight for record in group))
                for record in group:
                    drawn -= record.weight
                    if drawn <= 0:
                        break
                group.remove(record)
                out.append(record)
        return out

    # questions

    def _known(self, question: _Question) -> _Entry | None:
        """What the hosts file or the cache answers."""
        name, rtype = question
        now = self._clock()
        if rtype in ("A", "AAAA"):
            listed = self._hosts.lookup(name, now)
            if listed:
                return _Entry(now, tuple(ip for ip in listed if (":" in ip) == (rtype == "AAAA")), "")
        entry = self._cache.get(question)
        if entry is None or not self.options.use_dns_cache:
            return None
        if entry.expires <= now:
            del self._cache[question]
            return None
        return entry

    async def _ask(self, question: _Question) -> _Entry:
        """Ask, or wait for the same question already asked."""
        task = self._pending.get(question)
        if task is None:
            if len(self._pending) >= _MAX_PENDING:
                return _Entry(0.0, (), f"{question[0]}: {_MAX_PENDING} DNS questions are waiting already")
            task = asyncio.get_running_loop().create_task(self._fetch(question), name=f"dns {question[0]}")
            self._pending[question] = task
            task.add_done_callback(lambda _task: self._pending.pop(question, None))
        return await asyncio.shield(task)

    async def _fetch(self, question: _Question) -> _Entry:
        options = self.options
        error = ""
        try:
            answer = await self._backend.query(*question)
        except DnsError as err:
            answer, error = Answer(()), str(err)
            log.info("DNS: %s", error)
        except Exception as err:
            answer, error = Answer(()), f"{question[0]}: {type(err).__name__}: {err}"
            log.exception("unexpected error of the DNS backend for %s %s", *question)
        if error:
            ttl = min(_FAILURE_TTL, options.dns_cache_negative_ttl)
        elif not answer.values:
            ttl = options.dns_cache_negative_ttl if answer.ttl is None else answer.ttl
        else:
            ttl = min(max(answer.ttl or 0.0, options.dns_cache_min_ttl), options.dns_cache_max_ttl)
        entry = _Entry(self._clock() + ttl, answer.values, error)
        if options.use_dns_cache and ttl > 0:
            while len(self._cache) >= options.dns_cache_entries:
                del self._cache[next(iter(self._cache))]
            self._cache[question] = entry
        return entry


def _checked(targets: list[Target], host: str, errors: list[str]) -> list[Target]:
    """The targets without repetitions; an empty list is an error."""
    if not targets:
        raise ResolveError(f"cannot resolve {host}: {'; '.join(errors) or 'no address in DNS'}"[:400])
    return list(dict.fromkeys(targets))
