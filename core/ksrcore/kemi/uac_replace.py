"""From and To replaced and restored: KSR.uac.uac_replace_from and its kin.

The original URI is kept in a parameter of our Record-Route: original XOR new, encrypted with ``restore_passwd``, in
base64 with '-' for '='. With it the URIs of requests within the dialog are changed (``restore_mode`` auto, or
uac_restore_from() and uac_restore_to()); replies get back what their request came with.
"""

from __future__ import annotations

import base64
import binascii
import logging
from typing import TYPE_CHECKING

from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Accessor
from ..run import Run
from ..sip.errors import SipError
from ..sip.message import Header, SipMessage
from ..sip.nameaddr import NameAddr, parse_nameaddr
from ..sip.uri import Uri
from ..tm.hooks import REPLY_IN, REQUEST_IN
from .declare import Module, Param, ParamError, export
from .rr_loose import ROUTE_PARAMS

if TYPE_CHECKING:
    from ..tm.transaction import Transaction

__all__ = ["UacReplace"]

log = logging.getLogger("ksrcore.uac")

_MODES = ("none", "manual", "auto")


def mix(one: str, other: str) -> str:
    """XOR of two texts; the shorter is filled up with NUL."""
    size = max(len(one), len(other))
    return "".join(chr(ord(a) ^ ord(b)) for a, b in zip(one.ljust(size, "\0"), other.ljust(size, "\0"), strict=True))


def encrypt(text: str, password: str) -> str:
    """XOR with the password over and over; twice gives the text back."""
    return "".join(chr(ord(c) ^ ord(password[n % len(password)])) for n, c in enumerate(text)) if password else text


class UacReplace(Module):
    """A part of the uac module."""

    rr_from_store_param = Param("vsf", "Record-Route parameter that keeps the From URI: str")
    rr_to_store_param = Param("vst", "Record-Route parameter that keeps the To URI: str")
    restore_mode = Param("auto", "what is restored: none, manual (replies), auto (requests of the dialog too): str")
    restore_passwd = Param("", "encrypts these parameters: str")
    restore_from_avp = Param("", "AVP that gets the original From, for replies: str")
    restore_to_avp = Param("", "AVP that gets the original To, for replies: str")
    restore_dlg = Param(0, "only its default: int")

    _avps: dict[str, Accessor | None]
    _armed: bool

    def start_replace(self) -> None:
        if self.restore_mode not in _MODES:
            raise ParamError(f"modparam uac:restore_mode expects none, manual or auto, got {self.restore_mode!r}")
        if self.restore_dlg:
            raise ParamError("modparam uac:restore_dlg can only be 0 here: URIs are kept in the Record-Route")
        self._armed = False
        try:
            self._avps = {
                key: compile_spec(text) if text else None
                for key, text in (("from", self.restore_from_avp), ("to", self.restore_to_avp))
            }
        except PvError as error:
            raise ParamError(
                f"modparam uac: restore_from_avp and restore_to_avp expect an AVP such as $avp(x): {error}"
            ) from None
        self._listen_to_routes()

    def _listen_to_routes(self) -> None:
        if self.restore_mode == "auto":
            self.proxy.modules.rr.on_route.append(self._routed)

    # -- replacing ----------------------------------------------------------------------------------------------------

    def _replace(self, run: Run, key: str, display: str | None, uri: str) -> int:
        """Change the From or To: its URI unless '', its display name unless None."""
        msg = run.msg
        name = "uac_replace_" + key
        header, value = _value(msg, key)
        if header is None or value is None:
            log.error("%s: the message has no %s that can be read", name, key)
            return -1
        if f"uac.{key}" in msg.extra:
            log.error("%s: was called for this message before", name)
            return -1
        place = _Place(msg, header, value)
        if display is not None:
            place.set_display(display)
        if not uri:
            return 1
        msg.extra[f"uac.{key}"] = True
        place.set_uri(uri)
        if self.restore_mode == "none":
            return 1
        param = self.rr_from_store_param if key == "from" else self.rr_to_store_param
        kept = base64.b64encode(encrypt(mix(value.uri, uri), self.restore_passwd).encode("latin-1")).decode("ascii")
        if self.proxy.modules.rr.add_rr_param(run, f";{param}={kept.replace('=', '-')}") < 0:
            log.error("%s: the Record-Route takes no parameter", name)
            return -1
        avp = self._avps[key]
        if avp is not None:
            avp.set(run, place.before)
        self._restore_replies(run, key)
        return 1

    # -- in the dialog ------------------------------------------------------------------------------------------------

    def _routed(self, run: Run, params: str) -> None:
        self._restore(run, "from", True)
        self._restore(run, "to", True)

    def _restore(self, run: Run, key: str, both_ways: bool) -> int:
        """Change the URI of a request within the dialog, by what our Route keeps."""
        msg = run.msg
        params = msg.extra.get(ROUTE_PARAMS)
        name = self.rr_from_store_param if key == "from" else self.rr_to_store_param
        if not msg.is_request or not isinstance(params, str) or f"{name}=" not in params:
            return -1
        kept = Uri("", "sip", params=params).param(name)
        if not kept:
            return -1
        upstream = self.proxy.modules.rr.upstream(msg)
        where = key if not upstream else {"from": "to", "to": "from"}[key]
        header, value = _value(msg, where)
        if header is None or value is None:
            return -1
        try:
            mixed = encrypt(base64.b64decode(kept.replace("-", "=")).decode("latin-1"), self.restore_passwd)
        except (binascii.Error, ValueError):
            log.error("uac: parameter %s of the Route is damaged: %r", name, kept)
            return -1
        if len(value.uri) > len(mixed):
            log.error("uac: the %s URI is longer than what the Route keeps for it", where)
            return -1
        uri = mix(mixed, value.uri).rstrip("\0")
        _Place(msg, header, value).set_uri(uri)
        if both_ways:
            self._restore_replies(run, where)
        return 1

    # -- replies ------------------------------------------------------------------------------------------------------

    def _restore_replies(self, run: Run, key: str) -> None:
        """From now on replies get back the request's own From or To."""
        t = run.t
        if t is not None and t.engine is not None:
            self._arm(t, key)
            return
        wanted = run.msg.extra.get("uac.replies", ())
        assert isinstance(wanted, tuple)
        run.msg.extra["uac.replies"] = (*wanted, key)
        if not self._armed:
            self._armed = True
            self.proxy.modules.tm.engine.hooks.add(REQUEST_IN, self._transaction)

    def _transaction(self, event: int, t: Transaction, run: Run | None, reply: SipMessage | None, code: int) -> None:
        wanted = run.msg.extra.get("uac.replies") if run is not None else None
        if isinstance(wanted, tuple):
            for key in wanted:
                self._arm(t, key)

    def _arm(self, t: Transaction, key: str) -> None:
        def on_reply(event: int, t: Transaction, run: Run | None, reply: SipMessage | None, code: int) -> None:
            if reply is not None:
                self._restore_reply(t, run, reply, key)

        t.engine.hooks.arm(t, REPLY_IN, on_reply)  # type: ignore[union-attr]

    def _restore_reply(self, t: Transaction, run: Run | None, reply: SipMessage, key: str) -> None:
        original = ""
        avp = self._avps[key]
        if avp is not None and run is not None:
            kept = avp.get(Run(self.proxy, reply, run.route, run.record, t.avps, t))
            original = kept if isinstance(kept, str) else ""
        if not original:
            header, value = _value(t.msg, key)
            if header is None or value is None:
                return
            original = _Place(t.msg, header, value).before
        header, value = _value(reply, key)
        if header is None or value is None:
            return
        place = _Place(reply, header, value)
        if place.before != original:
            reply.lumps.replace(place.at, len(place.before), original, key)

    # -- functions ----------------------------------------------------------------------------------------------------

    @export
    def uac_replace_from(self, run: Run, pdsp: str, puri: str) -> int:
        """Replace display name ('' removes it) and URI ('' leaves it) of the From: 1, -1 error."""
        return self._replace(run, "from", pdsp, puri)

    @export
    def uac_replace_from_uri(self, run: Run, puri: str) -> int:
        """Replace the URI of the From: 1, -1 error."""
        return self._replace(run, "from", None, puri)

    @export
    def uac_replace_to(self, run: Run, pdsp: str, puri: str) -> int:
        """Replace display name ('' removes it) and URI ('' leaves it) of the To: 1, -1 error."""
        return self._replace(run, "to", pdsp, puri)

    @export
    def uac_replace_to_uri(self, run: Run, puri: str) -> int:
        """Replace the URI of the To: 1, -1 error."""
        return self._replace(run, "to", None, puri)

    @export
    def uac_restore_from(self, run: Run) -> int:
        """Put what our Route keeps for the From into a request within the dialog: 1, -1 without any."""
        return self._restore(run, "from", False)

    @export
    def uac_restore_to(self, run: Run) -> int:
        """Put what our Route keeps for the To into a request within the dialog: 1, -1 without any."""
        return self._restore(run, "to", False)


