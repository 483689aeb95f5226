"""Kamailio's rtpproxy: media through an RTPproxy, by its control protocol.

A command waits for its reply, for at most ``rtpproxy_tout`` seconds (see :mod:`ksrcore.net.rtpp`); other messages flow
meanwhile. An RTPproxy that does not answer is left out for ``rtpproxy_disable_tout`` seconds; while none is left the
functions answer -3 at once. Each is asked for its protocol version at the start. A sandbox sends no commands: there it
looks as if none were left.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..net.rtpp import RtppSocket
from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Accessor
from ..run import BRANCH_FAILURE_ROUTE, FAILURE_ROUTE
from ..sip.errors import SipError
from .declare import Module, Param, ParamError, RpcError, export, rpc
from .rtpproxy_sdp import Options, edits, find_sdp, read_options, streams

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run
    from ..sip.message import SipMessage

__all__ = ["Rtpproxy"]

log = logging.getLogger("ksrcore.rtpproxy")

_FIXED = {"timeout_socket": "", "ice_candidate_priority_avp": "", "db_url": "", "table_name": "rtpproxy"}
_VERSION = "20040107"


class _Node:
    """One RTPproxy of a set."""

    def __init__(self, url: str, weight: int, socket: RtppSocket) -> None:
        self.url = url
        self.weight = weight
        self.socket = socket
        self.disabled = False
        #: When to try again (monotonic seconds); None: not before an operator says so.
        self.recheck: float | None = 0.0


class Rtpproxy(Module):
    """Offers and answers are rewritten so that media goes through an RTPproxy."""

    name = "rtpproxy"

    rtpproxy_sock = Param("", "[SET ==] udp:HOST:PORT[=WEIGHT] unix:/PATH ...: the RTPproxies of a set", multi=True)
    rtpproxy_disable_tout = Param(60, "seconds an RTPproxy that does not answer is left out: int")
    rtpproxy_tout = Param(1, "seconds to wait for a reply, all attempts together: int")
    rtpproxy_retr = Param(5, "how often a command is sent again in that time: int")
    nortpproxy_str = Param("a=nortpproxy:yes\r\n", "SDP line that marks a body as done, '' for none: str")
    timeout_socket = Param("", "only its default: str")
    ice_candidate_priority_avp = Param("", "only its default: str")
    extra_id_pv = Param("", "variable that flag b adds to the Call-ID: str")
    db_url = Param("", "only its default: str")
    table_name = Param("rtpproxy", "only its default: str")
    rtp_inst_pvar = Param("", "variable that gets the socket of the RTPproxy used: str")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._sets: dict[int, list[_Node]] = {}
        self._extra: Accessor | None = None
        self._instance: Accessor | None = None

    def start(self) -> None:
        for name, only in _FIXED.items():
            if getattr(self, name) != only:
                raise ParamError(
                    f"modparam rtpproxy:{name} can only be {only!r} here, got {getattr(self, name)!r}; leave it out"
                )
        if self.rtpproxy_tout < 1 or self.rtpproxy_retr < 0 or self.rtpproxy_disable_tout < 0:
            raise ParamError("modparam rtpproxy: rtpproxy_tout expects seconds from 1, the others numbers from 0")
        # Written in a configuration file the line end arrives as backslash, r, backslash, n.
        self.nortpproxy_str = self.nortpproxy_str.replace("\\r", "\r").replace("\\n", "\n")
        try:
            self._extra = compile_spec(self.extra_id_pv) if self.extra_id_pv else None
            self._instance = compile_spec(self.rtp_inst_pvar) if self.rtp_inst_pvar else None
        except PvError as error:
            raise ParamError(f"modparam rtpproxy: extra_id_pv and rtp_inst_pvar expect a variable: {error}") from None
        for text in self.rtpproxy_sock:
            self._add_set(text)
        for nodes in self._sets.values() if not self.proxy.sandbox else ():
            for node in nodes:
                self._test(node)

    def _add_set(self, text: str) -> None:
        number, equals, rest = text.partition("==")
        if not equals:
            number, rest = "0", text
        try:
            nodes = self._sets.setdefault(int(number), [])
            for word in rest.split():
                url, _, weight = word.partition("=")
                socket = RtppSocket(url, timeout=float(self.rtpproxy_tout), attempts=self.rtpproxy_retr + 1)
                nodes.append(_Node(url, int(weight or 1), socket))
        except ValueError as error:
            raise ParamError(
                f"modparam rtpproxy:rtpproxy_sock expects [SET ==] udp:HOST:PORT[=WEIGHT] ..., got {text!r}: {error}"
            ) from None

    def waits(self) -> bool:
        return bool(self._sets)

    def stop(self) -> None:
        for nodes in self._sets.values():
            for node in nodes:
                node.socket.close()

    # -- the RTPproxies -----------------------------------------------------------------------------------------------

    def _disable(self, node: _Node, why: object) -> None:
        node.disabled = True
        node.recheck = self.proxy.now + self.rtpproxy_disable_tout
        log.warning("rtpproxy %s: %s; left out for %d s", node.url, why, self.rtpproxy_disable_tout)

    def _test(self, node: _Node) -> bool:
        try:
            reply = self.proxy.wait(lambda: node.socket.command("V"))
        except OSError as error:
            self._disable(node, error)
            return False
        if reply.split(" ")[0] != _VERSION:
            self._disable(node, f"it speaks protocol {reply!r}, expected {_VERSION}")
            return False
        node.disabled = False
        node.recheck = 0.0
        return True

    def _select(self, run: Run, callid: str) -> _Node | None:
        """The RTPproxy for a call: always the same one while it answers."""
        if self.proxy.sandbox:
            return None
        number = run.msg.extra.get("rtpproxy.set", 0)
        nodes = self._sets.get(number if isinstance(number, int) else 0, [])
        now = self.proxy.now
        usable = [
            node
            for node in nodes
            if not node.disabled or (node.recheck is not None and node.recheck <= now and self._test(node))
        ]
        total = sum(node.weight for node in usable)
        if not total:
            return None
        cut = (sum(callid.encode("latin-1")) & 0xFF) % total
        for node in usable:
            if cut < node.weight:
                return node
            cut -= node.weight
        return usable[-1]

    def _send(self, node: _Node, text: str) -> str | None:
        """The reply, None when there is none: the RTPproxy is left out then."""
        try:
            return self.proxy.wait(lambda: node.socket.command(text))
        except OSError as error:
            self._disable(node, error)
            return None

    # -- what identifies a call ---------------------------------------------------------------------------------------

    def _call(self, run: Run, options: Options) -> tuple[str, str, str]:
        """(call id with its addition, From tag, To tag). Raises ValueError."""
        msg = run.msg
        try:
            from_ = msg.from_
            from_tag = from_.tag if from_ is not None else ""
            callid = msg.callid
            if options.branch:
                which = options.branch
                vias = msg.vias()
                at = 1 if which == "2" or (which == "3" and not msg.is_request) else 0
                if at >= len(vias) or not vias[at].branch:
                    raise ValueError("there is no Via branch to add to the Call-ID")
                callid += f";{vias[at].branch}"
            elif options.extra and self._extra is not None:
                value = self._extra.get(run)
                if value is not None:
                    callid += f";{value}"
        except SipError as error:
            raise ValueError(str(error)) from None
        if not callid or not from_tag:
            raise ValueError("the message has no Call-ID or no From tag")
        return callid, from_tag, msg.to_tag

    # -- offer and answer ---------------------------------------------------------------------------------------------

    def _force(self, run: Run, flags: str, ip: str, offer: bool) -> int:
        msg = run.msg
        try:
            options = read_options(flags)
            callid, from_tag, to_tag = self._call(run, options)
        except ValueError as error:
            log.error("rtpproxy: %s", error)
            return -1
        lookup = options.lookup or not offer
        if lookup and not to_tag:
            return -1
        found = find_sdp(msg)
        if found is None:
            log.error("rtpproxy: the message has no SDP")
            return -1
        start, sdp = found
        mark = self.nortpproxy_str
        marked = bool(mark) and mark.strip() in (
            line for _, line in [*sdp.lines, *(x for m in sdp.media for x in m.lines)]
        )
        if marked and not options.force:
            return -2
        # The side that offers comes first; an ACK answers what a 200 offered.
        if msg.is_request == lookup:
            from_tag, to_tag = to_tag, from_tag
        try:
            asked = streams(sdp)
        except ValueError as error:
            log.error("rtpproxy: %s", error)
            return -1
        while True:
            node = self._select(run, msg.callid)
            if node is None:
                log.error("rtpproxy: no RTPproxy is available")
                return -3
            answers = []
            reply: str | None = ""
            for stream in asked:
                reply = self._send(node, self._command(msg, options, stream, callid, from_tag, to_tag, lookup))
                if reply is None:
                    break
                port, address = _answer(reply)
                if not port:
                    log.error("rtpproxy %s: cannot serve the stream, it said %r", node.url, reply)
                    return -1
                address = ip or address or (msg.rcv.dst_ip if msg.rcv is not None else "")
                answers.append((stream, port, address))
            if reply is not None:
                break
        for offset, length, text in edits(sdp, answers, options.session_c, "" if marked else mark):
            msg.lumps.replace(start + offset, length, text, "body")
        if self._instance is not None:
            self._instance.set(run, node.url)
        return 1

    def _command(
        self, msg: SipMessage, options: Options, stream: Any, callid: str, from_tag: str, to_tag: str, lookup: bool
    ) -> str:
        connection, media = stream.connection, stream.media
        letters = options.letters
        ip6 = connection.addrtype.upper() == "IP6"
        if options.auto:
            letters += "EI" if ip6 else "IE"
        address = connection.address
        if not options.trust and msg.rcv is not None:
            address = msg.rcv.src_ip
            ip6 = ":" in address
        text = (
            f"{'L' if lookup else 'U'}{'6' if ip6 else ''}{letters}{stream.codecs} {callid} {address} {media.port} "
            f"{from_tag};{stream.number}"
        )
        return f"{text} {to_tag};{stream.number}" if to_tag else text

    def _answer(self, run: Run, flags: str, ip: str) -> int:
        msg = run.msg
        if msg.is_request:
            if msg.method != "ACK":
                return -1
        elif not 101 <= msg.status < 300:
            return -1
        return self._force(run, flags, ip, False)

    def _destroy(self, run: Run, flags: str) -> int:
        try:
            options = read_options(flags)
            callid, from_tag, to_tag = self._call(run, options)
        except ValueError as error:
            log.error("rtpproxy: %s", error)
            return -1
        node = self._select(run, run.msg.callid)
        if node is None:
            log.error("rtpproxy: no RTPproxy is available")
            return -1
        text = f"D {callid} {from_tag}"
        if to_tag and not options.whole:
            text += f" {to_tag}"
        return 1 if self._send(node, text) is not None else -1

    def _manage(self, run: Run, flags: str, ip: str) -> int:
        msg = run.msg
        if run.route == BRANCH_FAILURE_ROUTE:
            return -1
        method = msg.method
        if method not in ("INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "PRACK"):
            return -1
        if msg.is_request:
            if method in ("BYE", "CANCEL") or (run.route == FAILURE_ROUTE and method == "INVITE"):
                return self._destroy(run, flags)
            if find_sdp(msg) is None:
                return -1
            return self._force(run, flags, ip, method != "ACK")
        if method not in ("INVITE", "UPDATE", "PRACK"):
            return -1
        if msg.status >= 300:
            return self._destroy(run, flags)
        if find_sdp(msg) is None:
            return -1
        late = run.t is not None and find_sdp(run.t.msg) is None
        return self._force(run, flags, ip, True) if late else self._answer(run, flags, ip)

    # -- functions ----------------------------------------------------------------------------------------------------

    @export
    def rtpproxy_offer(self, run: Run, flags: str) -> int:
        """Rewrite an offer: 1; -1 error, -2 done already by another proxy, -3 no RTPproxy available."""
        return self._force(run, flags, "", True)

    @export
    def rtpproxy_offer0(self, run: Run) -> int:
        """``rtpproxy_offer`` without flags."""
        return self._force(run, "", "", True)

    @export
    def rtpproxy_offer_ip(self, run: Run, flags: str, ip: str) -> int:
        """``rtpproxy_offer`` with ``ip`` as the address in the SDP."""
        return self._force(run, flags, ip, True)

    @export
    def rtpproxy_answer(self, run: Run, flags: str) -> int:
        """Rewrite an answer in a reply or an ACK: return values as of ``rtpproxy_offer``."""
        return self._answer(run, flags, "")

    @export
    def rtpproxy_answer0(self, run: Run) -> int:
        """``rtpproxy_answer`` without flags."""
        return self._answer(run, "", "")

    @export
    def rtpproxy_answer_ip(self, run: Run, flags: str, ip: str) -> int:
        """``rtpproxy_answer`` with ``ip`` as the address in the SDP."""
        return self._answer(run, flags, ip)

    @export
    def rtpproxy_manage(self, run: Run, flags: str) -> int:
        """Offer, answer or destroy, as method, reply code, SDP and route suggest: return values as of these."""
        return self._manage(run, flags, "")

    @export
    def rtpproxy_manage0(self, run: Run) -> int:
        """``rtpproxy_manage`` without flags."""
        return self._manage(run, "", "")

    @export
    def rtpproxy_manage_ip(self, run: Run, flags: str, ip: str) -> int:
        """``rtpproxy_manage`` with ``ip`` as the address in the SDP."""
        return self._manage(run, flags, ip)

    @export
    def rtpproxy_destroy(self, run: Run, flags: str) -> int:
        """End the call's media session; flag t: all of the Call-ID. 1, -1 when no RTPproxy could be told."""
        return self._destroy(run, flags)

    @export
    def rtpproxy_destroy0(self, run: Run) -> int:
        """``rtpproxy_destroy`` without flags."""
        return self._destroy(run, "")

    @export
    def set_rtpproxy_set(self, run: Run, setid: int) -> int:
        """Use this set of RTPproxies for the message: 1, -1 when there is none."""
        if setid not in self._sets:
            log.error("set_rtpproxy_set: there is no set %d: define it with modparam rtpproxy:rtpproxy_sock", setid)
            return -1
        run.msg.extra["rtpproxy.set"] = setid
        return 1

    def _simple(self, run: Run, make: Any, both: bool) -> int:
        try:
            callid, from_tag, to_tag = self._call(run, Options())
        except ValueError as error:
            log.error("rtpproxy: %s", error)
            return -1
        if both and not to_tag:
            log.error("rtpproxy: the message has no To tag")
            return -1
        node = self._select(run, run.msg.callid)
        if node is None:
            log.error("rtpproxy: no RTPproxy is available")
            return -1
        reply = self._send(node, make(callid, from_tag, to_tag))
        return 1 if reply is not None and reply[:1] not in ("E", "") else -1

    def _stream(self, run: Run, prompt: str, count: int, to_uac: bool) -> int:
        first_from = to_uac == run.msg.is_request

        def make(callid: str, from_tag: str, to_tag: str) -> str:
            one, two = (from_tag, to_tag) if first_from else (to_tag, from_tag)
            if not prompt:
                return f"S {callid} {one};1 {two};1"
            return f"P{count} {callid} {prompt} session {one};1 {two};1"

        return self._simple(run, make, True)

    @export
    def rtpproxy_stream2uac(self, run: Run, prompt: str, count: int) -> int:
        """Play a prepared prompt to the caller's side ``count`` times, -1 for ever: 1, -1."""
        return self._stream(run, prompt, count, True) if prompt else -1

    @export
    def rtpproxy_stream2uas(self, run: Run, prompt: str, count: int) -> int:
        """Play a prepared prompt to the callee's side ``count`` times, -1 for ever: 1, -1."""
        return self._stream(run, prompt, count, False) if prompt else -1

    @export
    def rtpproxy_stop_stream2uac(self, run: Run) -> int:
        """Stop what is played to the caller's side: 1, -1."""
        return self._stream(run, "", 0, True)

    @export
    def rtpproxy_stop_stream2uas(self, run: Run) -> int:
        """Stop what is played to the callee's side: 1, -1."""
        return self._stream(run, "", 0, False)

    @export
    def start_recording(self, run: Run) -> int:
        """Record the call on the RTPproxy: 1, -1."""
        return self._simple(run, lambda callid, one, two: f"R {callid} {one} {two}".rstrip(), False)

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("rtpproxy.list")
    def rpc_list(self, params: list[Any]) -> list[dict[str, Any]]:
        """The RTPproxies of all sets."""
        now = self.proxy.now
        return [
            {
                "setid": number,
                "url": node.url,
                "index": index,
                "disabled": int(node.disabled),
                "weight": node.weight,
                "recheck": max(0, int(node.recheck - now)) if node.disabled and node.recheck is not None else 0,
            }
            for number, nodes in self._sets.items()
            for index, node in enumerate(nodes)
        ]

    @rpc("rtpproxy.enable")
    def rpc_enable(self, params: list[Any]) -> dict[str, Any]:
        """Socket, 1 or 0: use this RTPproxy again, or leave it out until told otherwise."""
        if len(params) < 2:
            raise RpcError(500, "Not enough parameters")
        found = [node for nodes in self._sets.values() for node in nodes if node.url == str(params[0])]
        if not found:
            raise RpcError(404, "RTPProxy not found")
        for node in found:
            if int(params[1]):
                self._test(node)
            else:
                node.disabled, node.recheck = True, None
        return {}


def _answer(reply: str) -> tuple[int, str]:
    """(port, address or '') of ``35000``, ``35000 10.0.0.1`` or ``35000 ::1 6``; port 0 for an error."""
    words = reply.split()
    if not words or not (words[0].isascii() and words[0].isdigit()):
        return 0, ""
    port = int(words[0])
    return (port if port < 65535 else 0), words[1] if len(words) > 1 else ""
