"""Credentials of Authorization and Proxy-Authorization, and the digest itself (RFC 2617, 7616, 8760)."""

import hashlib
import re
from typing import Final

from ksrcore.sip.errors import ParseError, SipError
from ksrcore.sip.params import WS, find_outside, quoted_end, unescape

__all__ = ["ALGORITHMS", "Credentials", "digest_response", "ha1", "parse_credentials"]

ALGORITHMS: Final = ("MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess")
"""Names :func:`digest_response` and :func:`ha1` know, in any case; '' means MD5."""


#: Commas in one body: RFC 7616 knows a dozen fields.
MAX_FIELDS: Final = 100


class Credentials:
    """A parsed body. ``scheme`` as written; the fields are '' when absent, and all are for another scheme than Digest.

    Values are without their quotes, escapes kept as written. ``user`` and ``domain`` are the parts of ``username``
    before and after its first ``@`` without a leading ``sip:``, as Kamailio's $au and $ad show them; $aU is the whole.
    """

    __slots__ = ("_map", "domain", "scheme", "text", "user")

    def __init__(self, text: str, scheme: str, params: dict[str, str]) -> None:
        self.text = text
        self.scheme = scheme
        self._map = params
        name = params.get("username", "")
        head, colon, rest = name.partition(":")
        if colon and head.lower() in ("sip", "sips"):
            name = rest
        self.user, _, self.domain = name.partition("@")

    def __repr__(self) -> str:
        return f"Credentials({self.text!r})"

    def __bool__(self) -> bool:
        """Whether there is a field at all."""
        return bool(self._map)

    def param(self, name: str) -> str | None:
        """Any field by name (in any case), None when absent."""
        return self._map.get(name.lower())

    @property
    def is_digest(self) -> bool:
        return self.scheme.lower() == "digest"

    @property
    def username(self) -> str:
        return self._map.get("username", "")

    @property
    def realm(self) -> str:
        return self._map.get("realm", "")

    @property
    def nonce(self) -> str:
        return self._map.get("nonce", "")

    @property
    def uri(self) -> str:
        return self._map.get("uri", "")

    @property
    def response(self) -> str:
        return self._map.get("response", "")

    @property
    def algorithm(self) -> str:
        """As written, '' when absent (which means MD5)."""
        return self._map.get("algorithm", "")

    @property
    def cnonce(self) -> str:
        return self._map.get("cnonce", "")

    @property
    def opaque(self) -> str:
        return self._map.get("opaque", "")

    @property
    def qop(self) -> str:
        return self._map.get("qop", "")

    @property
    def nc(self) -> str:
        """Nonce count, eight hexadecimal digits as written."""
        return self._map.get("nc", "")

    def expected(self, method: str, secret: str, body: bytes = b"", *, hashed: bool = False) -> str:
        """The response these credentials must carry for ``secret``: the password, or HA1 when ``hashed``.

        ``body`` counts for ``qop=auth-int`` only. Raises SipError for an unknown algorithm or qop.
        """
        return digest_response(
            username=unescape(self.username),
            realm=unescape(self.realm),
            secret=secret,
            method=method,
            uri=self.uri,
            nonce=self.nonce,
            algorithm=self.algorithm,
            qop=self.qop,
            nc=self.nc,
            cnonce=self.cnonce,
            body=body,
            hashed=hashed,
        )


_NAME_VALUE: Final = r'([^\s",=]+)=(?:"([^"\\]*)"|([^\s",]+))'
_FIELD: Final = re.compile(_NAME_VALUE)
#: The usual form of the fields: no escapes, no white space but after a comma. The long way takes more, and says what is
#: wrong.
_USUAL: Final = re.compile(f"{_NAME_VALUE}(?:, *{_NAME_VALUE})*")


