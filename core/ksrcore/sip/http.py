"""HTTP requests on SIP sockets, read as SIP messages (Kamailio's xhttp module).

The first line is HTTP's and there is no Via, which everything that replies looks for; so one that names the sender is
put on top, as Kamailio does. A Via of HTTP's own (RFC 9110 7.6.3) keeps its value under the name ``Hia``. In a reply
the Via becomes ``Sia``, so that no HTTP client takes it for a proxy's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .build import build_reply
from .errors import ParseError
from .message import SipMessage, VersionError

if TYPE_CHECKING:
    from ..net.address import Rcv

#: Transports that carry HTTP.
STREAMS = frozenset(("tcp", "tls"))


class HttpMessage(SipMessage):
    """An HTTP request or response. ``buf`` of a request has the Via that was added, what the recorder keeps has not.

    ``ruri`` is the URL as it came: no URI of SIP's, but for what a script may send.
    """

    http = True

    def _read_first(self, line: str) -> tuple[bool, str, str, str, int, str]:
        if line[:5].upper() == "HTTP/":
            version, _, rest = line.partition(" ")
            code, _, reason = rest.partition(" ")
            if len(code) != 3 or not (code.isascii() and code.isdigit()):
                raise ParseError("status line 'HTTP/1.1 code reason' with a three-digit code", line)
            return False, "", "", version, int(code), reason
        parts = line.split(" ")
        # As Kamailio: versions 1.x and 2, nothing said of what follows.
        if len(parts) != 3 or not parts[0] or not parts[1] or parts[2][:7].upper() not in _VERSIONS:
            raise ParseError("request line 'METHOD url HTTP/1.1'", line)
        method, url, version = parts
        return True, method, url, version, 0, ""


_VERSIONS = frozenset(("HTTP/1.", "HTTP/2", "HTTP/2."))


def parse_http(text: str, rcv: Rcv | None = None) -> HttpMessage:
    """Parse an HTTP request, or a response. Raises :class:`ParseError` for a first line that is neither's.

    ``rcv`` None: no Via can be made up, and nothing can be replied.
    """
    first, eol, rest = text.lstrip("\r\n").partition("\n")
    if first[:5].upper() == "HTTP/":
        return HttpMessage(text, rcv)
    if not eol:
        raise ParseError("an HTTP request", text)
    if rest.startswith((" ", "\t")):
        raise ParseError("a header field after the request line", text)
    if rcv is not None:
        host = f"[{rcv.src_ip}]" if ":" in rcv.src_ip else rcv.src_ip
        end = min((at for at in map(rest.find, ("\n\r\n", "\n\n")) if at >= 0), default=len(rest))
        if not rest.startswith(("\r\n", "\n")) and "\nv" in "\n" + rest[:end].lower():
            rest = "\n".join(map(_rename_via, rest[:end].split("\n"))) + rest[end:]
        text = f"{first}\nVia: SIP/2.0/{rcv.proto.upper()} {host}:{rcv.src_port}\r\n{rest}"
    return HttpMessage(text, rcv)


def _rename_via(line: str) -> str:
    name, colon, value = line.partition(":")
    return f"Hia:{value}" if colon and name.strip().lower() in ("via", "v") else line


def read_any(text: str, rcv: Rcv | None = None) -> SipMessage:
    """A message of SIP, or else of HTTP. Raises :class:`~ksrcore.sip.errors.SipError`."""
    try:
        return SipMessage(text, rcv)
    except VersionError:
        return parse_http(text, rcv)
    except ParseError:
        if text[:5].upper() == "HTTP/":
            return parse_http(text, rcv)
        raise


def build_http_reply(
    msg: SipMessage,
    code: int,
    reason: str,
    to_tag: str,
    server: str,
    extra: str = "",
    body: tuple[str, str] | None = None,
) -> str:
    """The reply to an HTTP request: :func:`~ksrcore.sip.build.build_reply` in HTTP's dress. ``code`` 0 to 999."""
    text = build_reply(msg, code, reason, to_tag, server, extra, body)
    rest = text[len(f"SIP/2.0 {code} {reason}\r\n") :]
    if rest.startswith("Via:"):
        rest = "Sia:" + rest[4:]
    return f"{msg.version} {code:03d} {reason}\r\n{rest}"
