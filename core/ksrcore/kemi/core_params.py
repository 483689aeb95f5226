"""Kamailio's global parameters that have a meaning here: ``--modparam core:NAME=VALUE``.

Names and units are Kamailio's, with three of our own (``dns_cache_entries``, ``capture_messages``, ``capture_bytes``).
Defaults of sockets and DNS are those of :class:`~ksrcore.net.transport.NetOptions` and
:class:`~ksrcore.net.dns.DnsOptions`, which the server fills from here before it opens anything.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import Any, ClassVar

from .. import __version__
from ..net.dns import DnsOptions
from ..net.transport import NetOptions
from .declare import Param, ParamError

#: The level of Python's logging that each value of ``debug`` starts at; 25 is NOTICE.
LEVELS = {-2: logging.CRITICAL, -1: logging.ERROR, 0: logging.WARNING, 1: 25, 2: logging.INFO, 3: logging.DEBUG}

_YES = frozenset(("1", "yes", "on", "true", "enable"))
_NO = frozenset(("0", "no", "off", "false", "disable"))
#: What fits Kamailio's int.
_MOST = 2**31 - 1


class Number(Param):
    """A whole number from ``least`` to ``most``."""

    def __init__(self, default: float, doc: str, least: int = 0, most: int = _MOST) -> None:
        super().__init__(int(min(default, most)), doc)
        self.least = least
        self.most = most

    def convert(self, module: str, value: int | str) -> int:
        number = int(super().convert(module, value))
        if not self.least <= number <= self.most:
            raise ParamError(
                f"modparam {module}:{self.name} expects a number from {self.least} to {self.most}, got {number}"
            )
        return number


class Switch(Param):
    """Yes or no, in Kamailio's words for it; its value is 1 or 0."""

    def __init__(self, default: bool, doc: str) -> None:
        super().__init__(int(default), doc)

    def convert(self, module: str, value: int | str) -> int:
        word = str(value).strip().lower()
        if word in _YES:
            return 1
        if word in _NO:
            return 0
        raise ParamError(f"modparam {module}:{self.name} expects yes or no (1, on, true; 0, off, false), got {value!r}")


class Field(Param):
    """A whole header field without its line end, of a given name; '' for none."""

    def __init__(self, default: str, doc: str) -> None:
        super().__init__(default, doc)
        self.wanted = default.partition(":")[0]

    def convert(self, module: str, value: int | str) -> str:
        text = str(value).strip()
        if text and (not text.lower().startswith(f"{self.wanted.lower()}:") or "\r" in text or "\n" in text):
            raise ParamError(
                f"modparam {module}:{self.name} expects a header field in one line such as "
                f"'{self.wanted}: name', got {text!r}"
            )
        # Text inside the core has one character a byte.
        return text.encode().decode("latin-1")


class Debug(Number):
    """A log level. Not given: the level is whatever the process was started with."""

    def __init__(self, doc: str) -> None:
        super().__init__(2, doc, -5, 10)


#: The parameter ``force_rport``.
FORCE_RPORT = Switch(False, "replies go where the request came from, as if it had asked for rport: yes or no")
FORCE_RPORT.name = "force_rport"

_NET = NetOptions()
_DNS = DnsOptions()


