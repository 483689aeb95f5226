"""Fixtures of the transaction tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tm.playbook import Playbook

RELAY = """
def ksr_request_route(self, msg):
    if KSR.tm.t_relay() < 0:
        KSR.sl.sl_reply_error()
    return 1
"""


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., Playbook]:
    """Makes a proxy on a script; without one, on a script that relays everything."""

    def make(script: str = RELAY, **options: object) -> Playbook:
        return Playbook(tmp_path, script, **options)  # type: ignore[arg-type]

    return make
