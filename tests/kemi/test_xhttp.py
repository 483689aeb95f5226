"""xhttp: what Kamailio 5.6.3 sent to HTTP requests, byte by byte, and the same requests on ours."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ksrcore.assemble import load_script, make_proxy
from ksrcore.capture.where import compile_where
from ksrcore.debug.sandbox import Sandbox, SandboxError
from ksrcore.kemi.declare import ParamError
from ksrcore.net.address import SND_CLOSE, Dest, Listen, Rcv
from ksrcore.run import EVENT_ROUTE

TCP = Listen("tcp", "127.0.0.1", 5060)
SIA = "Sia: SIP/2.0/TCP 127.0.0.1:40001\n"

# What the body of a request to /eval says is done; ``found`` is what it left in ``r``.
SCRIPT = """
import KSR
found = []
def ksr_request_route(msg):
    result = KSR.xhttp.xhttp_reply(200, "OK", "text/plain", "b")
    found.append(("request", KSR.xhttp.get_hu(), KSR.pv.get("$hu"), result))
    return 1
def ksr_xhttp_event(msg, evname):
    found.append(evname)
    if "/eval" in KSR.pv.get("$hu"):
        scope = {"KSR": KSR}
        exec(KSR.pv.get("$rb"), scope)
        found.append(scope.get("r"))
    else:
        found.append(KSR.xhttp.xhttp_reply(200, "OK", "text/plain", "hello"))
    return 1
