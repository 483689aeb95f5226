"""Kamailio's http_async_client: HTTP requests whose answer runs a callback later.

With a transaction (``KSR.tm.t_newtran()``) ``query`` suspends it, and the callback goes on with it; without one, or
after ``$http_req(suspend) = 0``, the script goes on and the callback runs on a made-up request. The callback is given
``http_async_client:callback``; what it is about is in ``$http_ok $http_rs $http_rr $http_rb $http_hdr(...) $http_err
$http_req_id``. Answers are waited for in threads. A sandbox asks nobody: there ``query`` says that it asked, and no
callback runs.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..net.httpclient import TIMEOUT, HttpClient, HttpError, HttpOptions, HttpResponse
from ..pv.errors import PvError
from ..pv.registry import Accessor, Value, pv, pv_class
from ..pv.spec import Spec
from ..tm import suspend
from .declare import Module, Param, ParamError, export
from .http_client_errors import curl_error

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["HttpAsyncClient"]

log = logging.getLogger("ksrcore.http_async_client")

_WANTED = "http_async_client.wanted"
_ANSWER = "http_async_client.answer"
#: What the callback is given beside the message.
_EVENT = "http_async_client:callback"
_METHODS = ("GET", "POST", "PUT", "DELETE")


@dataclass
class _Wanted:
    """What ``$http_req(...)`` asks of the next request."""

    headers: list[str] = field(default_factory=list)
    body: str | None = None
    method: str = ""
    suspend: bool = True
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Answer:
    """What a callback is told."""

    id: str
    response: HttpResponse | None = None
    error: str = ""
    xdata: str | None = None


class HttpAsyncClient(Module):
    name = "http_async_client"

    workers = Param(1, "no effect: requests are made in threads: int")
    connection_timeout = Param(500, "milliseconds until an answer must be complete: int")
    hash_size = Param(2048, "no effect: int")
    tls_version = Param(0, "lowest version of TLS, see http_client:tlsversion: int")
    tls_verify_host = Param(2, "0: a certificate for any host will do: int")
    tls_verify_peer = Param(1, "0: any certificate will do: int")
    curl_verbose = Param(0, "1: requests and status codes are logged: int")
    curl_follow_redirect = Param(0, "1: follow redirects: int")
    memory_manager = Param("shm", "no effect: str")
    tls_client_cert = Param("", "file of a TLS client certificate: str")
    tls_client_key = Param("", "file of its key: str")
    tls_ca_path = Param("", "folder with the certificates that are trusted: str")
    tcp_keepalive = Param(0, "only its default: connections are not kept: int")
    tcp_ka_idle = Param(0, "only its default: int")
    tcp_ka_interval = Param(0, "only its default: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._client = HttpClient()
        self._options = HttpOptions()

    def start(self) -> None:
        for name in ("tcp_keepalive", "tcp_ka_idle", "tcp_ka_interval"):
            if getattr(self, name):
                raise ParamError(f"modparam http_async_client:{name} can only be 0 here; leave it out")
        if self.connection_timeout < 1:
            raise ParamError("modparam http_async_client:connection_timeout expects milliseconds from 1")
        if self.tls_version in (2, 3) or not 0 <= self.tls_version <= 7:
            raise ParamError(f"modparam http_async_client:tls_version can be 0, 1, 4 to 7, got {self.tls_version}")
        self._options = HttpOptions(
            timeout=self.connection_timeout / 1000,
            user_agent=self.proxy.user_agent_header.partition(":")[2].strip(),
            follow=bool(self.curl_follow_redirect),
            verify_host=bool(self.tls_verify_host),
            verify_peer=bool(self.tls_verify_peer),
            client_cert=self.tls_client_cert,
            client_key=self.tls_client_key,
            capath=self.tls_ca_path,
            tls_version=self.tls_version,
        )

    def stop(self) -> None:
        self._client.close()

    @export
    def query(self, run: Run, sdata: str, rn: str) -> int:
        """Ask the URL ``sdata``; the callback ``rn`` runs with the answer. 0 with a transaction, which waits until
        then: the script should end; 1 without, -1 an error."""
        return self._ask(run, sdata, rn, True)

    @export
    def send(self, run: Run, sdata: str, rn: str) -> int:
        """Ask a URL, no transaction waiting; the callback ``rn`` runs with the answer: 1, -1.

        Kamailio 6.2 and later.
        """
        return self._ask(run, sdata, rn, False)

    @export
    def send_xdata(self, run: Run, sdata: str, rn: str, xdata: str) -> int:
        """``send`` with a text that the callback finds in $http_xdata (Kamailio 6.2 and later)."""
        return self._ask(run, sdata, rn, False, xdata)

    def _ask(self, run: Run, sdata: str, rn: str, may_suspend: bool, xdata: str | None = None) -> int:
        wanted = run.msg.extra.pop(_WANTED, None)
        if not isinstance(wanted, _Wanted):
            wanted = _Wanted()
        proxy = self.proxy
        if not sdata or not rn:
            log.error("http_async_client: query() expects a URL and the name of a callback")
            return -1
        number = f"{proxy.random.getrandbits(64):016x}-{proxy.counters['http_async_client:requests']}"
        run.msg.extra[_ANSWER] = _Answer(number, xdata=xdata)
        t = run.t if wanted.suspend and may_suspend else None
        if t is not None and (t.engine is None or suspend.suspend(t.engine, run) < 0):
            log.error("http_async_client: the transaction cannot be suspended")
            return -1
        proxy.count("http_async_client:requests")
        method = wanted.method or ("GET" if wanted.body is None else "POST")
        if self.curl_verbose:
            log.info("http_async_client: %s %s", method, sdata)
        if not proxy.sandbox:
            options = replace(self._options, **wanted.options)
            proxy.tasks.background(
                lambda: self._client.request(method, sdata, wanted.body, wanted.headers, options),
                partial(self._done, number, sdata, rn, (t.id_index, t.id_label) if t is not None else None, xdata),
            )
        return 0 if t is not None else 1

    def _done(
        self, number: str, url: str, name: str, t: tuple[int, int] | None, xdata: str | None,
        response: HttpResponse | None, error: Any,
    ) -> None:  # fmt: skip
        proxy = self.proxy
        answer = _Answer(number, response, xdata=xdata)
        if response is None:
            answer.error = curl_error(error.code) if isinstance(error, HttpError) else str(error)
            timeout = isinstance(error, HttpError) and error.code == TIMEOUT
            proxy.count("http_async_client:timeouts" if timeout else "http_async_client:errors")
            log.warning("http_async_client: %s: %s", url, error)
        else:
            proxy.count("http_async_client:replies")
        proxy.event(partial(self._call, name, t, answer), "answer of HTTP")

    def _call(self, name: str, t: tuple[int, int] | None, answer: _Answer) -> None:
        proxy = self.proxy
        if t is not None:
            engine = proxy.modules.tm.engine
            found = engine.find(*t)
            if found is not None:
                found.msg.extra[_ANSWER] = answer
            suspend.resume(engine, *t, name, _EVENT)
            return
        script = proxy.script
        if script is None or not script.has(name):
            log.error("http_async_client: the script has no callback %r", name)
            return
        run = proxy.fake_run()
        run.msg.extra[_ANSWER] = answer
        script.call(run, name, _EVENT)


# -- variables --------------------------------------------------------------------------------------------------------


def _answer(run: Run) -> _Answer | None:
    found = run.msg.extra.get(_ANSWER)
    return found if isinstance(found, _Answer) else None


def _response(run: Run) -> HttpResponse | None:
    found = _answer(run)
    return found.response if found is not None else None


@pv("http_req_id")
def http_req_id(run: Run) -> Value:
    """The number of the request that was made, or that the callback is about."""
    found = _answer(run)
    return found.id if found is not None else None


@pv("http_xdata")
def http_xdata(run: Run) -> Value:
    """The text that send_xdata was given."""
    found = _answer(run)
    return found.xdata if found is not None else None


@pv("http_ok")
def http_ok(run: Run) -> Value:
    """1 when there is an answer, whatever its status; 0 when there is none."""
    found = _answer(run)
    return None if found is None else int(found.response is not None)


@pv("http_err")
def http_err(run: Run) -> Value:
    """Why there is no answer; null when there is one."""
    found = _answer(run)
    return found.error or None if found is not None else None


@pv("http_rs")
def http_rs(run: Run) -> Value:
    """The status code of the answer."""
    found = _response(run)
    return found.code if found is not None else None


@pv("http_rr")
def http_rr(run: Run) -> Value:
    """The reason phrase of the answer."""
    found = _response(run)
    return found.reason if found is not None else None


@pv("http_rb")
def http_rb(run: Run) -> Value:
    """The body of the answer."""
    found = _response(run)
    return found.body if found is not None else None


@pv("http_bs")
def http_bs(run: Run) -> Value:
    """The length of the answer's body."""
    found = _response(run)
    return len(found.body) if found is not None else None


