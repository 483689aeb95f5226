"""The ``is_*`` and ``to_*`` tests of Kamailio's core: method, transport, address family, "is it me?"."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING, Any

from ..sip.errors import SipError
from .declare import export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

#: The letters of ``KSR.is_method_in``.
METHOD_LETTERS = {
    "A": "ACK",
    "B": "BYE",
    "C": "CANCEL",
    "D": "DELETE",
    "E": "PRACK",
    "F": "REFER",
    "G": "GET",
    "I": "INVITE",
    "K": "KDMQ",
    "M": "MESSAGE",
    "N": "NOTIFY",
    "O": "OPTIONS",
    "P": "PUBLISH",
    "R": "REGISTER",
    "S": "SUBSCRIBE",
    "T": "POST",
    "U": "UPDATE",
    "V": "PUT",
}


def _spellings(method: str) -> frozenset[str]:
    """The method in every mixture of cases: Kamailio's parser takes those it knows in any."""
    return frozenset(map("".join, product(*zip(method, method.lower(), strict=True))))


class _MethodSets(dict[str, frozenset[str]]):
    """Letters of ``KSR.is_method_in`` to the methods they name, in every mixture of cases; bounded."""

    def __missing__(self, letters: str) -> frozenset[str]:
        names = filter(None, map(METHOD_LETTERS.get, letters))
        found: frozenset[str] = frozenset().union(*map(_spellings, names))
        if len(letters) <= 32:
            if len(self) >= 1024:
                self.clear()
            self[letters] = found
        return found


_METHODS_IN = _MethodSets()

#: Methods that Kamailio's parser knows: those of the letters, and INFO.
_KNOWN_METHODS = frozenset({*METHOD_LETTERS.values(), "INFO"})

#: The letters of ``KSR.is_proto``.
_PROTO_LETTERS = {"udp": "u", "tcp": "t", "tls": "e", "sctp": "s", "ws": "w", "wss": "v"}


def _method(name: str) -> Callable[[Any, Run], bool]:
    spellings = _spellings(name)

    def test(self: Any, run: Run) -> bool:
        return run.msg.method in spellings

    test.__doc__ = f"Whether the request, or the one a reply answers (CSeq), is {name}."
    return export(name=f"is_{name}", inline=True)(test)


def _came_by(name: str, *protos: str) -> Callable[[Any, Run], bool]:
    wanted = frozenset(protos)

    def test(self: Any, run: Run) -> bool:
        rcv = run.msg.rcv
        return rcv is not None and rcv.proto in wanted

    test.__doc__ = f"Whether the message came in over {' or '.join(protos)}."
    return export(name=name)(test)


def _goes_by(name: str, *protos: str) -> Callable[[Any, Run], bool]:
    wanted = frozenset(protos)

    def test(self: Any, run: Run) -> bool:
        return run.dest is not None and run.dest.proto in wanted

    test.__doc__ = f"In an onsend route: whether the message goes out over {' or '.join(protos)}; elsewhere False."
    return export(name=name)(test)


