"""HTTP and HTTPS requests, each within a time limit, failing with the numbers that libcurl has for failures.

Several threads may use an :class:`HttpClient` at once. Text is latin-1: each character is one byte of the wire.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import http.client
import io
import os
import secrets
import socket
import ssl
import struct
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

__all__ = ["AUTH_BASIC", "AUTH_DIGEST", "HttpClient", "HttpError", "HttpOptions", "HttpResponse"]

AUTH_BASIC, AUTH_DIGEST = 1, 2

#: libcurl's numbers of failures.
UNSUPPORTED, BAD_URL, NO_PROXY, NO_HOST, NO_CONNECTION = 1, 3, 5, 6, 7
PARTIAL, TIMEOUT, TLS, REDIRECTS, EMPTY, SEND, RECEIVE = 18, 28, 35, 47, 52, 55, 56
BAD_OWN_CERTIFICATE, BAD_CIPHER, BAD_PEER, BAD_CA = 58, 59, 60, 77

#: Where there is no time limit there is this one (seconds).
LONGEST = 60.0
#: As many redirects are followed at most, and as many idle connections kept for each server.
_HOPS = 50
_IDLE = 8


class HttpError(OSError):
    """A request failed: ``code`` is libcurl's number."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class HttpOptions:
    """How requests are made. ``timeout``: seconds, 0 for the longest there is; ``max_size``: bytes of the answer that
    are kept, 0 for all; ``tls_version``: libcurl's number of the lowest; ``auth``: what is tried, as a bit mask."""

    timeout: float = 0.0
    user_agent: str = ""
    follow: bool = False
    max_size: int = 0
    keep: bool = False
    username: str = ""
    password: str = ""
    auth: int = AUTH_BASIC | AUTH_DIGEST
    verify_peer: bool = True
    verify_host: bool = True
    client_cert: str = ""
    client_key: str = ""
    cacert: str = ""
    capath: str = ""
    ciphers: str = ""
    tls_version: int = 0
    proxy: str = ""
    proxy_port: int = 0
    interface: str = ""
    #: Content-Type of a body that has none.
    body_type: str = "application/x-www-form-urlencoded"

    def context(self) -> ssl.SSLContext:
        """Raises :class:`HttpError`."""
        try:
            context = ssl.create_default_context(cafile=self.cacert or None, capath=self.capath or None)
        except OSError as error:
            raise HttpError(BAD_CA, f"{self.cacert}: {error}") from None
        if not self.verify_peer:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif not self.verify_host:
            context.check_hostname = False
        if self.tls_version >= 4:
            context.minimum_version = {
                4: ssl.TLSVersion.TLSv1,
                5: ssl.TLSVersion.TLSv1_1,
                6: ssl.TLSVersion.TLSv1_2,
                7: ssl.TLSVersion.TLSv1_3,
            }[self.tls_version]
        try:
            if self.ciphers:
                context.set_ciphers(self.ciphers)
        except ssl.SSLError as error:
            raise HttpError(BAD_CIPHER, f"{self.ciphers}: {error}") from None
        if self.client_cert:
            try:
                context.load_cert_chain(self.client_cert, self.client_key or None)
            except OSError as error:
                raise HttpError(BAD_OWN_CERTIFICATE, f"{self.client_cert}: {error}") from None
        return context


@dataclass
class HttpResponse:
    """``body`` is latin-1; ``url`` the one that answered, after redirects."""

    code: int
    reason: str
    headers: list[tuple[str, str]]
    body: str
    url: str

    def header(self, name: str) -> str | None:
        """The first header field of that name."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


class _Timed(io.RawIOBase):
    """What is read of a socket until a time."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        self.sock = sock
        self.end = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.sock.settimeout(_left(self.end))
        return self.sock.recv_into(buffer)