"""


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """A loaded script is a module of the process: gone with its test."""
    yield
    for name in ("routes", "KSR"):
        sys.modules.pop(name, None)


class Server:
    def __init__(self, folder: Path, *modparams: str, script: str = SCRIPT) -> None:
        path = folder / "routes.py"
        path.write_text(script)
        self.sent: list[tuple[Dest, str]] = []
        self.proxy, ksr = make_proxy(
            transmit=self._transmit, listens=[TCP], modparams=modparams or ("xhttp:event_callback=ksr_xhttp_event",)
        )
        self.script: Any = load_script(str(path), self.proxy, ksr)

    def _transmit(self, data: bytes, dest: Dest) -> bool:
        self.sent.append((dest, data.decode("latin-1")))
        return True

    @property
    def found(self) -> list[Any]:
        found: list[Any] = self.script.module.found
        return found

    @property
    def server(self) -> str:
        return self.proxy.server_header + "\n"

    def feed(self, data: str | bytes, proto: str = "tcp") -> list[str]:
        """What was sent because of it, line ends as bare line feeds."""
        self.sent.clear()
        self.found.clear()
        raw = data if isinstance(data, bytes) else data.replace("\n", "\r\n").encode()
        self.proxy.receive(raw, Rcv(proto, "127.0.0.1", 40001, "127.0.0.1", 5060, TCP, 7), 1.0)
        return [text.replace("\r\n", "\n") for _, text in self.sent]

    def run(self, code: str, url: str = "/eval") -> list[str]:
        head = f"POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(code.encode())}\r\n\r\n"
        return self.feed(head.encode() + code.encode())

    def value(self, expression: str, url: str = "/eval") -> Any:
        self.run(f"r = {expression}", url)
        return self.found[1]


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def get(url: str, extra: str = "", version: str = "HTTP/1.1", method: str = "GET") -> str:
    return f"{method} {url} {version}\nHost: x\n{extra}\n"


def hello(server: Server, version: str = "HTTP/1.1") -> str:
    return f"{version} 200 OK\n{SIA}Content-Type: text/plain\n{server.server}Content-Length: 5\n\nhello"


# -- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "version", ["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.2", "HTTP/1.", "HTTP/2", "HTTP/1.1x", "http/1.1"]
)
def test_versions_answered(server: Server, version: str) -> None:
    assert server.feed(get("/a", version=version)) == [hello(server, version)]
    assert server.found == ["xhttp:request", 0]
    assert (server.sent[0][0].conid, server.sent[0][0].flags) == (7, 0)


@pytest.mark.parametrize("version", ["HTTP/0.9", "HTTP/1", "HTTP/", "HTTP/11", "HTTP/3.0", "HTTP/A.B", "HTTQ/1.1"])
def test_versions_ignored(server: Server, version: str) -> None:
    assert server.feed(get("/a", version=version)) == []
    assert server.found == []


@pytest.mark.parametrize(
    "text",
    [
        "GET /a HTTP/1.1\nVia: 1.1 proxy\nHost: x\n\n",
        "GET /a HTTP/1.1\nVia: SIP/2.0/TCP 1.2.3.4:99;branch=z9\nHost: x\n\n",
        "GET /a HTTP/1.1\nHost: x\n y\n\n",
        "OPTIONS * HTTP/1.1\nHost: x\n\n",
        "INVITE sip:a@b HTTP/1.1\nHost: x\n\n",
        "GET /a HTTP/1.1\nHost: x\nUpgrade: websocket\nConnection: Upgrade\n\n",
    ],
)
def test_requests_answered(server: Server, text: str) -> None:
    assert server.feed(text) == [hello(server)]


def test_bare_line_feeds(server: Server) -> None:
    assert server.feed(b"GET /a HTTP/1.1\nHost: x\n\n") == [hello(server)]


@pytest.mark.parametrize("line", ["GET /a", "GET /a b HTTP/1.1", "GET  /a HTTP/1.1", "HTTP/1.1 200 OK"])
def test_no_request_line(server: Server, line: str) -> None:
    assert server.feed(f"{line}\nHost: x\n\n") == []
    (record,) = server.proxy.recorder
    assert record.error


@pytest.mark.parametrize("line", ["Host x", ": x"])
def test_a_broken_header_field_is_answered_and_the_connection_closed(server: Server, line: str) -> None:
    (text,) = server.feed(f"GET /a HTTP/1.1\n{line}\nFoo: y\n\n")
    assert text == f"HTTP/1.1 400 Bad Request\n{SIA}{server.server}Content-Length: 0\n\n"
    assert server.sent[0][0].flags & SND_CLOSE
    assert server.found == []


def test_header_fields_of_sip_are_repeated(server: Server) -> None:
    (text,) = server.feed(
        "GET /a HTTP/1.1\nHost: x\nFrom: <sip:user@host>;tag=1\nTo: <sip:x>\nCSeq: 1 GET\nCall-ID: z\nTimestamp: 5\n"
        "Record-Route: <sip:x;lr>\n\n"
    )
    head, _, rest = text.partition("To: <sip:x>;tag=")
    assert head == f"HTTP/1.1 200 OK\n{SIA}From: <sip:user@host>;tag=1\n"
    assert rest.partition("\n")[2].startswith(
        "CSeq: 1 GET\nCall-ID: z\nRecord-Route: <sip:x;lr>\nContent-Type: text/plain\n"
    )


# -- what is not taken ------------------------------------------------------------------------------------------------


def test_without_callback_nothing_answers(tmp_path: Path) -> None:
    server = Server(tmp_path, "sl:bind_tm=1")
    assert server.feed(get("/a")) == []
    assert server.found == []


def test_over_udp_nothing_answers(server: Server) -> None:
    assert server.feed(get("/a"), "udp") == []
    assert server.found == []


def test_skipped_and_matched_urls(tmp_path: Path) -> None:
    server = Server(
        tmp_path, "xhttp:event_callback=ksr_xhttp_event", "xhttp:url_skip=^/skip", "xhttp:url_match=^/(a|skip|.*ok)"
    )
    answered = [url for url in ("/a", "/skip", "/b", "/xok", "/A", "/skip/ok") if server.feed(get(url))]
    assert answered == ["/a", "/xok"]


def test_a_pattern_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="xhttp:url_skip expects a regular expression"):
        Server(tmp_path, "xhttp:url_skip=(")


def test_a_callback_the_script_has_not(tmp_path: Path) -> None:
    server = Server(tmp_path, "xhttp:event_callback=nowhere")
    assert server.feed(get("/a")) == []
    (record,) = server.proxy.recorder
    assert "nowhere" in record.error


# -- replies ----------------------------------------------------------------------------------------------------------

REPLY = "KSR.xhttp.xhttp_reply"


@pytest.mark.parametrize(
    ("call", "first", "fields", "body"),
    [
        ('(200, "OK", "", "")', "200 OK", "", ""),
        ('(200, "OK", "text/html", "")', "200 OK", "Content-Type: text/html\n", ""),
        ('(200, "OK", "", "body")', "200 OK", "", "body"),
        ('(200, "", "text/plain", "x")', "200 ", "Content-Type: text/plain\n", "x"),
        ('(0, "OK", "text/plain", "x")', "000 OK", "Content-Type: text/plain\n", "x"),
        ('(99, "OK", "text/plain", "x")', "099 OK", "Content-Type: text/plain\n", "x"),
        ('(700, "OK", "text/plain", "x")', "700 OK", "Content-Type: text/plain\n", "x"),
        ('(302, "Found", "text/plain", "x")', "302 Found", "Content-Type: text/plain\n", "x"),
        ('(200, "OK\\r\\nX: y", "text/plain", "x")', "200 OK\nX: y", "Content-Type: text/plain\n", "x"),
        ('(200, "OK", "text/plain", "h\u00e9")', "200 OK", "Content-Type: text/plain\n", "h\xc3\xa9"),
    ],
)
def test_replies(server: Server, call: str, first: str, fields: str, body: str) -> None:
    sent = server.run(f"r = {REPLY}{call}")
    assert sent == [f"HTTP/1.1 {first}\n{SIA}{fields}{server.server}Content-Length: {len(body)}\n\n{body}"]
    assert server.found[1] == 0


@pytest.mark.parametrize("code", [-5, 1000])
def test_a_code_that_has_not_three_digits_is_refused(server: Server, code: int) -> None:
    # Kamailio sends its last three digits, or nonsense.
    assert server.run(f'r = {REPLY}({code}, "OK", "", "")') == []
    assert server.found[1] == -1


def test_header_fields_of_the_script(server: Server) -> None:
    code = 'KSR.hdr.append_to_reply("Location: /x\\r\\n")\nKSR.hdr.append_to_reply("X-B: 1\\r\\n")\n'
    (text,) = server.run(code + f'r = {REPLY}(301, "Moved", "text/plain", "x")')
    fields = "Location: /x\nX-B: 1\nContent-Type: text/plain\n"
    assert text == f"HTTP/1.1 301 Moved\n{SIA}{fields}{server.server}Content-Length: 1\n\nx"


def test_a_redirect_carries_the_new_uri(server: Server) -> None:
    (text,) = server.run(f'KSR.seturi("sip:q@r")\nr = {REPLY}(302, "Found", "text/plain", "x")')
    fields = "Content-Type: text/plain\nContact: <sip:q@r>\n"
    assert text == f"HTTP/1.1 302 Found\n{SIA}{fields}{server.server}Content-Length: 1\n\nx"


def test_the_connection_is_closed_when_the_script_says_so(server: Server) -> None:
    server.run(f'KSR.set_reply_close()\nKSR.set_reply_no_connect()\nr = {REPLY}(200, "OK", "", "")')
    assert server.sent[0][0].flags & SND_CLOSE


def test_one_body_a_request(server: Server) -> None:
    assert len(server.run(f'r = {REPLY}(200, "OK", "a/b", "x"), {REPLY}(201, "OK", "a/b", "y")')) == 1
    assert server.found[1] == (0, -1)
    assert server.run(f'KSR.textops.set_reply_body("b", "text/q")\nr = {REPLY}(200, "OK", "text/plain", "x")') == []
    assert server.found[1] == -1
    sent = server.run(f'r = {REPLY}(200, "OK", "text/html", ""), {REPLY}(201, "OK", "text/plain", "y")')
    assert server.found[1] == (0, 0)
    types = "Content-Type: text/html\nContent-Type: text/plain\n"
    assert sent[1] == f"HTTP/1.1 201 OK\n{SIA}{types}{server.server}Content-Length: 1\n\ny"


def test_replies_of_sl(server: Server) -> None:
    sent = server.run('r = KSR.sl.send_reply(404, "Not here")')
    assert sent == [f"HTTP/1.1 404 Not here\n{SIA}{server.server}Content-Length: 0\n\n"]
    assert server.found[1] == 1
    assert server.run('r = KSR.sl.sl_send_reply(700, "OK")')[0].startswith("HTTP/1.1 700 OK\n")


def test_to_a_sip_request(server: Server) -> None:
    (text,) = server.feed(
        "OPTIONS sip:xh@127.0.0.1 SIP/2.0\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKx\nFrom: <sip:a@b>;tag=1\n"
        "To: <sip:a@b>;tag=2\nCall-ID: 1\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n"
    )
    assert text.startswith("SIP/2.0 200 OK\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKx\n")
    assert text.endswith(f"Content-Type: text/plain\n{server.server}Content-Length: 1\n\nb")
    assert server.found == [("request", "sip:xh@127.0.0.1", "sip:xh@127.0.0.1", 0)]


# -- what the callback sees -------------------------------------------------------------------------------------------


def test_pseudo_variables(server: Server) -> None:
    body = (
        'r = {n: KSR.pv.get(n) for n in """$hu $rm $ru $rU $rd $ou $bs $cl $si $sp $Ri $Rp $pr $ci $cs $fu $tu $cT $rs '
        '$rr $mt $ua $rv $du $hdr(Host) $hdr(Via) $hdrc(Via) $(hu{url.path}) $(hu{url.querystring})""".split()}'
    )
    server.feed(
        f"POST /eval/x?a=b&c=d#f HTTP/1.1\nHost: x\nContent-Length: {len(body)}\nContent-Type: text/x\n"
        f"User-Agent: UA/1\nVia: 1.0 fred\n\n{body}"
    )
    expected = {
        "$hu": "/eval/x?a=b&c=d#f", "$rm": "POST", "$ru": None, "$rU": None, "$rd": None, "$ou": None,
        "$bs": len(body), "$cl": len(body), "$si": "127.0.0.1", "$sp": 40001, "$Ri": "127.0.0.1", "$Rp": 5060,
        "$pr": "tcp", "$ci": None, "$cs": None, "$fu": None, "$tu": None, "$cT": "text/x", "$rs": None, "$rr": None,
        "$mt": 1, "$ua": "UA/1", "$rv": "HTTP/1.1", "$du": None, "$hdr(Host)": "x",
        "$hdr(Via)": "SIP/2.0/TCP 127.0.0.1:40001", "$hdrc(Via)": 1,
        "$(hu{url.path})": "/eval/x", "$(hu{url.querystring})": "a=b&c=d#f",
    }  # fmt: skip
    assert server.found[1] == expected


