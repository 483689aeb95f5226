"""Answering a digest challenge as Kamailio's uac does: MD5, qop auth, a cnonce made from the nonce."""

from __future__ import annotations

from hashlib import md5

from ..sip.digest import digest_response
from ..sip.errors import SipError
from ..sip.message import SipMessage
from .dispatcher_select import ds_hash

__all__ = ["Challenge", "answer", "challenge_of"]

_FIELDS = {401: ("www-authenticate", "Authorization"), 407: ("proxy-authenticate", "Proxy-Authorization")}


class Challenge:
    """A Digest challenge. ``field`` names the header field that answers it."""

    __slots__ = ("field", "nonce", "opaque", "qop", "realm")

    def __init__(self, field: str, realm: str, nonce: str, opaque: str | None, qop: str) -> None:
        self.field = field
        self.realm = realm
        self.nonce = nonce
        self.opaque = opaque
        self.qop = qop


def challenge_of(reply: SipMessage | None) -> Challenge:
    """The challenge of a 401 or 407: its first field's. Raises SipError."""
    if reply is None or reply.status not in _FIELDS:
        raise SipError("the reply is no 401 or 407")
    key, field = _FIELDS[reply.status]
    header = reply.get(key)
    if header is None:
        raise SipError(f"the {reply.status} has no {'WWW' if reply.status == 401 else 'Proxy'}-Authenticate")
    scheme, _, rest = header.body.strip().partition(" ")
    if scheme.lower() != "digest":
        raise SipError(f"expected a Digest challenge, got {header.body!r}")
    found = _params(rest)
    if "realm" not in found or not found.get("nonce"):
        raise SipError(f"the challenge lacks realm or nonce: {header.body!r}")
    algorithm = found.get("algorithm", "MD5")
    if algorithm.upper() != "MD5":
        raise SipError(f"the challenge wants algorithm {algorithm}: only MD5 is supported")
    qop = ""
    for name in found.get("qop", "").lower().split(","):
        name = name.strip()
        if name == "auth" or (name == "auth-int" and not qop):
            qop = name
    return Challenge(field, found["realm"], found["nonce"], found.get("opaque"), qop)


def _params(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    size = len(text)
    while at < size:
        equals = text.find("=", at)
        if equals < 0:
            break
        name = text[at:equals].strip(" \t\r\n,").lower()
        at = equals + 1
        while at < size and text[at] in " \t\r\n":
            at += 1
        if at < size and text[at] == '"':
            end = text.find('"', at + 1)
            if end < 0:
                raise SipError(f"the challenge has no closing quote: {text!r}")
            found.setdefault(name, text[at + 1 : end])
        else:
            end = text.find(",", at)
            end = size if end < 0 else end
            found.setdefault(name, text[at:end].strip())
        at = end + 1
    return found


def answer(challenge: Challenge, user: str, secret: str, method: str, uri: str, hashed: bool) -> str:
    """The header field, with its line end. ``secret``: the password, or HA1 when ``hashed``.

    As in Kamailio a challenge with auth-int only is answered with a response of auth-int that says qop=auth, over an
    empty body.
    """
    nonce = challenge.nonce
    cnonce = str(ds_hash(nonce))
    qop = challenge.qop
    if qop == "auth-int":
        response = _odd_response(challenge, user, secret, method, uri, cnonce, hashed)
    else:
        response = digest_response(
            username=user, realm=challenge.realm, secret=secret, method=method, uri=uri, nonce=nonce, qop=qop,
            nc="00000001" if qop else "", cnonce=cnonce if qop else "", hashed=hashed,
        )  # fmt: skip
    parts = [f'username="{user}"', f'realm="{challenge.realm}"', f'nonce="{nonce}"', f'uri="{uri}"']
    if challenge.opaque is not None:
        parts.append(f'opaque="{challenge.opaque}"')
    if qop:
        parts.append(f'qop=auth, nc=00000001, cnonce="{cnonce}"')
    parts.append(f'response="{response}", algorithm=MD5')
    return f"{challenge.field}: Digest {', '.join(parts)}\r\n"


def _odd_response(
    challenge: Challenge, user: str, secret: str, method: str, uri: str, cnonce: str, hashed: bool
) -> str:
    """What Kamailio sends for auth-int: the qop in the hash, but not the body."""

    def digest(text: str) -> str:
        return md5(text.encode("latin-1"), usedforsecurity=False).hexdigest()

    first = secret if hashed else digest(f"{user}:{challenge.realm}:{secret}")
    return digest(f"{first}:{challenge.nonce}:00000001:{cnonce}:auth-int:{digest(f'{method}:{uri}')}")
