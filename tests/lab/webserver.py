"""An HTTP server for tests: what it answers depends on the path, ``got`` is what it was asked."""

from __future__ import annotations

import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: Path -> (status, body, header fields).
ANSWERS: dict[str, tuple[int, str, dict[str, str]]] = {
    "/lines": (200, "first\r\nsecond\r\n", {"Content-Type": "text/x-y"}),
    "/lf": (200, "first\nsecond\n", {}),
    "/empty": (200, "", {}),
    "/nl": (200, "\nabc", {}),
    "/big": (200, "x" * 1000, {}),
    "/redir": (302, "moved", {"Location": "/lf"}),
    "/hdr": (200, "h", {"X-One": "1", "X-Two": "two"}),
}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WebServer

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("latin-1")
        own = ("Host", "User-Agent")
        self.server.got.append([self.requestline, [list(x) for x in self.headers.items() if x[0] not in own], body])
        self.server.agents.add(self.headers.get("User-Agent", ""))
        path = self.path
        authorization = self.headers.get("Authorization", "")
        if path in ANSWERS:
            self.reply(*ANSWERS[path])
        elif path.startswith("/code/"):
            self.reply(int(path.split("/")[2]), "code body\nline two\n", {})
        elif path == "/slow":
            time.sleep(self.server.slow)
            self.reply(200, "slow", {})
        elif path.endswith("/basic"):
            code = 200 if authorization else 401
            self.reply(code, authorization or "no", {"WWW-Authenticate": 'Basic realm="x"'})
        elif path.endswith("/digest"):
            challenge = 'Digest realm="x", nonce="abc", qop="auth", algorithm=MD5'
            code = 200 if authorization else 401
            self.reply(code, authorization.split(" ")[0] or "no", {"WWW-Authenticate": challenge})
        elif path == "/close":
            self.close_connection = True
        elif path == "/garbage":
            self.wfile.write(b"hello\r\n\r\n")
            self.close_connection = True
        elif path == "/chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        elif path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"abc")
            self.close_connection = True
        else:
            self.reply(200, f"path {path}\nbody {body}", {})

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def reply(self, code: int, text: str, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode("latin-1"))

    def log_message(self, format: str, *args: Any) -> None:
        pass


class WebServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[list[Any]] = []
        self.agents: set[str] = set()
        self.slow = 2.0
        scheme = "http"
        if context is not None:
            scheme = "https"
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self.server_address[1]}"

    def take(self) -> list[list[Any]]:
        got = self.got[:]
        self.got.clear()
        return got

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # the client went away


@contextmanager
def webserver(context: ssl.SSLContext | None = None) -> Iterator[WebServer]:
    server = WebServer(context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