class Conditions:
    """Tests of the message in hand; all of them cheap enough to be called at will."""

    proxy: Proxy

    is_ACK = _method("ACK")
    is_BYE = _method("BYE")
    is_CANCEL = _method("CANCEL")
    is_DELETE = _method("DELETE")
    is_GET = _method("GET")
    is_INFO = _method("INFO")
    is_INVITE = _method("INVITE")
    is_KDMQ = _method("KDMQ")
    is_MESSAGE = _method("MESSAGE")
    is_NOTIFY = _method("NOTIFY")
    is_OPTIONS = _method("OPTIONS")
    is_POST = _method("POST")
    is_PRACK = _method("PRACK")
    is_PUBLISH = _method("PUBLISH")
    is_PUT = _method("PUT")
    is_REFER = _method("REFER")
    is_REGISTER = _method("REGISTER")
    is_SUBSCRIBE = _method("SUBSCRIBE")
    is_UPDATE = _method("UPDATE")

    is_UDP = _came_by("is_UDP", "udp")
    is_TCP = _came_by("is_TCP", "tcp")
    is_TLS = _came_by("is_TLS", "tls")
    is_SCTP = _came_by("is_SCTP", "sctp")
    is_WS = _came_by("is_WS", "ws")
    is_WSS = _came_by("is_WSS", "wss")
    is_WSX = _came_by("is_WSX", "ws", "wss")
    is_TCPX = _came_by("is_TCPX", "tcp", "tls", "ws", "wss")

    to_UDP = _goes_by("to_UDP", "udp")
    to_TCP = _goes_by("to_TCP", "tcp")
    to_TLS = _goes_by("to_TLS", "tls")
    to_SCTP = _goes_by("to_SCTP", "sctp")
    to_WS = _goes_by("to_WS", "ws")
    to_WSS = _goes_by("to_WSS", "wss")
    to_WSX = _goes_by("to_WSX", "ws", "wss")

    @export
    def is_method(self, run: Run, method: str) -> bool:
        """Whether the method is ``method`` or one of several (``INVITE|OPTIONS``), in any case; a reply has its CSeq's.

        As in Kamailio several are read only when it knows them all (the last may be empty): else it is False.
        """
        own = run.msg.method
        if own == method:
            return True
        if "|" not in method:
            return own.upper() == method.upper()
        names = [name.strip() for name in method.upper().split("|")]
        if not names[-1]:
            names.pop()
        return own.upper() in names and _KNOWN_METHODS.issuperset(names)

    @export(inline=True)
    def is_method_in(self, run: Run, letters: str) -> bool:
        """Whether the method is one of those named by ``letters``.

        A ACK, B BYE, C CANCEL, D DELETE, E PRACK, F REFER, G GET, I INVITE, K KDMQ, M MESSAGE, N NOTIFY, O OPTIONS,
        P PUBLISH, R REGISTER, S SUBSCRIBE, T POST, U UPDATE, V PUT; INFO has no letter.
        """
        return run.msg.method in _METHODS_IN[letters]

    @export
    def is_proto(self, run: Run, letters: str) -> bool:
        """Whether the transport is one of ``letters``: u UDP, t TCP, e TLS, s SCTP, w WS, v WSS, in any case."""
        rcv = run.msg.rcv
        return rcv is not None and _PROTO_LETTERS[rcv.proto] in letters.lower()

    @export
    def is_IPv4(self, run: Run) -> bool:
        """Whether the message came in over IPv4."""
        return run.msg.rcv is not None and ":" not in run.msg.rcv.src_ip

    @export
    def is_IPv6(self, run: Run) -> bool:
        """Whether the message came in over IPv6."""
        return run.msg.rcv is not None and ":" in run.msg.rcv.src_ip

    @export
    def to_IPv4(self, run: Run) -> bool:
        """In an onsend route: whether the message goes out over IPv4; elsewhere False."""
        return run.dest is not None and ":" not in run.dest.ip

    @export
    def to_IPv6(self, run: Run) -> bool:
        """In an onsend route: whether the message goes out over IPv6; elsewhere False."""
        return run.dest is not None and ":" in run.dest.ip

    @export
    def is_src_port(self, run: Run, port: int) -> bool:
        """Whether the message came from that port."""
        return run.msg.rcv is not None and run.msg.rcv.src_port == port

    @export
    def is_dst_port(self, run: Run, port: int) -> bool:
        """Whether the message came in on that port."""
        return run.msg.rcv is not None and run.msg.rcv.dst_port == port

    # -- is it me? ------------------------------------------------------------------------------------------------

    @export(inline=True)
    def is_myself(self, run: Run, uri: str) -> bool:
        """Whether a ``sip:``/``sips:`` URI (host, port and transport) or a bare host is one of our own."""
        myself = self.proxy.myself
        return myself.uri(uri) if uri.startswith(("sip:", "sips:")) else myself.check(uri)

    @export(inline=True)
    def is_myself_ruri(self, run: Run) -> bool:
        """Whether the Request-URI, rewritten or as it came, is one of our own."""
        msg = run.msg
        return self.proxy.myself.uri(msg.new_uri or msg.ruri)

    @export
    def is_myself_furi(self, run: Run) -> bool:
        """Whether the From URI is one of our own."""
        try:
            from_ = run.msg.from_
        except SipError:
            return False
        return from_ is not None and self.proxy.myself.uri(from_.uri)

    @export
    def is_myself_turi(self, run: Run) -> bool:
        """Whether the To URI is one of our own."""
        try:
            to = run.msg.to
        except SipError:
            return False
        return to is not None and self.proxy.myself.uri(to.uri)

    @export
    def is_myself_duri(self, run: Run) -> bool:
        """Whether the destination URI is set and one of our own."""
        return run.msg.dst_uri != "" and self.proxy.myself.uri(run.msg.dst_uri)

    @export
    def is_myself_nhuri(self, run: Run) -> bool:
        """Whether the next hop, the destination URI or else the Request-URI, is one of our own."""
        msg = run.msg
        return self.proxy.myself.uri(msg.dst_uri or msg.new_uri or msg.ruri)

    @export
    def is_myself_srcip(self, run: Run) -> bool:
        """Whether the source address is one of ours, on any port."""
        rcv = run.msg.rcv
        return rcv is not None and self.proxy.myself.check(rcv.src_ip)

    @export
    def is_myself_suri(self, run: Run) -> bool:
        """Whether source address, port and transport are those of a socket of ours."""
        rcv = run.msg.rcv
        return rcv is not None and self.proxy.myself.check(rcv.src_ip, rcv.src_port, rcv.proto)
