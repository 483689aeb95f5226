"""SIP, SIPS, TEL and URN URIs (RFC 3261 19.1 and 25.1, RFC 3966, RFC 5031).

Parts are kept as written, without resolving escapes: what Kamailio's variables show. Only the scheme is lowercased.
What is an error here is one for Kamailio's parser too: an empty user before ``@``, a second ``:`` in the userinfo,
``@`` after the host, ``;`` in the headers, characters other than letters, digits, ``.`` and ``-`` in a host name.
"""

import ipaddress
from typing import Final

from ksrcore.sip.errors import ParseError, UnknownScheme

__all__ = [
    "Uri",
    "aor",
    "default_port",
    "is_ipv4",
    "is_ipv6_ref",
    "parse_uri",
    "strip_brackets",
    "uri_equal",
]

_CACHE_MAX: Final = 4096
#: Longer texts are not kept: a flood of them would fill the memory.
_CACHE_TEXT: Final = 512
_cache: dict[str, "Uri"] = {}

_SCHEME_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789+-.")
_SPACES: Final = frozenset(" \t\r\n\0")
_RESERVED: Final = frozenset(";/?:@&=+$,%")
_TEL_SEPARATORS: Final = str.maketrans("", "", "-.()")
# RFC 3261 19.1.4: a parameter of these names in one URI only makes the URIs differ.
_NEVER_IGNORED: Final = ("user", "ttl", "method", "maddr", "transport")


class Uri:
    """A parsed URI. Immutable by convention: :func:`parse_uri` hands the same object to every caller.

    ``user``, ``password``, ``host``, ``port``, ``params`` and ``headers`` are '' when absent. ``host`` keeps the
    brackets of an IPv6 reference; ``params`` and ``headers`` have no leading ``;`` and ``?``. A ``tel:`` URI has its
    number in ``user``; a URN its namespace in ``user`` and the rest in ``host``, as Kamailio shows ``urn:service:sos``.
    """

    __slots__ = ("_map", "headers", "host", "params", "password", "port", "port_no", "scheme", "text", "user")

    def __init__(
        self,
        text: str,
        scheme: str,
        user: str = "",
        password: str = "",
        host: str = "",
        port: str = "",
        params: str = "",
        headers: str = "",
    ) -> None:
        self.text = text
        self.scheme = scheme
        self.user = user
        self.password = password
        self.host = host
        self.port = port
        self.port_no = int(port) if port else 0
        self.params = params
        self.headers = headers
        self._map: dict[str, str] | None = None

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Uri({self.text!r})"

    def __eq__(self, other: object) -> bool:
        """Same text. For the comparison of RFC 3261 19.1.4 see :func:`uri_equal`."""
        return isinstance(other, Uri) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    @property
    def is_sip(self) -> bool:
        """True for ``sip:`` and ``sips:``: the URI has a host to send to."""
        return self.scheme == "sip" or self.scheme == "sips"

    def param(self, name: str) -> str | None:
        """Value of the last parameter called ``name`` (in any case) as written, '' for a flag, None when absent."""
        if not self.params:
            return None
        known = self._map
        if known is None:
            known = {}
            for key, value in self.params_list():
                known[key.lower()] = value
            self._map = known
        return known.get(name) if name in known else known.get(name.lower())

    def params_list(self) -> list[tuple[str, str]]:
        """The parameters in order as (name, value), both as written; the value of a flag is ''."""
        found = []
        for part in self.params.split(";"):
            name, _, value = part.partition("=")
            if name:
                found.append((name, value))
        return found

    def headers_list(self) -> list[tuple[str, str]]:
        """The ``?name=value&...`` headers in order as (name, value), both as written (escapes kept)."""
        found = []
        for part in self.headers.split("&"):
            name, _, value = part.partition("=")
            if name:
                found.append((name, value))
        return found

    @property
    def transport(self) -> str:
        """``transport`` in lower case, '' when absent."""
        return (self.param("transport") or "").lower() if self.params else ""

    @property
    def lr(self) -> bool:
        """True when ``lr`` is there, with any value: ``lr=on`` is common."""
        return self.param("lr") is not None

    @property
    def maddr(self) -> str:
        return self.param("maddr") or ""

    @property
    def method(self) -> str:
        return self.param("method") or ""

    @property
    def ttl(self) -> str:
        return self.param("ttl") or ""

    @property
    def gr(self) -> str | None:
        """GRUU (RFC 5627): None when absent, '' for the flag of a temporary GRUU."""
        return self.param("gr")

    @property
    def ob(self) -> bool:
        """Outbound flag (RFC 5626)."""
        return self.param("ob") is not None

    @property
    def r2(self) -> str:
        """Kamailio's mark of a double Record-Route, ``r2=on``."""
        return self.param("r2") or ""

    @property
    def user_param(self) -> str:
        return self.param("user") or ""

    def with_(
        self,
        *,
        user: str | None = None,
        password: str | None = None,
        host: str | None = None,
        port: str | int | None = None,
        params: str | None = None,
        headers: str | None = None,
    ) -> str:
        """Text of this URI with parts replaced; None keeps a part, '' (or port 0) removes it.

        Removing the user removes the password. A bare IPv6 address given as host gets its brackets. A ``tel:`` URI
        takes user, params and headers only; a URN comes back unchanged.
        """
        new_user = self.user if user is None else user
        new_params = self.params if params is None else params
        new_headers = self.headers if headers is None else headers
        tail = (";" + new_params if new_params else "") + ("?" + new_headers if new_headers else "")
        if self.scheme == "tel":
            return f"tel:{new_user}{tail}"
        if not self.is_sip:
            return self.text
        new_password = self.password if password is None else password
        new_host = self.host if host is None else host
        if ":" in new_host and new_host[0] != "[":
            new_host = f"[{new_host}]"
        new_port = self.port if port is None else str(port or "")
        userinfo = ""
        if new_user:
            userinfo = f"{new_user}:{new_password}@" if new_password else new_user + "@"
        return f"{self.scheme}:{userinfo}{new_host}{':' + new_port if new_port else ''}{tail}"


