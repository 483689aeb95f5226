"""Messages that a case writes in short: requests with everything usual in them, replies to what was received."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from parity.endpoints import Heard

Headers = list[tuple[str, str]]


class TemplateError(Exception):
    """A step cannot be done: there is nothing to reply to, no challenge to answer ..."""


@dataclass
class Parsed:
    """A SIP message taken apart as far as templates need it."""

    first: str
    headers: Headers
    body: str
    source: object = None

    @classmethod
    def of(cls, text: str, source: object = None) -> Parsed:
        head, _, body = text.partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        headers: Headers = []
        for line in lines:
            if line[:1] in " \t" and headers:
                headers[-1] = (headers[-1][0], headers[-1][1] + "\r\n" + line)
                continue
            name, _, value = line.partition(":")
            headers.append((name.strip(), value.strip()))
        return cls(first, headers, body, source)

    @property
    def is_request(self) -> bool:
        return not self.first.startswith("SIP/2.0 ")

    @property
    def code(self) -> int:
        return int(self.first.split()[1])

    @property
    def method(self) -> str:
        """Of the request, or of the CSeq of a reply."""
        text = self.first if self.is_request else self.get("CSeq").rpartition(" ")[2]
        return text.partition(" ")[0]

    def all(self, name: str) -> list[str]:
        short = {"via": "v", "from": "f", "to": "t", "call-id": "i", "contact": "m"}.get(name.lower(), name.lower())
        return [value for n, value in self.headers if n.lower() in (name.lower(), short)]

    def get(self, name: str) -> str:
        found = self.all(name)
        return found[0] if found else ""


@dataclass
class Party:
    """What one party has said and heard: the base of its next messages."""

    name: str
    address: str
    id: str
    number: int = 0
    cseq: int = 0
    requests: list[Parsed] = field(default_factory=list)
    replies: list[Parsed] = field(default_factory=list)
    sent: list[Parsed] = field(default_factory=list)
    last: tuple[bytes, str, str] | None = None

    # -- requests -------------------------------------------------------------------------------------------------

    def request(self, method: str, uri: str, block: str, proto: str) -> str:
        """A request, outside of a dialog with ``uri``, else inside of the one that is there."""
        if uri:
            self.cseq += 1
            headers = self._usual(method, proto, self.cseq)
            headers[1:1] = [
                ("From", f"<sip:{self.name}@example.com>;tag={self.name}{self.id}"),
                ("To", f"<{uri.partition(' ')[0]}>"),
                ("Call-ID", f"{self.name}-{self.id}"),
            ]
            return self._text(f"{method} {uri} SIP/2.0", headers, block)
        if method == "CANCEL":
            return self._same_transaction("CANCEL", self._invite(), block)
        final = next((r for r in reversed(self.replies) if r.method == "INVITE" and r.code >= 200), None)
        if method == "ACK" and final is not None and final.code >= 300:
            return self._same_transaction("ACK", self._invite(final), block, final.get("To"))
        return self._in_dialog(method, block, proto)

    def _usual(self, method: str, proto: str, cseq: int) -> Headers:
        self.number += 1
        address = self.address if proto == "udp" else f"{self.address.rpartition(':')[0]}:5070"
        if proto == "ws":  # a browser does not know its address
            address = f"{self.name}{self.id}.invalid"
        contact = f"<sip:{self.name}@{address}{'' if proto == 'udp' else f';transport={proto}'}>"
        headers = [
            ("Via", f"SIP/2.0/{proto.upper()} {address};branch=z9hG4bK-{self.name}-{self.id}-{self.number}"),
            ("CSeq", f"{cseq} {method}"),
            ("Max-Forwards", "70"),
        ]
        if method in ("INVITE", "SUBSCRIBE", "REGISTER", "UPDATE", "REFER", "NOTIFY"):
            headers.append(("Contact", contact))
        return headers

    def _invite(self, reply: Parsed | None = None) -> Parsed:
        for sent in reversed(self.sent):
            if sent.is_request and sent.method == "INVITE":
                if reply is None or reply.get("CSeq").split()[0] == sent.get("CSeq").split()[0]:
                    return sent
        raise TemplateError(f"{self.name} has sent no INVITE")

    def _same_transaction(self, method: str, invite: Parsed, block: str, to: str = "") -> str:
        cseq = invite.get("CSeq").split()[0]
        headers = [("Via", invite.get("Via"))]
        headers += [("Route", value) for value in invite.all("Route")]
        headers += [
            ("From", invite.get("From")),
            ("To", to or invite.get("To")),
            ("Call-ID", invite.get("Call-ID")),
            ("CSeq", f"{cseq} {method}"),
            ("Max-Forwards", "70"),
        ]
        return self._text(f"{method} {invite.first.split()[1]} SIP/2.0", headers, block)

    def _in_dialog(self, method: str, block: str, proto: str) -> str:
        answer = next((r for r in reversed(self.replies) if r.method == "INVITE" and 100 < r.code < 300), None)
        asked = next((r for r in reversed(self.requests) if r.method == "INVITE"), None)
        if answer is not None:
            source, local, remote = answer, answer.get("From"), answer.get("To")
            # The route set is that of the first answer: later requests of the dialog bring none.
            invites = [r for r in self.replies if r.method == "INVITE" and r.code > 100]
            first = next(r for r in invites if _dialog(r) == _dialog(answer))
            routes = [uri for value in reversed(first.all("Record-Route")) for uri in reversed(_split(value))]
            cseq = int(answer.get("CSeq").split()[0])
        elif asked is not None:
            source, local, remote = asked, _tagged(asked.get("To"), self), asked.get("From")
            call = asked.get("Call-ID")
            first = next(r for r in self.requests if r.method == "INVITE" and r.get("Call-ID") == call)
            routes = [uri for value in first.all("Record-Route") for uri in _split(value)]
            cseq = 0
        else:
            raise TemplateError(f"{self.name} is in no dialog: give a URI, as in 'BYE sip:bob@example.com'")
        if method != "ACK":
            self.cseq = cseq = max(self.cseq, cseq) + 1
        target = _uri(source.get("Contact")) or _uri(remote)
        headers = self._usual(method, proto, cseq)
        headers[1:1] = [
            *(("Route", route) for route in routes),
            ("From", local),
            ("To", remote),
            ("Call-ID", source.get("Call-ID")),
        ]
        return self._text(f"{method} {target} SIP/2.0", headers, block)

    # -- replies --------------------------------------------------------------------------------------------------

    def reply(self, code: int, reason: str, method: str, block: str) -> tuple[str, object]:
        """A reply to the latest request (of ``method``, or any but ACK), and where that came from."""
        for request in reversed(self.requests):
            if request.method == method if method else request.method != "ACK":
                break
        else:
            raise TemplateError(f"{self.name} has received no {method or 'request'} to reply to")
        headers = [("Via", value) for value in request.all("Via")]
        if 100 < code < 300:
            headers += [("Record-Route", value) for value in request.all("Record-Route")]
        headers.append(("From", request.get("From")))
        headers.append(("To", request.get("To") if code == 100 else _tagged(request.get("To"), self)))
        headers += [("Call-ID", request.get("Call-ID")), ("CSeq", request.get("CSeq"))]
        if 100 < code < 300 and request.method in ("INVITE", "SUBSCRIBE", "UPDATE"):
            source = request.source
            ws = isinstance(source, Heard) and source.proto == "ws"
            address = f"{self.name}{self.id}.invalid;transport=ws" if ws else self.address
            headers.append(("Contact", f"<sip:{self.name}@{address}>"))
        return self._text(f"SIP/2.0 {code} {reason or _REASONS.get(code, 'Whatever')}", headers, block), request.source

    # -- both -----------------------------------------------------------------------------------------------------

    def _text(self, first: str, headers: Headers, block: str) -> str:
        """The message with the changes of the step's indented lines."""
        body: list[str] = []
        length = None
        for line in block.splitlines():
            if line.startswith("|"):
                body.append(line[1:])
            elif line.startswith("- "):
                headers = [(n, v) for n, v in headers if n.lower() != line[2:].strip().lower()]
            elif line.startswith("digest: "):
                headers.append(self._digest(first, line[8:].split()))
            elif line.strip():
                added = line.startswith("+ ")
                name, _, value = line[2:].partition(":") if added else line.partition(":")
                name, value = name.strip(), value.strip()
                if name.lower() in ("content-length", "l"):
                    length = value
                    continue
                at = next((n for n, (h, _) in enumerate(headers) if h.lower() == name.lower()), None)
                if at is None or added:
                    headers.append((name, value))
                else:
                    headers[at] = (name, value)
        text = "".join(line + "\r\n" for line in body)
        headers = [*headers, ("Content-Length", str(len(text.encode())) if length is None else length)]
        return first + "\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers) + "\r\n" + text

    def _digest(self, first: str, words: list[str]) -> tuple[str, str]:
        """The answer to the latest challenge: ``digest: USER PASSWORD [NAME=VALUE ...]``."""
        challenged = next((r for r in reversed(self.replies) if r.code in (401, 407)), None)
        if challenged is None:
            raise TemplateError(f"{self.name} has received no 401 or 407 to answer")
        proxy = challenged.code == 407
        given = _params(challenged.get("Proxy-Authenticate" if proxy else "WWW-Authenticate"))
        method, uri = first.split()[:2]
        params = {
            "username": words[0],
            "realm": given.get("realm", ""),
            "nonce": given.get("nonce", ""),
            "uri": uri,
            "algorithm": given.get("algorithm", "MD5"),
        }
        if "qop" in given:
            params |= {"qop": "auth", "nc": "00000001", "cnonce": f"c{self.id}"}
        if "opaque" in given:
            params["opaque"] = given["opaque"]
        params |= dict(word.partition("=")[::2] for word in words[2:])
        digest = hashlib.sha256 if params["algorithm"].upper() == "SHA-256" else hashlib.md5

        def hashed(text: str) -> str:
            return digest(text.encode()).hexdigest()

        ha1 = hashed(f"{params['username']}:{params['realm']}:{words[1]}")
        ha2 = hashed(f"{method}:{params['uri']}")
        middle = f"{params['nonce']}:"
        if params.get("qop"):
            middle += f"{params['nc']}:{params['cnonce']}:{params['qop']}:"
        params.setdefault("response", hashed(f"{ha1}:{middle}{ha2}"))
        bare = ("algorithm", "qop", "nc")
        text = ", ".join(f"{n}={v}" if n in bare else f'{n}="{v}"' for n, v in params.items() if v != "-")
        return ("Proxy-Authorization" if proxy else "Authorization", f"Digest {text}")


def _tagged(value: str, party: Party) -> str:
    return value if ";tag=" in value else f"{value};tag={party.name}{party.id}"


def _dialog(reply: Parsed) -> tuple[str, str]:
    return reply.get("Call-ID"), reply.get("To")


def _split(value: str) -> list[str]:
    """Routes of one header field: commas inside of angle brackets separate nothing."""
    return [part.strip() for part in re.split(r",(?![^<]*>)", value)]


def _uri(value: str) -> str:
    found = re.search(r"<([^>]*)>", value)
    return found[1] if found else value.partition(";")[0].strip()


def _params(value: str) -> dict[str, str]:
    return {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', value)}


_REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
}
