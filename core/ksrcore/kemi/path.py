"""Kamailio's path: Path (RFC 3327) on the way to the registrar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self
from urllib.parse import unquote

from ..sip.build import shown_address
from ..sip.uri import Uri
from .declare import Module, Param, export
from .nathelper import source_uri
from .rr import Rr

if TYPE_CHECKING:
    from ..net.address import Dest, Listen
    from ..proxy import Proxy
    from ..run import Run
    from ..sip.message import SipMessage

_ESCAPED = str.maketrans({";": "%3B", "=": "%3D", "?": "%3F", "&": "%26"})


class Path(Module):
    """Adds Path with the socket that the request leaves by, and uses ``received`` of our own on the way back."""

    name = "path"
    use_received = Param(0, "1: loose_route() sends to the received parameter of our own Route")
    received_format = Param(0, "1: write the received URI's transport as ~proto, which needs no escapes")
    received_name = Param("received", "the name of the received parameter")
    enable_r2 = Param(0, "1: two fields when socket or transport change on the way")
    sockname_mode = Param(0, "1: write the name of the socket as ;sn")

    def start(self) -> None:
        rr = self.proxy.modules.get("rr")
        if self.use_received and isinstance(rr, Rr):
            rr.callbacks.append(self._to_received)

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.start()
        return new

    def _to_received(self, run: Run, params: str) -> None:
        value = Uri("", "sip", params=params).param(self.received_name)
        if value:
            text, tilde, proto = unquote(value).partition("~")
            run.msg.dst_uri = f"{text};transport={proto}" if tilde else text

    def _host(self, listen: Listen, msg: SipMessage) -> str:
        text = shown_address(listen, None if listen.advertise_host else msg.advertise)
        if listen.proto != "udp":
            text += f";transport={listen.proto}"
        if self.sockname_mode and listen.name:
            text += f";sn={listen.name}"
        return text

    def _received(self, run: Run) -> str:
        rcv = run.msg.rcv
        if rcv is None:
            return ""
        uri = source_uri(rcv)
        if self.received_format == 1:
            uri, _, proto = uri.partition(";transport=")
            return f";{self.received_name}={uri}{'~' + proto if proto else ''}"
        return f";{self.received_name}={uri.translate(_ESCAPED)}"

    def _add(self, run: Run, user: str, params: str, received: bool, address: str = "") -> int:
        msg = run.msg
        head = f"sip:{user}@" if user else "sip:"
        tail = (self._received(run) if received else "") + (f";{params.lstrip(';')}" if params else "")
        came = msg.rcv.listen if msg.rcv is not None else None

        def render(dest: Dest) -> str:
            out = dest.listen or came
            if out is None:
                return ""
            if self.enable_r2 and came is not None and came != out:
                return (
                    f"Path: <{head}{address or self._host(out, msg)};lr;r2=on{tail}>\r\n"
                    f"Path: <{head}{address or self._host(came, msg)};lr;r2=on{tail}>\r\n"
                )
            return f"Path: <{head}{address or self._host(out, msg)};lr{tail}>\r\n"

        first = msg.index.get("path")
        msg.lumps.insert(msg.offset_of(first) if first is not None else msg.headers_end, render, "path")
        return 1

    @export
    def add_path(self, run: Run) -> int:
        """Add Path with our socket."""
        return self._add(run, "", "", False)

    @export
    def add_path_user(self, run: Run, user: str) -> int:
        """Add Path with our socket and this user part."""
        return self._add(run, user, "", False)

    @export
    def add_path_user_params(self, run: Run, user: str, params: str) -> int:
        """Add Path with our socket, this user part and these parameters."""
        return self._add(run, user, params, False)

    @export
    def add_path_received(self, run: Run) -> int:
        """Add Path with our socket and the source of the request as ``received``."""
        return self._add(run, "", "", True)

    @export
    def add_path_received_user(self, run: Run, user: str) -> int:
        """Like ``add_path_received`` with this user part."""
        return self._add(run, user, "", True)

    @export
    def add_path_received_user_params(self, run: Run, user: str, params: str) -> int:
        """Like ``add_path_received`` with this user part and these parameters."""
        return self._add(run, user, params, True)

    @export
    def add_path_advertised_address(self, run: Run, address: str) -> int:
        """Add Path with ``address`` (host, port) as ours."""
        return self._add(run, "", "", False, address)

    @export
    def add_path_advertised_address_user(self, run: Run, address: str, user: str) -> int:
        """Like ``add_path_advertised_address`` with this user part."""
        return self._add(run, user, "", False, address)

    @export
    def add_path_advertised_address_user_params(self, run: Run, address: str, user: str, params: str) -> int:
        """Like ``add_path_advertised_address`` with this user part and these parameters."""
        return self._add(run, user, params, False, address)

    @export
    def add_path_received_advertised_address(self, run: Run, address: str) -> int:
        """Add Path with ``address`` as ours and the source of the request as ``received``."""
        return self._add(run, "", "", True, address)

    @export
    def add_path_received_advertised_address_user(self, run: Run, address: str, user: str) -> int:
        """Like ``add_path_received_advertised_address`` with this user part."""
        return self._add(run, user, "", True, address)

    @export
    def add_path_received_advertised_address_user_params(self, run: Run, address: str, user: str, params: str) -> int:
        """Like ``add_path_received_advertised_address`` with this user part and these parameters."""
        return self._add(run, user, params, True, address)
