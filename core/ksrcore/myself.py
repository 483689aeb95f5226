"""Which hosts are the proxy itself: its listen sockets, what they advertise, and its aliases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .net.address import CARRIERS, PROTOS, AddressError, canonical_ip, parse_host_port
from .sip.errors import SipError
from .sip.uri import parse_uri

if TYPE_CHECKING:
    from .net.address import Listen
    from .proxy import Proxy

_CACHE_MAX = 4096
#: Longer texts are not kept: a flood of them would fill the memory.
_CACHE_TEXT = 512


class Myself:
    """Answers "is this host, port and transport mine?" from a table and two bounded caches.

    The table follows the proxy's ``listens`` and ``aliases`` as these change. A host without port or
    transport matches any, as in Kamailio.
    """

    __slots__ = ("_proxy", "_seen", "_hosts", "_checks", "_uris", "_hops", "_domains")

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        # (domain, port, transport): its subdomains are ours too.
        self._domains: list[tuple[str, int, str]] = []
        self.reset()

    def reset(self) -> None:
        """Forget what is known about listen sockets and aliases."""
        # The proxy's listens and aliases as they were when the table was made.
        self._seen: tuple[list[Listen], dict[str, None]] | None = None
        # Lower-case host -> (port, transport) pairs, 0 and '' for any.
        self._hosts: dict[str, list[tuple[int, str]]] = {}
        self._checks: dict[tuple[str, int, str], bool] = {}
        self._uris: dict[str, bool] = {}
        self._hops: dict[str, bool] = {}

    def check(self, host: str, port: int = 0, proto: str = "") -> bool:
        """Whether a host name or address (IPv6 with or without brackets) is ours; port 0 and proto '' match any."""
        proxy = self._proxy
        if (proxy.listens, proxy.aliases) != self._seen:
            self._load()
        key = (host, port, proto)
        known = self._checks.get(key)
        if known is None:
            known = self._look(host, port, proto)
            if len(host) <= _CACHE_TEXT:
                if len(self._checks) >= _CACHE_MAX:
                    self._checks.clear()
                self._checks[key] = known
        return known

    def uri(self, text: str) -> bool:
        """Whether host, port and ``transport`` of a SIP URI are ours; False for what is no URI with a host."""
        proxy = self._proxy
        if (proxy.listens, proxy.aliases) != self._seen:
            self._load()
        known = self._uris.get(text)
        if known is None:
            try:
                uri = parse_uri(text)
                known = uri.is_sip and self._look(uri.host, uri.port_no, uri.transport)
            except SipError:
                known = False
            if len(text) <= _CACHE_TEXT:
                if len(self._uris) >= _CACHE_MAX:
                    self._uris.clear()
                self._uris[text] = known
        return known

    def next_hop(self, text: str) -> bool:
        """Like :meth:`uri` for where a request with that URI would be sent: its ``maddr`` in place of the host."""
        proxy = self._proxy
        if (proxy.listens, proxy.aliases) != self._seen:
            self._load()
        known = self._hops.get(text)
        if known is None:
            try:
                uri = parse_uri(text)
                known = uri.is_sip and self._look(uri.maddr or uri.host, uri.port_no, uri.transport)
            except SipError:
                known = False
            if len(text) <= _CACHE_TEXT:
                if len(self._hops) >= _CACHE_MAX:
                    self._hops.clear()
                self._hops[text] = known
        return known

    def add_domain(self, text: str) -> None:
        """Take a domain with all its subdomains, ``[proto:]domain[:port]``, as ours."""
        proto, host, port = _alias(text.lower())
        self._domains.append((host, port, proto))
        self.reset()

    def _look(self, host: str, port: int, proto: str) -> bool:
        if proto == "wss":
            proto = ""  # in a URI it is no transport: RFC 7118 has sips and ws for that
        name = canonical_ip(host) if ":" in host else host.lower()
        candidates = list(self._hosts.get(name, ()))
        candidates += [(p, t) for domain, p, t in self._domains if name == domain or name.endswith("." + domain)]
        return any(
            (not port or not own_port or port == own_port) and (not proto or not own_proto or proto == own_proto)
            for own_port, own_proto in candidates
        )

    def _load(self) -> None:
        proxy = self._proxy
        self.reset()
        self._seen = (proxy.listens.copy(), proxy.aliases.copy())
        for listen in proxy.listens:
            # Kamailio takes own and advertised host and port in any combination.
            for host in {listen.host, listen.advertise_host} - {""}:
                for port in {listen.port, listen.advertise_port} - {0}:
                    places = self._hosts.setdefault(canonical_ip(host) or host.lower(), [])
                    places.append((port, listen.proto))
                    if listen.proto in _UPPER:
                        places.append((port, _UPPER[listen.proto]))
        for alias in proxy.aliases:
            proto, host, port = _alias(alias)
            self._hosts.setdefault(canonical_ip(host) or host.lower(), []).append((port, proto))


#: WebSocket is served on the sockets of these.
_UPPER = {carrier: proto for proto, carrier in CARRIERS.items()}

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?", re.ASCII)


def check_alias(text: str) -> str:
    """``[proto:]host[:port]`` unchanged. Raises :class:`AddressError` for a text that no host can have."""
    proto, colon, rest = text.partition(":")
    host, _ = parse_host_port(rest if colon and proto.lower() in PROTOS else text)
    if not canonical_ip(host) and not _HOST.fullmatch(host):
        raise AddressError(f"bad alias {text!r}; expected a domain such as example.com, or udp:example.com:5060")
    return text


def _alias(text: str) -> tuple[str, str, int]:
    """``[proto:]host[:port]`` as transport ('' any), host, port (0 any)."""
    proto, colon, rest = text.partition(":")
    if not colon or proto not in PROTOS:
        proto, rest = "", text
    try:
        host, port = parse_host_port(rest)
    except AddressError:
        host, port = rest, 0
    return proto, host, port
