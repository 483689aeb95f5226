"""What is seen of a script before it runs."""

from __future__ import annotations

import ast

from ksrcore.script.inspect import armed_callbacks, ksr_calls

TREE = ast.parse(
    """
KSR.info("x")
if KSR.tm.t_relay() < 0:
    f = KSR.sl.sl_reply_error
other.tm.t_relay()
KSR.tm.t_on_branch("ksr_branch")
KSR.tm.t_on_reply(name)
KSR.tmx.t_continue(1, 2, "resumed")
KSR.tm.t_on_failure("")
"""
)


def test_ksr_names_with_their_calls() -> None:
    found = [(path, call is not None, node.lineno) for path, call, node in ksr_calls(TREE)]
    assert sorted(found, key=lambda f: f[2])[:3] == [
        ("info", True, 2),
        ("tm.t_relay", True, 3),
        ("sl.sl_reply_error", False, 4),
    ]
    assert all(not path.startswith("other") for path, _, _ in found)


def test_callbacks_named_literally() -> None:
    assert sorted(name for name, _ in armed_callbacks(TREE)) == ["ksr_branch", "resumed"]
