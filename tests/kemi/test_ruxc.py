"""KSR.ruxc: HTTP requests."""

from __future__ import annotations

from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from lab.sequence import Bench
from lab.webserver import webserver

STEP: dict[str, Any] = {}


def test_requests() -> None:
    with webserver() as server:
        bench = Bench()
        url = server.url
        calls = [
            f'KSR.ruxc.http_get("{url}/lf", "", "$var(r)")',
            'KSR.pv.get("$var(r)")',
            f'KSR.ruxc.http_get("{url}/code/500", "X-A: 1\\r\\nX-B: 2", "$var(r)")',
            'KSR.pv.get("$var(r)")',
            f'KSR.ruxc.http_post("{url}/p", "some", "Content-Type: text/x", "$var(r)")',
            f'KSR.ruxc.http_post("{url}/p", "some", "", "$var(r)")',
            f'KSR.ruxc.http_delete("{url}/p", "", "", "$var(r)")',
            'KSR.ruxc.http_get("http://127.0.0.1:1/", "", "$var(r)")',
            f'KSR.ruxc.http_get("{url}/p", "", "$ci")',
            f'KSR.ruxc.http_get("{url}/p", "", "nonsense")',
        ]
        results, _ = bench.request(STEP, calls)
        text = "code body\nline two\n"
        assert results == [200, "first\nsecond\n", 500, text, 200, 200, 200, -1, -1, -1]
        got = [(line, [h for h in headers if h[0] != "Accept"], body) for line, headers, body in server.got]
        assert got == [
            ("GET /lf HTTP/1.1", [], ""),
            ("GET /code/500 HTTP/1.1", [["X-A", "1"], ["X-B", "2"]], ""),
            ("POST /p HTTP/1.1", [["Content-Type", "text/x"], ["Content-Length", "4"]], "some"),
            ("POST /p HTTP/1.1", [["Content-Length", "4"], ["Content-Type", "text/plain; charset=utf-8"]], "some"),
            ("DELETE /p HTTP/1.1", [], ""),
        ]  # fmt: skip


def test_time_and_retries() -> None:
    with webserver() as server:
        server.slow = 0.3
        bench = Bench(["ruxc:http_timeout=50", "ruxc:http_retry=1"])
        assert bench.request(STEP, [f'KSR.ruxc.http_get("{server.url}/slow", "", "$var(r)")'])[0] == [-1]
        assert len(server.got) == 2
    with pytest.raises(ParamError):
        Bench(["ruxc:http_timeout=0"])


def test_a_sandbox_asks_nobody() -> None:
    bench = Bench()
    run = bench.make(STEP)
    bench.proxy.sandbox = True
    module: Any = bench.proxy.modules["ruxc"]
    assert module.http_get(run, "http://127.0.0.1:1/", "", "$var(r)") == -1 and module.waits()