def _whole(response: HttpResponse) -> str:
    lines = [f"HTTP/1.1 {response.code} {response.reason}", *(f"{name}: {value}" for name, value in response.headers)]
    return "\r\n".join(lines) + "\r\n\r\n" + response.body


@pv("http_mb")
def http_mb(run: Run) -> Value:
    """The whole answer, with its header fields."""
    found = _response(run)
    return _whole(found) if found is not None else None


@pv("http_ml")
def http_ml(run: Run) -> Value:
    """The length of the whole answer."""
    found = _response(run)
    return len(_whole(found)) if found is not None else None


@pv_class("http_hdr")
def _http_hdr(spec: Spec) -> Accessor:
    """``$http_hdr(name)``, ``$(http_hdr(name)[n])``: a header field of the answer, the n-th of that name."""
    name = (spec.inner or "").strip().lower()
    if not name:
        raise PvError("$http_hdr expects the name of a header field", str(spec))
    try:
        at = int(spec.index or 0)
    except ValueError:
        raise PvError(f"the index of $http_hdr is a number, got {spec.index!r}", str(spec)) from None

    def get(run: Run) -> Value:
        response = _response(run)
        values = [value for key, value in response.headers if key.lower() == name] if response is not None else []
        return values[at] if -len(values) <= at < len(values) else None

    return Accessor(spec, get)


