"""A small run of the benchmark of what waits for somebody outside: others are not held up."""

from __future__ import annotations

import pytest

from bench.waits import measure
from lab.webserver import webserver


def test_others_are_not_held_up(capsys: pytest.CaptureFixture[str]) -> None:
    with webserver() as server:
        server.slow = 0.3
        measure(f'KSR.http_client.query("{server.url}/slow", "$var(r)")', 30, 0.5, True)
    others, asking, _ = capsys.readouterr().out.splitlines()
    assert "50 answers, 0 missing" in others and "15 answers, 0 missing" in asking
    assert float(others.partition("median ")[2].split()[0]) < 100
    assert float(asking.partition("median ")[2].split()[0]) > 290