def test_the_message_as_text(server: Server) -> None:
    body = 'r = KSR.pv.get("$mb")'
    server.feed(f"POST /eval HTTP/1.1\nHost: x\nContent-Length: {len(body)}\n\n{body}")
    assert server.found[1].replace("\r\n", "\n") == (
        f"POST /eval HTTP/1.1\nVia: SIP/2.0/TCP 127.0.0.1:40001\nHost: x\nContent-Length: {len(body)}\n\n{body}"
    )


def test_conditions(server: Server) -> None:
    names = ("is_GET", "is_POST", "is_PUT", "is_DELETE", "is_OPTIONS", "is_TCP", "is_IPv4", "is_UDP")
    for method in ("GET", "POST", "PUT", "DELETE"):
        body = f"r = [n for n in {names} if getattr(KSR, n)()]"
        server.feed(f"{method} /eval HTTP/1.1\nHost: x\nContent-Length: {len(body)}\n\n{body}")
        assert server.found[1] == [f"is_{method}", "is_TCP", "is_IPv4"]
    assert server.value(
        'KSR.is_method("POST"), KSR.is_method("GET"), KSR.is_myself_suri(), KSR.is_myself_ruri(), KSR.isdsturiset(),'
        ' KSR.hdr.is_present("Host") > 0, KSR.hdr.append("X-A: b\\r\\n"), KSR.hdr.remove("Host")'
    ) == (True, False, False, False, False, True, 1, 1)


