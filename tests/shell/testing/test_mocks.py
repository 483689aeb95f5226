"""Standing in for KSR functions."""

from __future__ import annotations

import pytest

from ksrshell.testing import ScriptRaised, UsageError
from shell.testing.routers import Load

ASKS = """
def ksr_request_route(self, msg):
    if allow(1) > 0:
        KSR.sl.send_reply(200, "OK")
    else:
        KSR.sl.send_reply(403, "No")
    return 1
"""
HEAD = "allow = KSR.permissions.allow_source_address"


def test_a_function_is_stood_in_for_even_when_the_script_has_kept_it(load: Load) -> None:
    ksr = load(ASKS, HEAD)
    assert ksr.route(ksr.request()).replied(403)
    mock = ksr.mock("KSR.permissions.allow_source_address", returns=1)
    r = ksr.route(ksr.request())
    assert r.replied(200) and r.called("KSR.permissions.allow_source_address", 1)[0].mocked
    mock.assert_called_once_with(1)
    assert "allow_source_address(1) -> 1 (mock)" in r.trace
    with pytest.raises(AssertionError, match="expected call not found"):
        mock.assert_called_with(2)
    mock.return_value = -1
    assert ksr.route(ksr.request()).replied(403)
    load(ASKS, HEAD)
    assert mock.call_count == 2


def test_side_effects(load: Load) -> None:
    ksr = load(ASKS, HEAD)
    ksr.mock("permissions.allow_source_address", side_effect=[1, -1])
    assert ksr.route(ksr.request()).replied(200)
    assert ksr.route(ksr.request()).replied(403)
    ksr.mock("permissions.allow_source_address", side_effect=lambda group: group)
    assert ksr.route(ksr.request()).replied(200)
    ksr.mock("permissions.allow_source_address", side_effect=RuntimeError("down"))
    with pytest.raises(ScriptRaised, match="RuntimeError: down"):
        ksr.route(ksr.request())


def test_arguments_are_checked(load: Load) -> None:
    ksr = load("def ksr_request_route(self, msg):\n    KSR.permissions.allow_source_address('1')")
    mock = ksr.mock("KSR.permissions.allow_source_address")
    with pytest.raises(ScriptRaised, match="did you mean 1?"):
        ksr.route(ksr.request())
    mock.assert_not_called()


@pytest.mark.parametrize(
    ("name", "returns", "text"),
    [
        ("KSR.permisions.allow_source_address", 1, "nearest: KSR.permissions.allow_source_address"),
        ("KSR.permissions", 1, "no Kamailio exports this name"),
        ("KSR.is_INVITE", 1, "which is a bool"),
        ("KSR.sl.send_reply", "1", "which is a int"),
        ("KSR.info", 1, "which is None"),
        ("KSR.pv.get", 1.5, "which is a str, an int or None"),
    ],
)
def test_what_cannot_be_is_refused(load: Load, name: str, returns: object, text: str) -> None:
    ksr = load()
    with pytest.raises(UsageError, match=text):
        ksr.mock(name, returns=returns)


def test_defaults_are_of_the_right_kind(load: Load) -> None:
    ksr = load()
    assert ksr.mock("KSR.is_INVITE")() is True
    assert ksr.mock("KSR.sl.send_reply")() == 1
    assert ksr.mock("KSR.info")() is None
    assert ksr.mock("KSR.pv.get")() is None
    assert ksr.mock("KSR.rtpengine.rtpengine_manage")() == 1
