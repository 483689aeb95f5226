"""Kamailio's rr: Record-Route and loose routing (RFC 3261 16.6 step 4, 16.12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Accessor, Value, pv, pv_class
from ..pv.spec import Spec
from ..sip.errors import SipError
from ..sip.lumps import Lump
from ..sip.uri import parse_uri
from .declare import Module, Param, export
from .rr_loose import LooseRouting, route_uri

if TYPE_CHECKING:
    from ..net.address import Dest, Listen
    from ..proxy import Proxy
    from ..run import Run
    from ..sip.message import SipMessage

_KIND = "record-route"
_ADDED = "rr.added"
_EXTRA = "rr.extra"


class _Field:
    """The text of our Record-Route, made when it is known which socket the message leaves by.

    ``render(dest, params)`` makes it; ``params`` are those of ``add_rr_param``.
    """

    __slots__ = ("params", "preset", "render")

    def __init__(self, render: Callable[[Dest, str], str], params: str, preset: bool) -> None:
        self.render = render
        self.params = params
        self.preset = preset

    def __call__(self, dest: Dest) -> str:
        return self.render(dest, self.params)


class Rr(LooseRouting, Module):
    """Record-Route, loose routing, and what they tell about a request in a dialog."""

    name = "rr"
    enable_full_lr = Param(0, "1: write ;lr=on for user agents that strip ;lr")
    append_fromtag = Param(1, "1: write the From tag as ;ftag, which is_direction() needs")
    enable_double_rr = Param(1, "1: two fields when socket or transport change on the way, 2: always two")
    add_username = Param(0, "1: write the Request-URI's user into the Record-Route")
    enable_socket_mismatch_warning = Param(1, "1: warn when the second of our two Route values names no socket of ours")
    custom_user_avp = Param("", "the AVP with the user to write instead of the Request-URI's, $avp(name)")
    force_send_socket = Param(0, "1: send from the socket that our Route names also when it is not doubled")
    ignore_sips = Param(0, "1: write sip: also for a sips: Request-URI")
    sockname_mode = Param(0, "1: write the name of the socket as ;sn, and find it by that")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.callbacks: list[Callable[[Run, str], None]] = []

    def start(self) -> None:
        self._lr = ";lr=on" if self.enable_full_lr else ";lr"
        if self.custom_user_avp:
            self._user_avp = compile_spec(self.custom_user_avp)
        # What a field says of a socket, made once for each.
        self._sockets: dict[Listen, str] = {}

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        # The callbacks belong to the live modules: those of the sandbox register their own.
        new.callbacks = []
        return new

    # -- Record-Route -----------------------------------------------------------------------------------------------

    @export(inline=True)
    def record_route(self, run: Run) -> int:
        """Add Record-Route, two of them when the request leaves by another socket than it came in by.

        1 added; -1 there is one already (of this or a preset), or the message has no usable From.
        """
        return self._record(run, "")

    @export
    def record_route_params(self, run: Run, params: str) -> int:
        """Like ``record_route``, with ``params`` (``;name=value``) added to the URI."""
        return self._record(run, params)

    def _record(self, run: Run, params: str) -> int:
        msg = run.msg
        if _ADDED in msg.extra:
            return -1
        head = self._head(run)
        tail = self._lr + self._ftag(msg) + params
        rcv = msg.rcv.listen if msg.rcv is not None else None
        double = self.enable_double_rr
        socket = self._socket

        def render(dest: Dest, more: str) -> str:
            out = dest.listen or rcv
            if out is None:
                return ""
            came = rcv or out
            if double == 2 or double and came is not out and came != out:
                return (
                    f"Record-Route: <{head}{socket(out)};r2=on{tail}{more}>\r\n"
                    f"Record-Route: <{head}{socket(came)};r2=on{tail}{more}>\r\n"
                )
            return f"Record-Route: <{head}{socket(came)}{tail}{more}>\r\n"

        return self._add(msg, render)

    def _socket(self, listen: Listen) -> str:
        text = self._sockets.get(listen)
        if text is None:
            text = listen.uri_host_port
            if listen.proto != "udp":
                text += f";transport={listen.proto}"
            if self.sockname_mode and listen.name:
                text += f";sn={listen.name}"
            self._sockets[listen] = text
        return text

    def _head(self, run: Run) -> str:
        """Scheme, and the user with its ``@`` when one is to be written."""
        msg = run.msg
        ruri = msg.new_uri or msg.ruri
        scheme = "sips:" if ruri[:5] == "sips:" and not self.ignore_sips else "sip:"
        if not self.add_username:
            return scheme
        user = ""
        if self.custom_user_avp:
            value = self._user_avp.get(run)
            user = str(value) if value is not None else ""
        # Kamailio takes the user of the Request-URI as it came, the rewritten one's only when that has none.
        for text in (msg.ruri, msg.new_uri):
            if not user and text:
                try:
                    user = parse_uri(text).user
                except SipError:
                    continue
        return f"{scheme}{user}@" if user else scheme

    def _ftag(self, msg: SipMessage) -> str:
        if not self.append_fromtag:
            return ""
        if self.upstream(msg):
            tag = msg.to_tag
        else:
            try:
                from_ = msg.from_
            except SipError:
                return ""
            tag = from_.tag if from_ is not None else ""
        return f";ftag={tag}" if tag else ""

    def _add(self, msg: SipMessage, render: Callable[[Dest, str], str], preset: bool = False) -> int:
        field = _Field(render, str(msg.extra.pop(_EXTRA, "")), preset)
        msg.lumps.insert(msg.head_at, field, _KIND)
        msg.extra[_ADDED] = True
        return 1

    @export
    def record_route_preset_one(self, run: Run, text: str) -> int:
        """Add a Record-Route of ``sip:`` and ``text`` (host, port and parameters)."""
        return self.record_route_preset(run, text, "")

    @export
    def record_route_preset(self, run: Run, text: str, text2: str) -> int:
        """Add Record-Routes of ``sip:`` and the texts: the outgoing side's, then, unless '', the incoming side's.

        -1 when there is one already, and for two texts with ``enable_double_rr`` off.
        """
        msg = run.msg
        if _ADDED in msg.extra or text2 and not self.enable_double_rr:
            return -1
        head = self._head(run)
        # Kamailio puts the parameters collected before in front of ;lr, and those that come later behind it.
        tail = f"{self._ftag(msg)}{msg.extra.pop(_EXTRA, '')}{self._lr}"

        def render(dest: Dest, more: str) -> str:
            first = f"Record-Route: <{head}{text}{tail}{more}>\r\n"
            return f"{first}Record-Route: <{head}{text2}{tail}{more}>\r\n" if text2 else first

        return self._add(msg, render, preset=True)

    @export
    def record_route_advertised_address(self, run: Run, address: str) -> int:
        """Add Record-Route with ``address`` (host, port) as ours, two when the transport changes on the way."""
        msg = run.msg
        if _ADDED in msg.extra:
            return -1
        head = self._head(run)
        tail = f"{self._ftag(msg)}{self._lr}"
        came = msg.rcv.proto if msg.rcv is not None else ""
        double = self.enable_double_rr

        def render(dest: Dest, more: str) -> str:
            out = dest.proto
            if double == 2 or double and out != came:
                return (
                    f"Record-Route: <{head}{address};transport={out};r2=on{tail}{more}>\r\n"
                    f"Record-Route: <{head}{address};transport={came};r2=on{tail}{more}>\r\n"
                )
            if out != came:
                return f"Record-Route: <{head}{address};transport={came}{tail}{more}>\r\n"
            return f"Record-Route: <{head}{address}{tail}{more}>\r\n"

        return self._add(msg, render)

    @export
    def remove_record_route(self, run: Run) -> int:
        """Take back the Record-Route that this message got; a second one cannot be added after that."""
        lumps = run.msg.lumps
        lumps.items = [lump for lump in lumps.items if not isinstance(lump.text, _Field)]
        return 1

    @export
    def add_rr_param(self, run: Run, param: str) -> int:
        """Add ``param`` (``;name=value``) to the Record-Route of this message, before or after it was made.

        1; after a preset -1, and yet added, as in Kamailio.
        """
        msg = run.msg
        for n, lump in enumerate(msg.lumps.items):
            if isinstance(lump.text, _Field):
                # A new lump: other branches share the old one.
                old = lump.text
                field = _Field(old.render, old.params + param, old.preset)
                msg.lumps.items[n] = Lump(lump.offset, lump.length, field, lump.kind)
                return -1 if old.preset else 1
        msg.extra[_EXTRA] = f"{msg.extra.get(_EXTRA, '')}{param}"
        return 1

    @property
    def on_route(self) -> list[Callable[[Run, str], None]]:
        """Functions called with the run and our Route's parameters for each request that carried our Route."""
        return self.callbacks


