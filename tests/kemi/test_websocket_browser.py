"""A browser's WebSocket against ``ksrshell serve``: it registers, and is called from a telephone with UDP."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ksrshell import connect
from lab.child import die_with_parent
from lab.needs import need
from lab.ports import free_port

SCRIPT = Path(__file__).parent.parent / "lab" / "scripts" / "webrtc.py"

#: In the page: ``open(url)``, ``send(text)``, ``next()`` for the next message.
PAGE = """
window.came = []; window.waiting = [];
window.start = (url, protocol) => new Promise((done, failed) => {
    const ws = window.ws = new WebSocket(url, protocol);
    ws.onopen = () => done(ws.protocol);
    ws.onerror = () => failed("no connection");
    ws.onclose = event => give("closed " + event.code);
    ws.onmessage = event => give(event.data);
});
window.give = text => { const first = waiting.shift(); first ? first(text) : came.push(text); };
window.next = () => new Promise(done => came.length ? done(came.shift()) : waiting.push(done));
"""

REGISTER = """REGISTER sip:example.com SIP/2.0\r
Via: SIP/2.0/WS b7.invalid;branch=z9hG4bKr1\r
From: <sip:bob@example.com>;tag=b\r
To: <sip:bob@example.com>\r
Call-ID: register\r
CSeq: 1 REGISTER\r
Max-Forwards: 70\r
Contact: <sip:bob@b7.invalid;transport=ws>;expires=60\r
Content-Length: 0\r
\r
"""

INVITE = """INVITE sip:bob@example.com SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKi1\r
From: <sip:alice@example.com>;tag=a\r
To: <sip:bob@example.com>\r
Call-ID: call\r
CSeq: 1 INVITE\r
Max-Forwards: 70\r
Contact: <sip:alice@127.0.0.1:{port}>\r
Content-Length: 0\r
\r
"""


@contextmanager
def serve(folder: Path, port: int) -> Iterator[Path]:
    """``ksrshell serve`` with the script on UDP and TCP; gives its control socket."""
    command = [sys.executable, "-m", "ksrshell", "serve", str(SCRIPT), "--db", f"sqlite:///{folder}/db"]
    command += ["--listen", f"udp:127.0.0.1:{port}", "--listen", f"tcp:127.0.0.1:{port}", "--alias", "example.com"]
    for param in (
        "core:tcp_accept_no_cl=yes",
        "xhttp:event_callback=ksr_xhttp_event",
        "websocket:event_callback=ksr_websocket_event",
        "nathelper:received_avp=$avp(received)",
        "registrar:received_avp=$avp(received)",
    ):
        command += ["--modparam", param]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--control", str(folder / "c")],
            stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=die_with_parent,
        )  # fmt: skip
    try:
        assert process.stdout is not None and process.stdout.readline().startswith("ready")
        yield folder / "c"
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def reply(request: str, code: str, extra: str = "") -> str:
    lines = request.split("\r\n")
    kept = [line for line in lines[1:] if line.partition(":")[0] in ("Via", "Record-Route", "From", "Call-ID", "CSeq")]
    to = next(line for line in lines if line.startswith("To:"))
    return "\r\n".join([f"SIP/2.0 {code}", *kept, f"{to};tag=bob", *([extra] if extra else []), "", ""])


def header(text: str, name: str) -> list[str]:
    return [line.partition(": ")[2] for line in text.split("\r\n") if line.startswith(f"{name}:")]


def test_a_browser(tmp_path: Path) -> None:
    need("chromium", "chromium")
    from playwright.sync_api import Error, sync_playwright

    from lab.browser import chromium

    port = free_port()
    with serve(tmp_path, port) as control, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        try:
            page = browser.new_page()
            page.evaluate(f"() => {{{PAGE}}}")
            with pytest.raises(Error, match="no connection"):
                page.evaluate("url => start(url, 'msrp')", f"ws://127.0.0.1:{port}/")
            page.evaluate("() => { came = []; }")
            assert page.evaluate("url => start(url, 'sip')", f"ws://127.0.0.1:{port}/") == "sip"
            page.evaluate("text => ws.send(text)", REGISTER)
            answer = page.evaluate("() => next()")
            assert answer.startswith("SIP/2.0 200 OK\r\nVia: SIP/2.0/WS b7.invalid;")
            (contact,) = header(answer, "Contact")
            assert contact.startswith("<sip:bob@b7.invalid;transport=ws>;expires=60;received=")

            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone, connect(str(control)) as proxy:
                phone.settimeout(5)
                phone.bind(("127.0.0.1", 0))
                own = phone.getsockname()[1]
                phone.sendto(INVITE.format(port=own).encode(), ("127.0.0.1", port))
                invite = page.evaluate("() => next()")
                assert invite.startswith("INVITE sip:bob@b7.invalid;transport=ws SIP/2.0\r\n")
                assert header(invite, "Via")[0].startswith(f"SIP/2.0/WS  127.0.0.1:{port};branch=")
                ok = reply(invite, "200 OK", "Contact: <sip:bob@b7.invalid;transport=ws>")
                page.evaluate("text => ws.send(text)", ok)
                while not (ok := phone.recv(9999).decode()).startswith("SIP/2.0 200"):
                    pass
                (target,) = header(ok, "Contact")
                assert target.startswith("<sip:bob@b7.invalid;alias=127.0.0.1~")
                assert target.endswith("~5;transport=ws>")
                routes = "".join(f"Route: {route}\r\n" for route in reversed(header(ok, "Record-Route")))
                ack = INVITE.format(port=own).replace("INVITE sip:bob@example.com", f"ACK {target[1:-1]}")
                ack = ack.replace("1 INVITE", "1 ACK").replace("z9hG4bKi1", "z9hG4bKa1")
                ack = ack.replace("To: <sip:bob@example.com>", f"{routes}To: <sip:bob@example.com>;tag=bob")
                phone.sendto(ack.encode(), ("127.0.0.1", port))
                assert page.evaluate("() => next()").startswith("ACK sip:bob@b7.invalid;transport=ws SIP/2.0\r\n")
                found = proxy.msgs.where("proto == 'ws'")
                assert [m.method for m in found][:4] == ["REGISTER", "REGISTER", "INVITE", "INVITE"]
                (line,) = proxy.rpc("ws.dump")["connections"]
                proxy.rpc("ws.close", int(line.partition(":")[0]))
                assert page.evaluate("() => next()") == "closed 1000"
                assert proxy.rpc("ws.dump")["connections"] == []
        finally:
            browser.close()