def parse_uri(text: str) -> Uri:
    """Parse ``text``; results are shared through a bounded cache.

    Raises UnknownScheme for another scheme than sip, sips, tel and urn, and ParseError for what is no URI.
    """
    uri = _cache.get(text)
    if uri is None:
        uri = _parse(text)
        if len(text) <= _CACHE_TEXT:
            if len(_cache) >= _CACHE_MAX:
                _cache.clear()
            _cache[text] = uri
    return uri


def _parse(text: str) -> Uri:
    if not _SPACES.isdisjoint(text):
        # It would end the Request-URI, or the line, of the request that is sent with it.
        raise ParseError("URI without white space", text)
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if scheme == "sip" or scheme == "sips":
        return _parse_sip(text, scheme, rest)
    if not colon or not rest or not scheme or not _SCHEME_CHARS.issuperset(scheme) or not scheme[0].isalpha():
        raise ParseError("URI (sip:user@host)", text)
    if scheme == "tel":
        number, _, headers = rest.partition("?")
        number, _, params = number.partition(";")
        if not number or " " in number:
            raise ParseError("tel URI (tel:+number)", text)
        return Uri(text, scheme, user=number, params=params, headers=headers)
    if scheme == "urn":
        namespace, mark, name = rest.partition(":")
        return Uri(text, scheme, user=namespace, host=name) if mark else Uri(text, scheme, host=rest)
    raise UnknownScheme("URI of scheme sip, sips, tel or urn", text)


def _parse_sip(text: str, scheme: str, rest: str) -> Uri:
    # '@' must be escaped everywhere but before the host (RFC 3261 25.1), so the first one ends the userinfo, whatever
    # ';' '?' or '/' comes before it.
    user = password = port = params = headers = ""
    at = rest.find("@")
    if at >= 0:
        user, _, password = rest[:at].partition(":")
        rest = rest[at + 1 :]
        if not user or ":" in password or ";" in password:
            raise ParseError("SIP URI with user or user:password before '@'", text)
        if "@" in rest:
            raise ParseError("SIP URI with one '@'", text)
    host = rest
    end = rest.find("?")
    if end >= 0:
        headers = rest[end + 1 :]
        host = rest[:end]
        if ";" in headers:
            raise ParseError("SIP URI with its parameters before '?'", text)
    end = host.find(";")
    if end >= 0:
        params = host[end + 1 :]
        host = host[:end]
    if host[:1] == "[":
        end = host.find("]") + 1
        if end <= 2 or " " in host:
            raise ParseError("SIP URI with ']' after its IPv6 address", text)
        host, port_part = host[:end], host[end:]
        if port_part:
            if port_part[0] != ":":
                raise ParseError("SIP URI with ':port' after its IPv6 address", text)
            port = port_part[1:]
    else:
        end = host.find(":")
        if end >= 0:
            port = host[end + 1 :]
            host = host[:end]
        if not _is_hostname(host):
            raise ParseError("SIP URI with a host", text)
    if port and (len(port) > 5 or not (port.isascii() and port.isdigit()) or int(port) > 65535):
        raise ParseError("SIP URI with a port from 0 to 65535", text)
    return Uri(text, scheme, user, password, host, port, params, headers)