# -- pseudo-variables -------------------------------------------------------------------------------------------------


@pv("route_uri")
def _route_uri(run: Run) -> Value:
    """The URI of the topmost Route, null without one."""
    return route_uri(run.msg)


def _rr(run: Run) -> Rr:
    return run.proxy.modules.rr


@pv("fti")
def _fti(run: Run) -> Value:
    """The tag of the user agent that began the dialog: the From tag downstream, the To tag upstream."""
    try:
        from_ = run.msg.from_
    except SipError:
        return None
    tag = run.msg.to_tag if _rr(run).upstream(run.msg) else from_.tag if from_ is not None else ""
    return tag or None


@pv("tti")
def _tti(run: Run) -> Value:
    """The tag of the user agent that was called: the To tag downstream, the From tag upstream."""
    try:
        from_ = run.msg.from_
    except SipError:
        return None
    tag = (from_.tag if from_ is not None else "") if _rr(run).upstream(run.msg) else run.msg.to_tag
    return tag or None


@pv_class("rdir")
def _rdir(spec: Spec) -> Accessor:
    """``$rdir(id)``: 1 downstream, 2 upstream; ``$rdir(name)``: the word."""
    what = str(spec.inner or "")
    if what == "id":
        return Accessor(spec, lambda run: 2 if _rr(run).upstream(run.msg) else 1)
    if what == "name":
        return Accessor(spec, lambda run: "upstream" if _rr(run).upstream(run.msg) else "downstream")
    raise PvError("expected $rdir(id) or $rdir(name)", str(spec))
