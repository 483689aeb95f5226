"""What scripts ask dispatcher: where a message comes from, which sets there are and whether they can be used."""

from __future__ import annotations

import logging
import socket
from collections.abc import Collection
from typing import TYPE_CHECKING

from ..net.address import canonical_ip
from ..pv.registry import Accessor
from ..sip.errors import SipError
from ..sip.uri import parse_uri, strip_brackets
from .declare import export
from .dispatcher_list import Destination
from .dispatcher_rpc import DispatcherRpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["DispatcherQuestions"]

log = logging.getLogger("ksrcore.dispatcher")

_MATCH_NO_PORT = 1
_MATCH_NO_PROTO = 2
_MATCH_ACTIVE = 4


def _resolved(name: str) -> str:
    try:
        return str(socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)[0][4][0])
    except (OSError, UnicodeError):
        return ""


class DispatcherQuestions(DispatcherRpc):
    """A part of the dispatcher module."""

    ds_dns_mode: int

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._setid: Accessor | None = None
        self._attrs: Accessor | None = None

    def waits(self) -> Collection[str]:
        if self.ds_dns_mode & 2:
            return ("ds_is_from_list", "ds_is_from_lists", "ds_is_from_list_mode", "ds_is_from_list_uri")
        return ("ds_is_from_list_uri",)

    def _resolve(self, name: str) -> str:
        """The first address of a host name by the system's resolver, '' for none and in a sandbox."""
        return "" if self.proxy.sandbox else self.proxy.wait(lambda: _resolved(name))

    def _resolve_all(self) -> None:
        """Every ds_dns_interval seconds: the addresses of all destinations that have a name, looked up beside."""
        items = [item for _, item in self.sets.destinations() if item.ip and item.ip != strip_brackets(item.url.host)]
        names = {item.url.host for item in items}

        def done(found: dict[str, str] | None, error: Exception | None) -> None:
            for item in items:
                item.ip = (found or {}).get(item.url.host) or item.ip

        if names:
            self.proxy.tasks.background(lambda: {name: _resolved(name) for name in names}, done)

    def _find(self, run: Run, number: int, mode: int, uri: str) -> int:
        msg = run.msg
        if uri:
            try:
                parsed = parse_uri(uri)
            except SipError as error:
                log.error("ds_is_from_list: %s", error)
                return -1
            host, port, proto = strip_brackets(parsed.host), parsed.port_no, parsed.transport
        elif msg.rcv is not None:
            host, port, proto = msg.rcv.src_ip, msg.rcv.src_port, msg.rcv.proto
        else:
            return -1
        ip = canonical_ip(host) or self._resolve(host)
        if not ip:
            log.error("ds_is_from_list: %s cannot be resolved", host)
            return -1
        chosen = [self.sets.get(number)] if number != -1 else list(self.sets)
        for each in chosen:
            for item in each.items if each is not None else ():
                if self._address(item) != ip:
                    continue
                if not mode & _MATCH_NO_PORT and item.url.port_no and item.url.port_no != port:
                    continue
                if not mode & _MATCH_NO_PROTO and item.proto != proto:
                    continue
                if mode & _MATCH_ACTIVE and not item.usable:
                    continue
                if number == -1 and self._setid is not None and each is not None:
                    self._setid.set(run, each.id)
                if self._attrs is not None and item.body:
                    self._attrs.set(run, item.body)
                return 1
        return -1

    def _address(self, item: Destination) -> str:
        if self.ds_dns_mode & 2 and item.ip and item.ip != strip_brackets(item.url.host):
            return self._resolve(item.url.host) or item.ip
        return item.ip

    @export
    def ds_is_from_list(self, run: Run, group: int) -> int:
        """1 when the source address and port are those of a destination of the set (-1: of any), else -1."""
        return self._find(run, group, _MATCH_NO_PROTO, "")

    @export
    def ds_is_from_lists(self, run: Run) -> int:
        """``ds_is_from_list`` over all sets."""
        return self._find(run, -1, _MATCH_NO_PROTO, "")

    @export
    def ds_is_from_list_mode(self, run: Run, vset: int, vmode: int) -> int:
        """``ds_is_from_list``; the mode is a sum of 1: any port, 2: any transport, 4: only active destinations."""
        return self._find(run, vset, vmode, "")

    @export
    def ds_is_from_list_uri(self, run: Run, vset: int, vmode: int, vuri: str) -> int:
        """``ds_is_from_list_mode`` for the address of a URI."""
        return self._find(run, vset, vmode, vuri)

    @export
    def ds_is_active(self, run: Run, set: int) -> int:
        """1 when a destination of the set can be used, else -1."""
        return self.ds_is_active_uri(run, set, "")

    @export
    def ds_is_active_uri(self, run: Run, set: int, uri: str) -> int:
        """1 when the destination of the set with that URI can be used, else -1."""
        found = self.sets.get(set)
        items = found.items if found is not None else []
        return 1 if any(item.usable and (not uri or item.uri == uri) for item in items) else -1

    @export
    def ds_list_exists(self, run: Run, set: int) -> int:
        """1 when there is such a set, else -1."""
        return 1 if self.sets.get(set) is not None else -1