def parse_credentials(body: str) -> Credentials:
    """Parse an Authorization or Proxy-Authorization body; empty list elements are skipped, unknown fields kept.

    Raises ParseError without a scheme, for more than MAX_FIELDS commas, or when a Digest field is not ``name=token``
    or ``name="..."``.
    """
    text = body.strip(WS)
    parts = text.split(None, 1)
    if not parts or "=" in parts[0] or "," in parts[0] or '"' in parts[0]:
        raise ParseError("credentials (Digest username=...)", body)
    scheme = parts[0]
    fields: dict[str, str] = {}
    if scheme.lower() != "digest":
        return Credentials(text, scheme, fields)
    rest = parts[1] if len(parts) > 1 else ""
    if rest.count(",") > MAX_FIELDS:
        raise ParseError(f"at most {MAX_FIELDS} name=value credentials", body)
    if _USUAL.fullmatch(rest) is not None:
        for name, quoted, token in _FIELD.findall(rest):
            fields.setdefault(name.lower(), quoted or token)
        return Credentials(text, scheme, fields)
    pos, size = 0, len(rest)
    while pos < size:
        end = find_outside(rest, ",", pos)
        if end < 0:
            end = size
        name, equals, value = rest[pos:end].partition("=")
        name, value = name.strip(WS), value.strip(WS)
        pos = end + 1
        if not name and not equals:
            continue
        if value[:1] == '"':
            if quoted_end(value, 0) != len(value):
                raise ParseError(f'closing quote of {name}="..."', body)
            value = value[1:-1]
        elif '"' in value or len(value.split()) > 1:
            raise ParseError(f"one value for {name or 'each field'}", body)
        if not name or not equals or '"' in name or len(name.split()) > 1:
            raise ParseError("name=value credentials", body)
        fields.setdefault(name.lower(), value)
    return Credentials(text, scheme, fields)


def _hash(algorithm: str, data: str | bytes) -> str:
    raw = data.encode("latin-1") if isinstance(data, str) else data
    name = algorithm.lower()
    if name.endswith("-sess"):
        name = name[:-5]
    if name in ("", "md5"):
        return hashlib.md5(raw, usedforsecurity=False).hexdigest()
    if name == "sha-256":
        return hashlib.sha256(raw).hexdigest()
    if name == "sha-512-256":
        return hashlib.new("sha512_256", raw).hexdigest()
    raise SipError(f"digest algorithm {algorithm!r}: expected one of {', '.join(ALGORITHMS)}")


def ha1(username: str, realm: str, password: str, algorithm: str = "MD5") -> str:
    """H(username:realm:password) in hexadecimal: what subscriber tables store. ``-sess`` makes no difference here.

    Texts are latin-1 (one character a byte). Raises SipError for an unknown algorithm.
    """
    return _hash(algorithm, f"{username}:{realm}:{password}")


def digest_response(
    *,
    username: str,
    realm: str,
    secret: str,
    method: str,
    uri: str,
    nonce: str,
    algorithm: str = "MD5",
    qop: str = "",
    nc: str = "",
    cnonce: str = "",
    body: bytes = b"",
    hashed: bool = False,
) -> str:
    """The ``response`` of RFC 7616 3.4.1 in hexadecimal.

    ``secret`` is the password, or its HA1 when ``hashed``; ``qop`` is '' (RFC 2069 style), ``auth`` or ``auth-int``
    (which hashes ``body``). Texts are latin-1. Raises SipError for an unknown algorithm or qop.
    """
    first = secret if hashed else ha1(username, realm, secret, algorithm)
    if algorithm.lower().endswith("-sess"):
        first = _hash(algorithm, f"{first}:{nonce}:{cnonce}")
    kind = qop.lower()
    if kind not in ("", "auth", "auth-int"):
        raise SipError(f"qop {qop!r}: expected auth, auth-int or none")
    second = f"{method}:{uri}:{_hash(algorithm, body)}" if kind == "auth-int" else f"{method}:{uri}"
    middle = f"{nonce}:{nc}:{cnonce}:{qop}" if kind else nonce
    return _hash(algorithm, f"{first}:{middle}:{_hash(algorithm, second)}")
