"""Where a message came in and where one goes out: plain values without I/O.

Addresses are text. IPv6 is compressed lower case without brackets; brackets are added where a URI, a Via or a
socket description needs them.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

#: Transports a listen socket may name. Which of them can be opened is the network's matter.
PROTOS: Final = ("udp", "tcp", "tls", "ws", "wss")
DEFAULT_PORTS: Final = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}

#: What the transports that have no sockets of their own travel on.
CARRIERS: Final = {"ws": "tcp", "wss": "tls"}

#: Whose messages need a Content-Length, and whose connections our Via names; frames know their ends.
STREAMS: Final = frozenset(("tcp", "tls"))

#: Dest.flags: close the connection once the message is written (Kamailio's SND_F_CON_CLOSE).
SND_CLOSE: Final = 1
#: Dest.flags: use an existing connection or fail, never open one (Kamailio's SND_F_FORCE_CON_REUSE).
SND_NO_CONNECT: Final = 2
#: Dest.flags: the script chose ``listen``, so a connection has to come from its address (Kamailio's
#: SND_F_FORCE_SOCKET). Without it the system chooses the source address, and any connection to the peer will do.
SND_FORCE_SOCKET: Final = 4

_WANTED: Final = "expected PROTO:HOST:PORT such as udp:127.0.0.1:5060 or tcp:[::1]:5060"


class AddressError(ValueError):
    """A listen address that cannot be read; the text is one line for the user."""


def canonical_ip(text: str) -> str:
    """The canonical text of a literal address, with or without brackets, or '' when it is a name.

    An IPv6 scope (``fe80::1%eth0``) is kept.
    """
    if text[:1] == "[" and text[-1:] == "]":
        text = text[1:-1]
        if ":" not in text:
            return ""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def ip_family(ip: str) -> int:
    """AF_INET6 for an address text with a colon, else AF_INET."""
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def bracketed(host: str) -> str:
    """The host as a URI, a Via or a socket description writes it (RFC 3261 25.1 IPv6reference)."""
    return f"[{host}]" if ":" in host and host[:1] != "[" else host


class Listen:
    """A listen socket's address. Equal when proto, host and port are.

    ``family`` is AF_INET or AF_INET6. ``uri_host`` is the host with brackets where IPv6 needs them, ``text``
    Kamailio's description of the socket (``udp:127.0.0.1:5060``, ``tcp:[::1]:5060``), ``via_host_port`` what a Via
    says: the advertised address or the own, without port 5060 unless it is the advertised one; ``uri_host_port`` what a
    Record-Route says, never with port 5060; ``advertised`` the same with the port always written. ``via_prefix`` is our
    Via field up to the value of its branch, ``via_proto`` the transport in it. They are computed once, not per message.

    WebSocket has no sockets of its own: ``over("ws")`` of a TCP socket is the same place under that transport, with
    the TCP socket's ``text``, as Kamailio knows it; ``base`` is the socket itself.
    """

    __slots__ = (
        "_over",
        "advertise_host",
        "advertise_port",
        "advertised",
        "base",
        "family",
        "host",
        "name",
        "port",
        "proto",
        "text",
        "uri_host",
        "uri_host_port",
        "via_host_port",
        "via_prefix",
        "via_proto",
    )

    def __init__(
        self,
        proto: str,
        host: str,
        port: int,
        advertise_host: str = "",
        advertise_port: int = 0,
        name: str = "",
    ) -> None:
        self.proto = proto
        self.host = host
        self.family = ip_family(host)
        self.advertise_host = advertise_host
        self.advertise_port = advertise_port
        self.name = name
        self.uri_host = bracketed(host)
        self.base = self
        self._over: Listen | None = None
        self.set_port(port)

    def set_port(self, port: int) -> None:
        """Take the port the system chose for port 0. Changes the hash: not while the object is a key."""
        self.port = port
        self.text = f"{self.proto}:{self.uri_host}:{port}"
        host, shown = bracketed(self.advertise_host or self.host), self.advertise_port or port
        self.advertised = f"{host}:{shown}"
        self.uri_host_port = host if shown == 5060 else self.advertised
        self.via_host_port = self.advertised if self.advertise_port else self.uri_host_port
        # Two spaces after WS: as Kamailio writes it.
        self.via_proto = "WS " if self.proto == "ws" else self.proto.upper()
        self.via_prefix = f"Via: SIP/2.0/{self.via_proto} {self.via_host_port};branch="
        self._over = None

    def over(self, proto: str) -> Listen | None:
        """This place for messages of ``proto``; None when this socket carries none of them."""
        if proto == self.proto:
            return self
        base = self.base
        if proto == base.proto:
            return base
        if CARRIERS.get(proto) != base.proto:
            return None
        found = base._over
        if found is None:
            found = Listen(proto, base.host, base.port, base.advertise_host, base.advertise_port, base.name)
            found.base = base
            found.text = base.text
            base._over = found
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Listen):
            return NotImplemented
        return self.port == other.port and self.host == other.host and self.proto == other.proto

    def __hash__(self) -> int:
        return hash((self.proto, self.host, self.port))

    def __repr__(self) -> str:
        return f"<Listen {self.text}>"


class Rcv:
    """How a message arrived: Kamailio's receive_info. ``conid`` is 0 for datagrams; one object may serve many."""

    __slots__ = ("conid", "dst_ip", "dst_port", "listen", "proto", "src_ip", "src_port")

    def __init__(
        self, proto: str, src_ip: str, src_port: int, dst_ip: str, dst_port: int, listen: Listen, conid: int = 0
    ) -> None:
        self.proto = proto
        self.src_ip = src_ip
        self.src_port = src_port
        self.dst_ip = dst_ip
        self.dst_port = dst_port
        self.listen = listen
        self.conid = conid

    def __repr__(self) -> str:
        src = f"{bracketed(self.src_ip)}:{self.src_port}"
        dst = f"{bracketed(self.dst_ip)}:{self.dst_port}"
        return f"<Rcv {self.proto} {src} -> {dst} conid={self.conid}>"