class _Source:
    """What ``HTTPResponse`` takes for a socket."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        self.raw = _Timed(sock, end)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self.raw)


def _left(end: float) -> float:
    left = end - monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left


@dataclass
class _Request:
    method: str
    url: SplitResult
    body: bytes | None
    headers: list[str]
    options: HttpOptions
    end: float
    authorization: str = ""


@dataclass
class HttpClient:
    """Makes requests; keeps connections for those whose options say so."""

    idle: dict[tuple[Any, ...], list[socket.socket]] = field(default_factory=dict)

    def close(self) -> None:
        for socks in self.idle.values():
            while socks:
                socks.pop().close()

    def request(
        self, method: str, url: str, body: str | None, headers: list[str], options: HttpOptions
    ) -> HttpResponse:
        """Make a request; ``headers`` are whole fields, a body without a Content-Type is of ``body_type``. Raises
        :class:`HttpError`."""
        end = monotonic() + (options.timeout or LONGEST)
        parts = split_url(url)
        user, password = options.username, options.password
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
        data = body.encode("latin-1") if body is not None else None
        request = _Request(method, parts, data, headers, options, end)
        for _ in range(_HOPS):
            if user and options.auth == AUTH_BASIC:
                request.authorization = _basic(user, password)
            response = self._once(request)
            if response.code == 401 and user and not request.authorization:
                request.authorization = _answer(request, response, user, password)
                if request.authorization:
                    response = self._once(request)
            location = response.header("location")
            if not options.follow or location is None or response.code not in (301, 302, 303, 307, 308):
                return response
            target = split_url(urljoin(request.url.geturl(), location))
            if target.hostname != request.url.hostname:
                user = ""
            request.url = target
            request.authorization = ""
            if response.code in (301, 302, 303) and request.method not in ("GET", "HEAD"):
                request.method, request.body = "GET", None
        raise HttpError(REDIRECTS, f"more than {_HOPS} redirects")

    # -- one request --------------------------------------------------------------------------------------------------

    def _once(self, request: _Request) -> HttpResponse:
        key = (request.url.scheme, request.url.hostname, request.url.port, request.options)
        kept = self.idle.get(key)
        while kept:
            sock = kept.pop()
            try:
                return self._exchange(request, sock, key)
            except HttpError as error:
                # The server may have closed it meanwhile.
                if error.code not in (EMPTY, SEND, RECEIVE):
                    raise
        return self._exchange(request, self._connect(request), key)

    def _connect(self, request: _Request) -> socket.socket:
        options = request.options
        url = request.url
        host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
        through = None
        if options.proxy:
            through = urlsplit(options.proxy if "//" in options.proxy else f"//{options.proxy}")
        try:
            if through is not None:
                address = (through.hostname or "", options.proxy_port or through.port or 1080)
            else:
                address = (host, port)
            sock = socket.create_connection(
                address, _left(request.end), (_source(options.interface), 0) if options.interface else None
            )
        except HttpError:
            raise
        except socket.gaierror as error:
            raise HttpError(NO_PROXY if through is not None else NO_HOST, f"{address[0]}: {error}") from None
        except TimeoutError as error:
            raise HttpError(TIMEOUT, str(error)) from None
        except (OSError, OverflowError, UnicodeError) as error:
            raise HttpError(NO_CONNECTION, f"{address[0]}:{address[1]}: {error}") from None
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if url.scheme == "https":
                if through is not None:
                    self._tunnel(request, sock, host, port)
                sock = options.context().wrap_socket(sock, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            sock.close()
            raise HttpError(BAD_PEER, str(error)) from None
        except TimeoutError as error:
            sock.close()
            raise HttpError(TIMEOUT, str(error)) from None
        except HttpError:
            sock.close()
            raise
        except (OSError, ValueError) as error:
            sock.close()
            raise HttpError(TLS, str(error)) from None
        return sock

    def _tunnel(self, request: _Request, sock: socket.socket, host: str, port: int) -> None:
        sock.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode("latin-1"))
        response = http.client.HTTPResponse(_Source(sock, request.end), method="CONNECT")  # type: ignore[arg-type]
        try:
            response.begin()
        except (OSError, http.client.HTTPException) as error:
            raise HttpError(RECEIVE, f"the proxy: {error}") from None
        if response.status >= 300:
            raise HttpError(RECEIVE, f"the proxy says {response.status} to CONNECT")

    def _exchange(self, request: _Request, sock: socket.socket, key: tuple[Any, ...]) -> HttpResponse:
        keep = False
        response: http.client.HTTPResponse | None = None
        try:
            try:
                sock.settimeout(_left(request.end))
                sock.sendall(_text(request))
            except TimeoutError:
                raise
            except OSError as error:
                raise HttpError(SEND, str(error)) from None
            response = http.client.HTTPResponse(_Source(sock, request.end), method=request.method)  # type: ignore[arg-type]
            response.begin()
            body = _body(response, request.options.max_size)
            keep = request.options.keep and not response.will_close and response.isclosed()
            found = [(name, value) for name, value in response.getheaders()]
            return HttpResponse(response.status, response.reason, found, body, request.url.geturl())
        except TimeoutError as error:
            raise HttpError(TIMEOUT, str(error)) from None
        except http.client.RemoteDisconnected as error:
            raise HttpError(EMPTY, str(error)) from None
        except http.client.IncompleteRead as error:
            raise HttpError(PARTIAL, str(error)) from None
        except http.client.BadStatusLine as error:
            raise HttpError(UNSUPPORTED, f"this is not HTTP: {error}") from None
        except http.client.HTTPException as error:
            raise HttpError(8, str(error) or type(error).__name__) from None
        except ConnectionError as error:
            raise HttpError(RECEIVE, str(error)) from None
        except HttpError:
            raise
        except (OSError, ValueError) as error:
            raise HttpError(RECEIVE, str(error)) from None
        finally:
            if response is not None:
                response.close()
            idle = self.idle.setdefault(key, []) if keep else []
            if keep and len(idle) < _IDLE:
                idle.append(sock)
            else:
                sock.close()


def _body(response: http.client.HTTPResponse, limit: int) -> str:
    parts: list[bytes] = []
    size = 0
    while True:
        part = response.read(65536) if response.length is None or response.length else b""
        if not part:
            break
        parts.append(part)
        size += len(part)
        if limit and size >= limit:
            break
    data = b"".join(parts)
    if response.length and not limit:
        raise http.client.IncompleteRead(data, response.length)
    return (data[:limit] if limit else data).decode("latin-1")


def split_url(url: str) -> SplitResult:
    """The parts of a URL, which is of http when it does not say. Raises :class:`HttpError`."""
    if not url or any(c <= " " or c == "\x7f" for c in url):
        raise HttpError(BAD_URL, f"this is no URL: {url!r}")
    if "://" not in url:
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise HttpError(BAD_URL, f"{url!r}: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise HttpError(UNSUPPORTED, f"expected http or https, got {url!r}")
    if not parts.hostname or port == 0:
        raise HttpError(BAD_URL, f"{url!r} has no host")
    path = parts.path
    if "/." in path:
        path = _without_dots(path)
    return parts._replace(path=path or "/", fragment="")


def _without_dots(path: str) -> str:
    """RFC 3986 section 5.2.4."""
    out: list[str] = []
    segments = path.split("/")[1:]
    for at, segment in enumerate(segments):
        last = at == len(segments) - 1
        if segment in (".", ".."):
            if segment == ".." and out:
                out.pop()
            if last:
                out.append("")
        else:
            out.append(segment)
    return "/" + "/".join(out)


def _target(url: SplitResult) -> str:
    return f"{url.path}?{url.query}" if url.query else url.path


def _text(request: _Request) -> bytes:
    url, options = request.url, request.options
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    if url.port is not None and url.port != (443 if url.scheme == "https" else 80):
        host = f"{host}:{url.port}"
    target = _target(url)
    if options.proxy and url.scheme == "http":
        target = f"http://{host}{target}"
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {host}"]
    if request.authorization:
        lines.append(f"Authorization: {request.authorization}")
    if options.user_agent:
        lines.append(f"User-Agent: {options.user_agent}")
    lines.append("Accept: */*")
    if options.proxy and url.scheme == "http":
        lines.append("Proxy-Connection: Keep-Alive")
    typed = False
    for header in request.headers:
        name, _, value = header.partition(":")
        typed = typed or name.strip().lower() == "content-type"
        if value.strip():  # libcurl leaves out a field without a value
            lines.append(header)
    if request.body is not None:
        lines.append(f"Content-Length: {len(request.body)}")
        if not typed:
            lines.append(f"Content-Type: {options.body_type}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + (request.body or b"")


# -- credentials ------------------------------------------------------------------------------------------------------


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode("latin-1", "replace")).decode()


def _answer(request: _Request, response: HttpResponse, user: str, password: str) -> str:
    """The Authorization for a challenge, the strongest that is wanted; '' for none."""
    challenges = [value for name, value in response.headers if name.lower() == "www-authenticate"]
    if request.options.auth & AUTH_DIGEST:
        for challenge in challenges:
            if challenge[:7].lower() == "digest ":
                found = _digest(request, challenge[7:], user, password)
                if found:
                    return found
    if request.options.auth & AUTH_BASIC and any(challenge[:5].lower() == "basic" for challenge in challenges):
        return _basic(user, password)
    return ""


def _digest(request: _Request, challenge: str, user: str, password: str) -> str:
    """RFC 7616, qop auth or none, MD5 or SHA-256."""
    fields = http_list(challenge)
    algorithm = fields.get("algorithm", "MD5")
    name = {"md5": "md5", "sha-256": "sha256"}.get(algorithm.lower())
    qops = [qop.strip() for qop in fields.get("qop", "").split(",") if qop.strip()]
    if name is None or (qops and "auth" not in qops):
        return ""

    def digest(text: str) -> str:
        return hashlib.new(name, text.encode("latin-1", "replace")).hexdigest()

    realm, nonce, uri = fields.get("realm", ""), fields.get("nonce", ""), _target(request.url)
    first, second = digest(f"{user}:{realm}:{password}"), digest(f"{request.method}:{uri}")
    text = f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}"'
    if qops:
        cnonce = base64.b64encode(secrets.token_bytes(24)).decode()
        response = digest(f"{first}:{nonce}:00000001:{cnonce}:auth:{second}")
        text += f', cnonce="{cnonce}", nc=00000001, qop=auth, response="{response}"'
    else:
        text += f', response="{digest(f"{first}:{nonce}:{second}")}"'
    if "opaque" in fields:
        text += f', opaque="{fields["opaque"]}"'
    return text + (f", algorithm={algorithm}" if "algorithm" in fields else "")


def http_list(text: str) -> dict[str, str]:
    """``a=b, c="d, e"`` as a dict with keys in lower case."""
    found: dict[str, str] = {}
    rest = text
    while rest.strip(" ,"):
        key, equals, rest = rest.strip(" ,").partition("=")
        if not equals:
            break
        if rest[:1] == '"':
            value, _, rest = rest[1:].partition('"')
        else:
            value, _, rest = rest.partition(",")
        found[key.strip().lower()] = value.strip()
    return found


def _source(interface: str) -> str:
    """The address to send from: an address itself, or that of an interface. Raises :class:`HttpError`."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, interface)
            return interface
        except OSError:
            continue
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            packed = struct.pack("256s", os.fsencode(interface)[:15])
            return socket.inet_ntoa(fcntl.ioctl(sock.fileno(), 0x8915, packed)[20:24])  # SIOCGIFADDR
    except OSError as error:
        raise HttpError(45, f"{interface}: {error}") from None
