"""Kamailio's http_client: HTTP requests whose answer the script waits for.

Functions return the status code of HTTP from 100, or libcurl's number of a failure below (``$curlerror(n)`` has its
text); the answer's body goes into a variable, '' for failures and from status 500. Other messages flow meanwhile.
Without ``connection_timeout`` an answer is waited for a minute at most. A sandbox asks nobody: there no server can be
reached.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..net.httpclient import NO_CONNECTION, HttpClient, HttpError, HttpOptions, HttpResponse
from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Accessor, Value, pv_class
from ..pv.spec import Spec
from .declare import Module, Param, ParamError, export, rpc
from .http_client_errors import curl_error
from .pv import write_to

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["HttpClientModule"]

log = logging.getLogger("ksrcore.http_client")

_ANSWER = "http_client.answer"
_TLS_NAMES = {"default": 0, "tlsv1": 1, "sslv2": 2, "sslv3": 3, "tlsv1.0": 4, "tlsv1.1": 5, "tlsv1.2": 6, "tlsv1.3": 7}
_FLAGS = {"yes": 1, "no": 0, "true": 1, "false": 0, "on": 1, "off": 0}


class _Connection:
    """A connection as ``httpcon`` defines it: a URL to add to, and how."""

    def __init__(self, name: str, scheme: str, uri: str, options: HttpOptions, failover: str) -> None:
        self.name = name
        self.scheme = scheme
        self.uri = uri
        self.options = options
        self.failover = failover


class HttpClientModule(Module):
    name = "http_client"

    httpredirect = Param(0, "1: follow redirects: int")
    httpproxy = Param("", "host or URL of a proxy: str")
    httpproxyport = Param(0, "port of that proxy: int")
    useragent = Param("", "User-Agent, by default that of the server: str")
    maxdatasize = Param(0, "bytes of an answer that are kept, 0 all: int")
    connection_timeout = Param(4, "seconds until an answer must be complete, 0 for a minute: int")
    client_cert = Param("", "file of a TLS client certificate: str")
    client_key = Param("", "file of its key: str")
    cacert = Param("", "file of the certificates that are trusted, '' the system's: str")
    cipher_suites = Param("", "OpenSSL names of ciphers: str")
    verify_peer = Param(1, "0: any certificate will do: int")
    verify_host = Param(2, "0: a certificate for any host will do: int")
    tlsversion = Param(0, "lowest version of TLS: 0 usual, 1, 4 TLSv1.0, 5 TLSv1.1, 6 TLSv1.2: int")
    authmethod = Param(3, "1 Basic, 2 Digest, 3 what the server asks for: int")
    keep_connections = Param(0, "1: use a connection again: int")
    query_result = Param(1, "what queries give: 1 the first line of the body, 0 all of it: int")
    query_maxdatasize = Param(0, "bytes of an answer that queries keep, 0 all: int")
    httpcon = Param("", "NAME=>http://[USER:PASSWORD@]HOST/PATH[;timeout=N;...]: a connection", multi=True)
    config_file = Param("", "file with connections, a section each: str")
    netinterface = Param("", "address or interface to send from: str")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._connections: dict[str, _Connection] = {}
        self._client = HttpClient()
        self._query = HttpOptions()

    def set_param(self, name: str, value: int | str) -> None:
        super().set_param(name, value)
        # A connection has the values that were set before it.
        if name == "httpcon":
            self._add(str(value))
        elif name == "config_file":
            self._read_file(str(value))

    def start(self) -> None:
        # The core's parameters are known only now.
        own = self.proxy.user_agent_header.partition(":")[2].strip()
        self._query = replace(self._options(), max_size=self.query_maxdatasize, user_agent=self.useragent or own)
        for connection in self._connections.values():
            connection.options = replace(connection.options, user_agent=connection.options.user_agent or own)
            if connection.failover and connection.failover not in self._connections:
                log.error("httpcon %s: there is no connection %r to fail over to", connection.name, connection.failover)

    def waits(self) -> bool:
        return True

    def stop(self) -> None:
        self._client.close()

    # -- connections --------------------------------------------------------------------------------------------------

    def _options(self, **more: Any) -> HttpOptions:
        values = {name: more.get(name, getattr(self, name)) for name in self.params}
        version = values["tlsversion"]
        if version in (2, 3) or not 0 <= version <= 7:
            raise ParamError(f"http_client: tlsversion can be 0, 1 and 4 to 7 here, got {version}")
        if values["authmethod"] & ~3:
            raise ParamError(f"http_client: authmethod can be 1 (Basic), 2 (Digest) or 3, got {values['authmethod']}")
        return HttpOptions(
            timeout=float(max(values["connection_timeout"], 0)),
            user_agent=values["useragent"],
            follow=bool(values["httpredirect"]),
            max_size=max(values["maxdatasize"], 0),
            keep=bool(values["keep_connections"]),
            username=more.get("username", ""),
            password=more.get("password", ""),
            auth=values["authmethod"],
            verify_peer=bool(values["verify_peer"]),
            verify_host=bool(values["verify_host"]),
            client_cert=values["client_cert"],
            client_key=values["client_key"],
            cacert=values["cacert"],
            ciphers=values["cipher_suites"],
            tls_version=version,
            proxy=values["httpproxy"],
            proxy_port=values["httpproxyport"],
            interface=values["netinterface"],
        )

    def _add(self, text: str) -> None:
        name, arrow, rest = text.partition("=>")
        url, *settings = rest.strip().split(";")
        scheme, slashes, uri = url.partition("://")
        if not arrow or not slashes or not uri:
            raise ParamError(
                "modparam http_client:httpcon expects NAME=>http://[USER:PASSWORD@]HOST/PATH[;name=value], "
                f"got {text!r}"
            )
        more: dict[str, Any] = {}
        credentials, at, host = uri.rpartition("@")
        if at:
            more["username"], _, more["password"] = credentials.partition(":")
            uri = host
        fields = dict(part.strip().partition("=")[::2] for part in settings if part.strip())
        self._define(name.strip(), scheme, uri, fields, more)

    def _define(self, name: str, scheme: str, uri: str, fields: dict[str, str], more: dict[str, Any]) -> None:
        names = {"timeout": "connection_timeout", "http_follow_redirect": "httpredirect"}
        failover = fields.pop("failover", "")
        for key, value in fields.items():
            param = self.params.get(names.get(key, key))
            if param is None or param.multi or key in ("query_result", "query_maxdatasize", "config_file"):
                log.error("httpcon %s: unknown parameter %r", name, key)
            elif param.type is str:
                more[param.name] = value
            else:
                words = {**_FLAGS, **_TLS_NAMES}
                number = words.get(value.lower(), int(value) if value.isdigit() else -1)
                if number < 0:
                    log.warning("httpcon %s: %s expects a number, got %r; the default is used", name, key, value)
                else:
                    more[param.name] = number
        self._connections[name] = _Connection(name, scheme, uri, self._options(**more), failover)
        self.proxy.counters["httpclient:connections"] = len(self._connections)

    def _read_file(self, path: str) -> None:
        """A section ``[name]`` a connection, ``key = value`` lines."""
        sections: dict[str, dict[str, str]] = {}
        fields: dict[str, str] = {}
        try:
            text = Path(path).read_text(encoding="latin-1")
        except OSError as error:
            raise ParamError(f"modparam http_client:config_file: {path}: {error.strerror or error}") from None
        for number, raw in enumerate(text.splitlines(), 1):
            line = raw.strip()
            if not line or line[0] in "#;":
                continue
            if line[0] == "[" and line[-1] == "]":
                fields = sections.setdefault(line[1:-1].strip(), {})
                continue
            key, equals, value = line.partition("=")
            if not equals or not sections:
                raise ParamError(f"{path}:{number}: expected [NAME] or KEY = VALUE, got {line!r}")
            fields[key.strip()] = value.strip().strip('"')
        for name, found in sections.items():
            scheme, slashes, uri = found.pop("url", "").partition("://")
            if not slashes or not uri:
                raise ParamError(f"{path}: the connection {name} has no url = http://...")
            more: dict[str, Any] = {key: found.pop(key) for key in ("username", "password") if key in found}
            self._define(name, scheme, uri, found, more)

    # -- requests -----------------------------------------------------------------------------------------------------

    def _ask(
        self, run: Run, method: str, url: str, body: str | None, headers: list[str], options: HttpOptions
    ) -> HttpResponse | int:
        """The answer, or libcurl's number of the failure."""
        if self.proxy.sandbox:
            log.error("http_client: a sandbox asks nobody: %s", url)
            return NO_CONNECTION
        run.msg.extra.pop(_ANSWER, None)
        try:
            answer = self.proxy.wait(lambda: self._client.request(method, url, body, headers, options))
        except HttpError as error:
            log.warning("http_client: %s: %s (%d, %s)", url, error, error.code, curl_error(error.code))
            self.proxy.count("httpclient:connfail")
            return error.code
        self.proxy.count("httpclient:connok" if answer.code == 200 else "httpclient:connfail")
        run.msg.extra[_ANSWER] = answer
        return answer

    def _target(self, pvn: str) -> Accessor | None:
        try:
            found = compile_spec(pvn)
        except PvError as error:
            log.error("http_client: %s", error)
            return None
        if not found.writable:
            log.error("http_client: %s is not writable", pvn)
            return None
        return found

    def _run_query(self, run: Run, method: str, url: str, body: str, hdrs: str, dpv: str) -> int:
        target = self._target(dpv)
        if target is None:
            return -1
        # As for libcurl the first name counts: a Content-Type further on does not keep that of a form away.
        answer = self._ask(run, method, url, body or None, [hdrs] if hdrs else [], self._query)
        if isinstance(answer, int):
            write_to("http_client", run, target, "")
            return answer
        text = answer.body if 200 <= answer.code < 500 else ""
        write_to("http_client", run, target, text.partition("\n")[0] if self.query_result else text)
        return answer.code

    def _run_connect(self, run: Run, con: str, url: str, ctype: str, data: str, dpv: str) -> int:
        target = self._target(dpv)
        if target is None:
            return -1
        tried: set[str] = set()
        name = con
        while True:
            connection = self._connections.get(name)
            if connection is None:
                log.error("http_client: there is no connection %r", name)
                write_to("http_client", run, target, "")
                return -1
            tried.add(name)
            between = "" if not url or url[0] == "/" else "/"
            whole = f"{connection.scheme}://{connection.uri}{between}{url}"
            headers = [f"Content-Type: {ctype}"] if data else []
            method = "POST" if data else "GET"
            answer = self._ask(run, method, whole, data or None, headers, connection.options)
            code = answer if isinstance(answer, int) else answer.code
            if not connection.failover or connection.failover in tried or 100 <= code < 500:
                break
            log.error("http_client: %s failed with %d, trying %s", name, code, connection.failover)
            name = connection.failover
        write_to("http_client", run, target, answer.body if not isinstance(answer, int) and 200 <= code < 500 else "")
        return code

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    @export
    def query(self, run: Run, url: str, dpv: str) -> int:
        """GET a URL into the variable ``dpv`` (its first line, see query_result): the status, or libcurl's number."""
        return self._run_query(run, "GET", url, "", "", dpv)

    @export
    def query_post(self, run: Run, url: str, post: str, dpv: str) -> int:
        """POST ``post`` to a URL, GET it when that is '': see ``query``."""
        return self._run_query(run, "POST" if post else "GET", url, post, "", dpv)

    @export
    def query_post_hdrs(self, run: Run, url: str, post: str, hdrs: str, dpv: str) -> int:
        """``query_post`` with header fields, divided by CR LF."""
        return self._run_query(run, "POST" if post else "GET", url, post, hdrs, dpv)

    @export
    def query_request(self, run: Run, met: str, url: str, body: str, hdrs: str, respv: str) -> int:
        """Ask a URL by any method, with body and header fields ('' none): see ``query`` (Kamailio 6.0 and later)."""
        if not met.isascii() or not met.isalpha():
            log.error("http_client: expected a method such as PUT, got %r", met)
            return -1
        return self._run_query(run, met, url, body, hdrs, respv)

    @export
    def get_hdrs(self, run: Run, url: str, body: str, hdrs: str, dpv: str) -> int:
        """GET a URL, with a body unless that is '', and header fields divided by CR LF: see ``query``."""
        return self._run_query(run, "GET", url, body, hdrs, dpv)

    @export
    def curl_connect(self, run: Run, con: str, url: str, dpv: str) -> int:
        """GET ``url`` behind the URL of the connection ``con`` (httpcon) into ``dpv``, all of it; -1: no connection."""
        return self._run_connect(run, con, url, "", "", dpv)

    @export
    def curl_connect_post(self, run: Run, con: str, url: str, ctype: str, data: str, dpv: str) -> int:
        """POST ``data`` of the type ``ctype`` behind the URL of a connection: see ``curl_connect``."""
        return self._run_connect(run, con, url, ctype, data, dpv)

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("httpclient.listcon")
    def rpc_listcon(self, params: list[Any]) -> Any:
        """All connections, the latest first; one alone is no list."""
        shown = [
            {
                "CONNECTION": {
                    "NAME": each.name,
                    "SCHEMA": each.scheme,
                    "URI": each.uri,
                    "USERNAME": each.options.username or None,
                    "PASSWORD": each.options.password or None,
                    "FAILOVER": each.failover or None,
                    "TIMEOUT": int(each.options.timeout),
                }
            }
            for each in reversed(self._connections.values())
        ]
        return shown[0] if len(shown) == 1 else shown


# -- variables --------------------------------------------------------------------------------------------------------


@pv_class("curlerror")
def _curlerror(spec: Spec) -> Accessor:
    """``$curlerror(28)``: the text of libcurl's number; a number is taken as it is written, no variable."""
    text = (spec.inner or "").strip()
    digits = ""
    for char in text:
        if not char.isdigit():
            break
        digits += char
    found = "Bad CURL error code" if text[:1] == "-" else curl_error(int(digits or 0))
    return Accessor(spec, lambda run: found)


@pv_class("httprhdr")
def _httprhdr(spec: Spec) -> Accessor:
    """``$httprhdr(name)``: a header field of the latest answer that this message got (Kamailio 5.7 and later)."""
    name = (spec.inner or "").strip()
    if not name:
        raise PvError("$httprhdr expects the name of a header field", str(spec))

    def get(run: Run) -> Value:
        answer = run.msg.extra.get(_ANSWER)
        return answer.header(name) if isinstance(answer, HttpResponse) else None

    return Accessor(spec, get)