class Dest:
    """Where to send: Kamailio's dest_info.

    ``listen`` is the send socket; None lets the network choose by proto and family. ``conid`` 0 means: use a
    connection to ip:port or open one. ``flags`` is a sum of SND_CLOSE, SND_NO_CONNECT and SND_FORCE_SOCKET.
    """

    __slots__ = ("conid", "flags", "ip", "listen", "port", "proto")

    def __init__(
        self, proto: str, ip: str, port: int, listen: Listen | None = None, conid: int = 0, flags: int = 0
    ) -> None:
        self.proto = proto
        self.ip = ip
        self.port = port
        self.listen = listen
        self.conid = conid
        self.flags = flags

    @property
    def text(self) -> str:
        return f"{self.proto}:{bracketed(self.ip)}:{self.port}"

    def __repr__(self) -> str:
        return f"<Dest {self.text} conid={self.conid} flags={self.flags}>"


def parse_host_port(text: str) -> tuple[str, int]:
    """Split ``HOST``, ``HOST:PORT``, ``[V6]`` or ``[V6]:PORT``; port 0 when absent. Brackets are taken off.

    Raises AddressError.
    """
    if text[:1] == "[":
        host, closed, rest = text[1:].partition("]")
        if not closed or not canonical_ip(f"[{host}]"):
            raise AddressError(f"bad IPv6 address in {text!r}; expected [ADDRESS]:PORT such as [::1]:5060")
        host = canonical_ip(host)
        if rest and rest[0] != ":":
            raise AddressError(f"unexpected {rest!r} after the address in {text!r}; expected a colon and a port")
        colon, port_text = rest[:1], rest[1:]
    else:
        host, colon, port_text = text.partition(":")
        if ":" in port_text:
            raise AddressError(f"too many colons in {text!r}; an IPv6 address needs brackets, such as [::1]:5060")
    if not host:
        raise AddressError(f"no host in {text!r}; expected HOST:PORT")
    if not colon:
        return host, 0
    if not (port_text.isascii() and port_text.isdigit()) or len(port_text) > 5 or int(port_text) > 65535:
        raise AddressError(f"bad port {port_text!r} in {text!r}; expected a number from 0 to 65535")
    return host, int(port_text)


def parse_listen(text: str) -> Listen:
    """Read a listen address as Kamailio writes it; raises AddressError.

    ``PROTO:HOST:PORT``, the port optional (5060; 5061 for tls), 0 for any free one. HOST is a literal address, IPv6
    in brackets, or ``localhost`` (127.0.0.1). An advertised address follows as ``/HOST:PORT`` (Kamailio's -l option)
    or as `` advertise HOST:PORT``, then a socket name as `` name NAME`` (its listen parameter).
    """
    words = text.split()
    if not words:
        raise AddressError(f"empty listen address; {_WANTED}")
    base, slash, advertise = words[0].partition("/")
    name = ""
    options = words[1:]
    while options:
        if options[0] == "advertise" and len(options) > 1 and not slash and not advertise:
            advertise = options[1]
        elif options[0] == "name" and len(options) > 1 and not name:
            name = options[1].strip("\"'")
        else:
            raise AddressError(
                f"listen address {text!r}: unexpected {options[0]!r}; after {base} may follow 'advertise HOST:PORT' "
                "and 'name NAME'"
            )
        options = options[2:]

    proto, colon, rest = base.partition(":")
    proto = proto.lower()
    if proto not in PROTOS or not colon:
        raise AddressError(f"listen address {text!r}: no transport; {_WANTED} (transports: {', '.join(PROTOS)})")
    try:
        host, port = parse_host_port(rest)
        adv_host, adv_port = parse_host_port(advertise) if slash or advertise else ("", 0)
    except AddressError as err:
        raise AddressError(f"listen address {text!r}: {err}") from None
    ip = "127.0.0.1" if host.lower() == "localhost" else canonical_ip(host)
    if not ip:
        raise AddressError(f"listen address {text!r}: {host!r} is not an IP address or localhost; {_WANTED}")
    if rest.rpartition("]")[2].find(":") < 0:
        port = DEFAULT_PORTS[proto]
    return Listen(proto, ip, port, adv_host, adv_port, name)