class _Place:
    """Where display name and URI of a From or To are in a message, and what they are (``before``)."""

    __slots__ = ("at", "before", "bracket", "msg", "uri", "key")

    def __init__(self, msg: SipMessage, header: Header, value: NameAddr) -> None:
        raw = header.raw
        start = header.body_start
        while start < len(raw) and raw[start] in " \t\r\n":
            start += 1
        self.msg = msg
        self.key = header.key
        self.at = msg.offset_of(header) + start
        body = raw[start:]
        self.uri = value.uri
        self.bracket = _bracket(body)
        if self.bracket >= 0:
            self.before = body[: body.index(">", self.bracket) + 1]
        else:
            self.before = body[: len(value.uri)]

    def set_display(self, display: str) -> None:
        msg = self.msg
        if self.bracket < 0:
            # Without brackets there is no display name: they come with it.
            if display:
                msg.lumps.insert(self.at, f"{display} <", self.key)
                msg.lumps.insert(self.at + len(self.uri), ">", self.key)
            return
        old = self.before[: self.bracket].rstrip()
        if old:
            msg.lumps.replace(self.at, len(old), display, self.key)
        elif display:
            msg.lumps.insert(self.at, f"{display} ", self.key)

    def set_uri(self, uri: str) -> None:
        start = self.at + self.bracket + 1 if self.bracket >= 0 else self.at
        self.msg.lumps.replace(start, len(self.uri), uri, self.key)


def _bracket(body: str) -> int:
    """Where the ``<`` of a name-addr is, -1 without one."""
    quoted = False
    for n, char in enumerate(body):
        if char == '"' and (n == 0 or body[n - 1] != "\\"):
            quoted = not quoted
        elif not quoted and char == "<":
            return n
        elif not quoted and char == ";":
            return -1
    return -1


def _value(msg: SipMessage, key: str) -> tuple[Header | None, NameAddr | None]:
    header = msg.get(key)
    if header is None:
        return None, None
    try:
        return header, header.parsed(parse_nameaddr)
    except SipError:
        return None, None
