"""HTTP requests within a time limit: URLs, credentials, redirects, failures."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from ksrcore.net.httpclient import HttpClient, HttpError, HttpOptions, http_list, split_url
from lab.webserver import webserver


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h", "/"),
        ("http://h?x", "/?x"),
        ("h/a/./b/../c", "/a/c"),
        ("http://h/../..", "/"),
        ("https://u:p@h:1/a#b", "/a"),
    ],
)
def test_urls(url: str, target: str) -> None:
    parts = split_url(url)
    assert f"{parts.path}?{parts.query}" if parts.query else parts.path == target


@pytest.mark.parametrize(
    ("url", "code"),
    [("", 3), ("http://a b", 3), ("http://h:x/", 3), ("http://", 3), ("gopher://h", 1), ("http://[::1", 3)],
)
def test_no_urls(url: str, code: int) -> None:
    with pytest.raises(HttpError) as caught:
        split_url(url)
    assert caught.value.code == code


def test_fields() -> None:
    assert http_list('Realm="a, b", qop=auth , x="y"') == {"realm": "a, b", "qop": "auth", "x": "y"}
    assert http_list("nonsense") == {}


def test_a_post_that_is_redirected_becomes_a_get() -> None:
    with webserver() as server:
        answer = HttpClient().request("POST", f"{server.url}/redir", "x", [], HttpOptions(follow=True))
        assert (answer.code, answer.url) == (200, f"{server.url}/lf")
        assert [line for line, _, _ in server.got] == ["POST /redir HTTP/1.1", "GET /lf HTTP/1.1"]


def test_a_server_that_drips_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            sock, _ = listener.accept()
            with sock:
                try:
                    for char in b"HTTP/1.1 200 OK\r\nX-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":
                        sock.sendall(bytes([char]))
                        time.sleep(0.02)
                except OSError:
                    pass

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        started = time.monotonic()
        with pytest.raises(HttpError) as caught:
            HttpClient().request(
                "GET", f"http://127.0.0.1:{listener.getsockname()[1]}/", None, [], HttpOptions(timeout=0.15)
            )
        assert caught.value.code == 28 and time.monotonic() - started < 0.6
        thread.join(5)