def test_the_urls_parts(server: Server) -> None:
    def parts(url: str) -> tuple[str, str]:
        get = 'KSR.pv.get("$(var(a){url.%s})")'
        found: tuple[str, str] = server.value(
            f'KSR.pv.sets("$var(a)", "{url}"), {get % "path"}, {get % "querystring"}'
        )[1:]
        return found

    assert parts("/a/b?c=d") == ("/a/b", "c=d")
    assert parts("/x?") == ("/x", "")
    assert parts("?x") == ("", "x")
    assert parts("http://h:1/p?q#f") == ("http://h:1/p", "q#f")
    assert parts("/a?b?c") == ("/a", "b?c")


def test_changing_the_uri(server: Server) -> None:
    assert server.value(
        'KSR.setuser("x"), KSR.sethost("y"), KSR.pv.get("$ru"), KSR.seturi("sip:a@b"), KSR.pv.get("$ru"), '
        'KSR.pv.get("$hu"), KSR.xhttp.get_hu()'
    ) == (False, False, None, True, "sip:a@b", "/eval", "/eval")


@pytest.mark.parametrize(
    "call", ["KSR.tm.t_newtran()", "KSR.tm.t_relay()", "KSR.forward()", "KSR.registrar.save('x', 0)"]
)
def test_what_routes_sip_fails(server: Server, call: str) -> None:
    assert server.value(call) < 0
    assert server.sent == []