def _is_hostname(host: str) -> bool:
    return host.isascii() and host.replace(".", "").replace("-", "").isalnum() and host[0] not in ".-"


def is_ipv4(host: str) -> bool:
    """True for a dotted quad of four decimal numbers up to 255."""
    parts = host.split(".")
    if len(parts) != 4:
        return False
    for part in parts:
        if not 1 <= len(part) <= 3 or not (part.isascii() and part.isdigit()) or int(part) > 255:
            return False
    return True


def is_ipv6_ref(host: str) -> bool:
    """True for an IPv6 address in brackets, as URIs and Via write it."""
    if len(host) < 4 or host[0] != "[" or host[-1] != "]":
        return False
    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return False
    return True


def strip_brackets(host: str) -> str:
    """``[::1]`` as ``::1``; anything else unchanged."""
    return host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host


def default_port(scheme: str, transport: str = "") -> int:
    """Port of a URI that names none: 5061 over TLS or for ``sips``, 80/443 for WebSocket (RFC 7118), else 5060."""
    transport = transport.lower()
    if transport == "ws":
        return 443 if scheme == "sips" else 80
    if transport == "wss":
        return 443
    return 5061 if scheme == "sips" or transport == "tls" else 5060


def aor(uri: Uri | str) -> str:
    """Address of record as ``user@host`` (the host alone without user; the number of a tel URI), as written."""
    if isinstance(uri, str):
        uri = parse_uri(uri)
    if not uri.is_sip:
        return uri.user or uri.host or uri.text
    return f"{uri.user}@{uri.host}" if uri.user else uri.host


def _canonical(text: str) -> str:
    """``text`` with the escapes of characters outside RFC 3261's reserved set resolved, the others in upper case."""
    if "%" not in text:
        return text
    head, *parts = text.split("%")
    out = [head]
    for part in parts:
        try:
            char = chr(int(part[:2], 16)) if len(part) >= 2 and part[:2].isalnum() else ""
        except ValueError:
            char = ""
        if not char:
            out.append("%" + part)
        elif char in _RESERVED:
            out.append("%" + part[:2].upper() + part[2:])
        else:
            out.append(char + part[2:])
    return "".join(out)


def _folded(items: list[tuple[str, str]]) -> dict[str, str]:
    folded: dict[str, str] = {}
    for name, value in items:
        folded.setdefault(_canonical(name).lower(), _canonical(value).lower())
    return folded


def uri_equal(a: Uri | str, b: Uri | str) -> bool:
    """Equality of RFC 3261 19.1.4 for SIP and SIPS, of RFC 3966 section 4 for TEL; other schemes compare as text.

    Raises ParseError when one of the texts is not a URI.
    """
    first = parse_uri(a) if isinstance(a, str) else a
    second = parse_uri(b) if isinstance(b, str) else b
    if first.scheme != second.scheme:
        return False
    if first.scheme == "tel":
        numbers = [uri.user.translate(_TEL_SEPARATORS).lower() for uri in (first, second)]
        return numbers[0] == numbers[1] and _folded(first.params_list()) == _folded(second.params_list())
    if not first.is_sip:
        return first.text.partition(":")[2] == second.text.partition(":")[2]
    if (
        _canonical(first.user) != _canonical(second.user)
        or _canonical(first.password) != _canonical(second.password)
        or first.host.lower() != second.host.lower()
        or first.port != second.port
    ):
        return False
    mine, theirs = _folded(first.params_list()), _folded(second.params_list())
    if any(theirs[name] != value for name, value in mine.items() if name in theirs):
        return False
    if any((name in mine) != (name in theirs) for name in _NEVER_IGNORED):
        return False
    return _folded(first.headers_list()) == _folded(second.headers_list())
