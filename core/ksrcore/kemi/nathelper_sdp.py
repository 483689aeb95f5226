"""SDP functions of nathelper: addresses in ``c=``, ``o=`` and ``a=rtcp`` lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..net.address import canonical_ip
from ..sip.errors import SipError
from ..sip.sdp import Sdp, parse_sdp
from ..sip.uri import is_ipv4
from .declare import export

if TYPE_CHECKING:
    from ..net.address import Rcv
    from ..run import Run
    from ..sip.message import SipMessage

# The bits of fix_nated_sdp(), the README's numbers.
ADD_DIRECTION = 1
FIX_MEDIA = 2
ADD_MARK = 4
FIX_ORIGIN = 8

_FIXED = "nathelper.sdp"


def sdp_of(msg: SipMessage) -> tuple[int, Sdp] | None:
    """The SDP body with its offset in the message, that of a multipart body included; None without one."""
    header = msg.index.get("content-type")
    if header is None or msg.body_at >= len(msg.buf):
        return None
    kind = header.body.partition(";")[0].strip().lower()
    start, text = msg.body_at, msg.body
    if kind.startswith("multipart/"):
        at = text.lower().find("\ncontent-type: application/sdp")
        begin = text.find("\r\n\r\n", at) + 4 if at >= 0 else 3
        end = text.find("\r\n--", begin)
        if begin < 4 or end < 0:
            return None
        start, text = start + begin, text[begin : end + 2]
    elif kind != "application/sdp":
        return None
    try:
        return start, parse_sdp(text)
    except SipError:
        return None


class SdpFunctions:
    """``fix_nated_sdp`` and the SDP tests of ``nat_uac_test``."""

    nortpproxy_str: Any
    append_sdp_oldmediaip: Any

    def sdp_test(self, msg: SipMessage, rcv: Rcv, is_private: bool, is_other: bool, reserved: bool) -> bool:
        """Whether an address of a ``c=`` line is private, or another than the source's."""
        from .nathelper import private

        found = sdp_of(msg)
        if found is None:
            return False
        for line in found[1].all_connections():
            if is_private and private(line.address, reserved):
                return True
            if is_other and is_ipv4(line.address) and line.address != rcv.src_ip:
                return True
        return False

    @export
    def fix_nated_sdp(self, run: Run, flags: int) -> int:
        """Change the SDP for a user agent behind NAT; ``flags`` is a sum of:

        1 add a=direction:active; 2 the source address into c= and a=rtcp; 4 add the nortpproxy line; 8 the source
        address into o= and a=rtcp. Returns 1 when an address was replaced, 2 when none was, -1 without SDP.
        """
        return self._fix(run, flags, "")

    @export
    def fix_nated_sdp_ip(self, run: Run, flags: int, ip: str) -> int:
        """Like ``fix_nated_sdp`` with ``ip`` instead of the source address ('' for that)."""
        return self._fix(run, flags, ip)

    def _fix(self, run: Run, flags: int, ip: str) -> int:
        msg = run.msg
        found = sdp_of(msg)
        if found is None or msg.rcv is None:
            return -1
        if ip and not canonical_ip(ip):
            return -1
        address = ip or msg.rcv.src_ip
        start, sdp = found
        lumps = msg.lumps
        end = start + len(sdp.body.rstrip("\r\n"))
        if flags & ADD_DIRECTION:
            for media in sdp.media:
                lumps.insert(start + media.end, "\r\na=direction:active", "body")
        mark = self.nortpproxy_str.strip("\r\n")
        if flags & ADD_MARK and mark:
            lumps.insert(end, f"\r\n{mark}", "body")
        # What an earlier call replaced is not replaced again.
        done: Any = msg.extra.get(_FIXED, frozenset())
        replaced: list[tuple[int, str]] = []
        if flags & FIX_MEDIA:
            replaced += [(c.address_start, c.address) for c in sdp.connections] + self._rtcp(sdp.lines)
            for media in sdp.media:
                own = [(c.address_start, c.address) for c in media.connections] + self._rtcp(media.lines)
                replaced += sorted(own)
        elif flags & FIX_ORIGIN:
            for lines in (sdp.lines, *(media.lines for media in sdp.media)):
                replaced += self._rtcp(lines)
        if flags & FIX_ORIGIN and sdp.origin is not None:
            replaced.append((sdp.origin.address_start, sdp.origin.address))
        changed = False
        for at, old in replaced:
            # 0.0.0.0 means "on hold" (RFC 2543) and stays.
            if old == "0.0.0.0" or (":" in old) != (":" in address) or at in done:
                continue
            done = done | {at}
            changed = True
            lumps.replace(start + at, len(old), address, "body")
            if self.append_sdp_oldmediaip:
                kind = "oldmediaip6" if ":" in old else "oldmediaip"
                lumps.insert(end, f"\r\na={kind}:{old}", "body")
        if changed:
            msg.extra[_FIXED] = done
        return 1 if changed else 2

    @staticmethod
    def _rtcp(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """Address and its place of each ``a=rtcp:port IN IP4 address`` line."""
        found = []
        for offset, line in lines:
            if line[:7] == "a=rtcp:":
                words = line.split(" ")
                if len(words) == 4 and words[1] == "IN":
                    found.append((offset + len(line) - len(words[3]), words[3]))
        return found