class CoreParams:
    """The parameters, and what becomes of them."""

    params: ClassVar[dict[str, Param]]

    # -- sockets
    tcp_rd_buf_size = Number(_NET.tcp_rd_buf_size, "the largest message on a stream, bytes: int", 512)
    tcp_accept_no_cl = Switch(
        _NET.tcp_accept_no_cl, "a message on a stream without Content-Length has no body; HTTP needs it: yes or no"
    )
    tcp_crlf_ping = Switch(_NET.tcp_crlf_ping, "answer the keepalive CRLF CRLF with CRLF: yes or no")
    tcp_connection_lifetime = Number(
        _NET.tcp_connection_lifetime, "a connection idle for so long is closed, seconds: int", 1
    )
    tcp_max_connections = Number(_NET.tcp_max_connections, "the most connections of one transport: int")
    tcp_connect_timeout = Number(_NET.tcp_connect_timeout, "how long opening a connection may take, seconds: int", 1)
    tcp_send_timeout = Number(
        _NET.tcp_send_timeout, "a peer that does not read for so long is cut off, seconds: int", 1
    )
    tcp_conn_wq_max = Number(_NET.tcp_conn_wq_max, "what may wait for one slow peer, bytes: int")
    tcp_wq_max = Number(_NET.tcp_wq_max, "what may wait for all slow peers together, bytes: int")
    tcp_no_connect = Switch(_NET.tcp_no_connect, "never open a connection, use those there are: yes or no")
    maxbuffer = Number(_NET.udp_rcvbuf, "the receive buffer asked of the system for each UDP socket, bytes: int", 1024)

    # -- DNS
    use_dns_cache = Switch(_DNS.use_dns_cache, "keep answers: yes or no")
    dns_try_naptr = Switch(_DNS.dns_try_naptr, "ask for NAPTR when the URI names no transport: yes or no")
    dns_naptr_ignore_rfc = Switch(
        _DNS.dns_naptr_ignore_rfc, "the dns_*_pref go before the order of the NAPTR records: yes or no"
    )
    dns_srv_lb = Switch(_DNS.dns_srv_lb, "balance among SRV records of one priority by their weight: yes or no")
    dns_try_ipv6 = Switch(_DNS.dns_try_ipv6, "ask for AAAA when there is no A: yes or no")
    dns_udp_pref = Number(_DNS.dns_udp_pref, "preference of UDP with NAPTR, below 0 never: int", -_MOST)
    dns_tcp_pref = Number(_DNS.dns_tcp_pref, "preference of TCP with NAPTR, below 0 never: int", -_MOST)
    dns_tls_pref = Number(_DNS.dns_tls_pref, "preference of TLS with NAPTR, below 0 never: int", -_MOST)
    dns_cache_negative_ttl = Number(_DNS.dns_cache_negative_ttl, "how long an empty answer is kept, seconds: int")
    dns_cache_min_ttl = Number(_DNS.dns_cache_min_ttl, "answers are kept at least so long, seconds: int")
    dns_cache_max_ttl = Number(_DNS.dns_cache_max_ttl, "answers are kept at most so long, seconds: int")
    dns_cache_entries = Number(_DNS.dns_cache_entries, "the most answers kept (Kamailio bounds their memory): int", 1)
    dns_retr_time = Number(_DNS.dns_retr_time, "wait for a server's answer, seconds: int", 1)
    dns_retr_no = Number(_DNS.dns_retr_no, "how often a question is asked again: int")
    dns_use_search_list = Switch(_DNS.dns_use_search_list, "complete names as resolv.conf says: yes or no")

    # -- who we are
    server_header = Field(f"Server: ksrshell ({__version__})", "the Server field of our replies, whole: str")
    user_agent_header = Field(
        f"User-Agent: ksrshell ({__version__})", "the User-Agent field of our requests, whole: str"
    )
    server_signature = Switch(True, "put those two fields into what we make: yes or no")
    sip_warning = Number(0, "1: replies of our own say in a Warning field what request they answer: int", 0, 1)
    reply_to_via = Switch(False, "replies over UDP go to the host of the Via, when that is an address: yes or no")
    server_id = Number(0, "this server's number: $sid, and the server_id of the contacts it saves: int", -_MOST)

    # -- log and flight recorder
    debug = Debug("what is logged: 3 debug, 2 info, 1 notice, 0 warnings, -1 errors, -2 critical: int")
    capture_messages = Number(10_000, "how many messages the flight recorder keeps: int", 1)
    capture_bytes = Number(64 * 1024 * 1024, "how much memory its messages take, bytes: int", 1)

    def apply_network(self, options: NetOptions) -> None:
        """Fill in what concerns sockets, before they are opened."""
        self._fill(options)
        options.udp_rcvbuf = self.maxbuffer

    def dns_options(self) -> DnsOptions:
        """What concerns DNS."""
        options = DnsOptions()
        self._fill(options)
        return options

    def _fill(self, options: Any) -> None:
        for field in dataclasses.fields(options):
            if field.name in self.params:
                setattr(options, field.name, type(getattr(options, field.name))(getattr(self, field.name)))