# -- exceptions, the recorder, sandboxes ------------------------------------------------------------------------------


def test_an_exception_is_a_500(server: Server) -> None:
    assert server.run("1 / 0") == [f"HTTP/1.1 500 Server Internal Error\n{SIA}{server.server}Content-Length: 0\n\n"]
    record = server.proxy.recorder.records[0]
    assert isinstance(record.runs[0].exception, ZeroDivisionError)
    assert len(server.run(f'{REPLY}(200, "OK", "", "")\n1 / 0')) == 1


def test_an_exception_without_reply(tmp_path: Path) -> None:
    server = Server(tmp_path, "xhttp:event_callback=ksr_xhttp_event", "sl:exception_reply_code=0")
    assert server.run("1 / 0") == []


def test_an_exit_is_silent(server: Server) -> None:
    assert server.run("raise SystemExit") == []


def test_the_recorder_keeps_it_as_it_came(server: Server) -> None:
    text = get("/a?b", "User-Agent: curl\n")
    server.feed(text)
    came, left = server.proxy.recorder
    assert came.data == text.replace("\n", "\r\n")
    assert (came.sent, left.cause, left.out) == ((left.id,), came.id, True)
    (run,) = came.runs
    assert (run.callback, run.route, run.result) == ("ksr_xhttp_event", EVENT_ROUTE, 1)
    assert came.msg is not None and (came.msg.method, came.msg.ruri) == ("GET", "/a?b")
    assert left.msg is not None and (left.msg.is_request, left.msg.status, left.msg.reason) == (False, 200, "OK")
    assert compile_where("method == 'GET' and hu == '/a?b' and hdr('user-agent') == 'curl'")(came, server.proxy)


def test_in_a_sandbox(server: Server) -> None:
    server.feed(get("/a"))
    came, left = server.proxy.recorder
    box = Sandbox(server.proxy, came)
    xhttp: Any = box.proxy.modules["xhttp"]
    assert xhttp.xhttp_reply(box.run, 200, "OK", "", "x") == 0
    assert box.run.route == EVENT_ROUTE
    assert box.sent[0][1].startswith("HTTP/1.1 200 OK\r\nSia: ")
    with pytest.raises(SandboxError, match="request of HTTP"):
        Sandbox(server.proxy, left)


def test_hostile_requests_never_raise(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(1)
    good = get("/a", "Via: 1.1 x\nContent-Length: 3\nFrom: x\nTo: y\nCSeq: 1 GET\nCall-ID: 1\n").encode() + b"abc"
    for _ in range(2000):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(data))
            data[at : at + rng.randrange(3)] = rng.choice(
                [b"", b"\r\n", b":", b"\0", b"\xff", b" ", b"\n", b"HTTP/1.1", b"SIP/2.0"]
            )
        server.feed(bytes(data))
    assert not [r for r in caplog.records if "Traceback" in r.getMessage()]
    for record in server.proxy.recorder:
        assert not any(run.exception is not None for run in record.runs)
        assert record.msg is None or record.msg.http or "SIP/2.0" in record.data
