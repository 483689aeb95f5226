"""Writing the results of KSR functions into variables that scripts name."""

from __future__ import annotations

import logging

import pytest

from ksrcore.net.address import Listen
from ksrcore.proxy import Proxy
from ksrcore.pv.accessor import assign, compile_spec


@pytest.mark.parametrize(("name", "expected"), [("$ru", 1), ("$rm", -1), ("$(ct{nameaddr.uri})", -1)])
def test_a_variable_that_does_not_take_it_is_an_error_of_the_call(
    name: str, expected: int, caplog: pytest.LogCaptureFixture
) -> None:
    run = Proxy(transmit=lambda data, dest: True, listens=[Listen("udp", "127.0.0.1", 5060)]).fake_run()
    with caplog.at_level(logging.ERROR, "ksrcore"):
        assert assign(compile_spec(name), run, "sip:x@y", "subst_v") == expected
    assert ("subst_v: " in caplog.text) == (expected < 0)
