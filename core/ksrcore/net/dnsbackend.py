"""Where DNS answers come from: dnspython's asyncio resolver, or the system's getaddrinfo; and the hosts file."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from .address import canonical_ip

#: How long an answer of the system's resolver is kept, which tells no time to live. Seconds.
SYSTEM_TTL: Final = 30.0


class Srv(NamedTuple):
    """RFC 2782. ``target`` without the final dot; '' is ".", the service that does not exist."""

    priority: int
    weight: int
    port: int
    target: str


class Naptr(NamedTuple):
    """RFC 3403."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str


class Answer(NamedTuple):
    """What a name has of one type: texts for A and AAAA, else Srv or Naptr. Empty: the name or the type is not there.

    ``ttl`` in seconds; None when unknown, as for most empty answers.
    """

    values: tuple[Any, ...]
    ttl: float | None = None


class DnsError(Exception):
    """A question that got no answer: time out, refused, not a name. Text for the log."""


class Backend(Protocol):
    """Answers questions; ``rtype`` is A, AAAA, SRV or NAPTR. Raises DnsError, nothing else."""

    async def query(self, name: str, rtype: str) -> Answer: ...

    def close(self) -> None: ...


class SystemBackend:
    """getaddrinfo in threads. Knows addresses only: SRV and NAPTR questions are answered empty."""

    def __init__(self, timeout: float = 4.0) -> None:
        self._timeout = timeout
        self._pool: ThreadPoolExecutor | None = None

    async def query(self, name: str, rtype: str) -> Answer:
        if rtype not in ("A", "AAAA"):
            return Answer(())
        if self._pool is None:
            self._pool = ThreadPoolExecutor(4, "ksr-dns")
        family = socket.AF_INET if rtype == "A" else socket.AF_INET6
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                found = await loop.run_in_executor(
                    self._pool, lambda: socket.getaddrinfo(name, None, family, socket.SOCK_DGRAM)
                )
        except TimeoutError:
            raise DnsError(f"{name}: the system's resolver gave no answer within {self._timeout:g} s") from None
        except socket.gaierror as err:
            if err.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
                return Answer(())
            raise DnsError(f"{name}: {err.strerror}") from None
        except (OSError, ValueError) as err:
            raise DnsError(f"{name}: {err}") from None
        return Answer(tuple(dict.fromkeys(str(info[4][0]) for info in found)), SYSTEM_TTL)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


class DnsBackend:
    """dnspython on the system's resolv.conf, or on the name servers given; without either, SystemBackend.

    ``retr_time`` is the time for one try, ``retr_no`` the number of tries (Kamailio's dns_retr_time and dns_retr_no).
    dnspython is imported at the first question, in a thread: that takes long enough to be heard in a call.
    """

    def __init__(
        self,
        nameservers: tuple[str, ...] = (),
        port: int = 53,
        retr_time: float = 2.0,
        retr_no: int = 2,
        use_search_list: bool = True,
        resolv_conf: Path = Path("/etc/resolv.conf"),
    ) -> None:
        self._nameservers = nameservers
        self._port = port
        self._retr_time = retr_time
        self._lifetime = retr_time * retr_no
        self._search = use_search_list
        self._resolv_conf = resolv_conf
        self._made_from: int | None = None
        self._resolver: Any = None
        self._system = SystemBackend(self._lifetime)

    async def query(self, name: str, rtype: str) -> Answer:
        loop = asyncio.get_running_loop()
        try:
            resolver_module = await loop.run_in_executor(None, importlib.import_module, "dns.asyncresolver")
        except ImportError:
            return await self._system.query(name, rtype)
        from dns.exception import DNSException
        from dns.resolver import NXDOMAIN, NoAnswer, NoResolverConfiguration

        try:
            resolver = self._configured(resolver_module)
            # A service name is complete as it stands; only addresses may need the search list.
            address = rtype in ("A", "AAAA")
            answer = await resolver.resolve(name, rtype, search=self._search and address, lifetime=self._lifetime)
        except NoResolverConfiguration:
            return await self._system.query(name, rtype)
        except (NXDOMAIN, NoAnswer):
            return Answer(())
        except (DNSException, OSError, ValueError, EOFError) as err:
            raise DnsError(f"{name} {rtype}: {str(err) or type(err).__name__}") from None
        return Answer(tuple(record_value(rtype, record) for record in answer), float(answer.rrset.ttl))

    def _configured(self, module: Any) -> Any:
        """The resolver, made anew when resolv.conf has changed."""
        stamp = -1
        if not self._nameservers:
            try:
                stamp = self._resolv_conf.stat().st_mtime_ns
            except OSError:
                pass  # dnspython raises NoResolverConfiguration below
        if self._resolver is None or stamp != self._made_from:
            if self._nameservers:
                resolver = module.Resolver(configure=False)
                resolver.nameservers = list(self._nameservers)
                resolver.port = self._port
            else:
                resolver = module.Resolver(filename=str(self._resolv_conf))
            resolver.timeout = self._retr_time
            self._resolver, self._made_from = resolver, stamp
        return self._resolver

    def close(self) -> None:
        self._system.close()


def record_value(rtype: str, record: Any) -> str | Srv | Naptr:
    """A record of dnspython as the values of :class:`Answer`."""
    if rtype == "SRV":
        return Srv(record.priority, record.weight, record.port, _name(record.target))
    if rtype == "NAPTR":
        texts = [text.decode("latin-1") for text in (record.flags, record.service, record.regexp)]
        flags, service, regexp = texts
        return Naptr(record.order, record.preference, flags, service, regexp, _name(record.replacement))
    return str(record.address)


def _name(name: Any) -> str:
    return str(name.to_text(omit_final_dot=True)).strip(".")


class Hosts:
    """The hosts file: name -> addresses. Read again when it has changed; looked at once in ``recheck`` seconds."""

    def __init__(self, path: Path = Path("/etc/hosts"), recheck: float = 5.0) -> None:
        self._path = path
        self._recheck = recheck
        self._checked = float("-inf")
        self._stamp: tuple[int, int] | None = None
        self._names: dict[str, tuple[str, ...]] = {}

    def lookup(self, name: str, now: float) -> tuple[str, ...]:
        """The addresses of a lower case name, both families, or (). ``now`` is monotonic time."""
        if now - self._checked >= self._recheck:
            self._checked = now
            self._read()
        found = self._names.get(name)
        if found is None and (name == "localhost" or name.endswith(".localhost")):
            return ("127.0.0.1", "::1")  # RFC 6761 6.3
        return found or ()

    def _read(self) -> None:
        try:
            stat = os.stat(self._path)
            stamp = (stat.st_mtime_ns, stat.st_size)
            if stamp == self._stamp:
                return
            text = self._path.read_text("latin-1")
        except OSError:
            self._stamp, self._names = None, {}
            return
        names: dict[str, dict[str, None]] = {}
        for line in text.splitlines():
            ip, *aliases = line.partition("#")[0].split() or [""]
            ip = canonical_ip(ip)
            if ip:
                for alias in aliases:
                    names.setdefault(alias.lower(), {})[ip] = None
        self._stamp, self._names = stamp, {name: tuple(ips) for name, ips in names.items()}