_OPTIONS = {
    "timeout": ("timeout", int),
    "tls_client_cert": ("client_cert", str),
    "tls_client_key": ("client_key", str),
    "tls_ca_path": ("capath", str),
    "authmethod": ("auth", int),
    "username": ("username", str),
    "password": ("password", str),
    "follow_redirect": ("follow", int),
}


@pv_class("http_req")
def _http_req(spec: Spec) -> Accessor:
    """``$http_req(key)``: what the next query asks for: hdr, body, method, timeout (ms), suspend, username ..., all."""
    key = (spec.inner or "").strip()
    plain = ("all", "hdr", "body", "method", "suspend")
    if key not in plain and key not in _OPTIONS:
        raise PvError(f"$http_req expects one of {', '.join((*plain, *_OPTIONS))}, got {key!r}", str(spec))

    def put(run: Run, value: Value) -> None:
        found = run.msg.extra.get(_WANTED)
        wanted = found if isinstance(found, _Wanted) else _Wanted()
        run.msg.extra[_WANTED] = wanted
        if key == "all":
            if value is None:
                del run.msg.extra[_WANTED]
        elif key == "hdr":
            if isinstance(value, str):
                wanted.headers.append(value)
        elif key == "body":
            wanted.body = None if value is None else str(value)
        elif key == "method":
            if value is not None and value not in _METHODS:
                raise PvError(f"expected one of {', '.join(_METHODS)}, got {value!r}", str(spec))
            wanted.method = str(value or "")
        elif key == "suspend":
            wanted.suspend = value is None or bool(_number(value, spec))
        else:
            name, kind = _OPTIONS[key]
            if value is None:
                wanted.options.pop(name, None)
            elif kind is str:
                wanted.options[name] = str(value)
            else:
                number = _number(value, spec)
                wanted.options[name] = number / 1000 if key == "timeout" else number

    return Accessor(spec, lambda run: None, put)


def _number(value: Value, spec: Spec) -> int:
    if not isinstance(value, int):
        raise PvError(f"expected a number, got {value!r}", str(spec))
    return value
