"""Swaps from the prompt: options, trials, going back, saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ksrshell.complete import Completer
from ksrshell.errors import NotFound, UsageError
from ksrshell.namespace import Namespace
from ksrshell.routes import Swapped, source_of
from ksrshell.runner import evaluate
from ksrshell.session import Session
from shell.fake import FakeProxy

NEW = "def ksr_route_relay(self, msg):\n    return -1\n"


def asked(fake: FakeProxy) -> tuple[str, dict[str, Any]]:
    method, params = fake.asked[-1]
    return method, {name: value for name, value in params.items() if name != "who"}


def test_options_of_a_swap(session: Session, fake: FakeProxy) -> None:
    session.swap(NEW, pin=True, try_on=50)
    assert asked(fake) == ("ksr.swap", {"source": NEW, "pin": True, "try_on": 50})
    with pytest.raises(UsageError, match="try_on is a number of messages, 1 to 1000, got 'x'"):
        session.swap(NEW, try_on="x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "method", "params"),
    [
        (f"%%swap --pin\n{NEW}", "ksr.swap", {"source": NEW, "pin": True}),
        (f"%%swap --try 20 --pin\n{NEW}", "ksr.swap", {"source": NEW, "pin": True, "try_on": 20}),
        (f"%%try 5\n{NEW}", "ksr.try", {"source": NEW, "ids": [4, 5, 6, 8, 9]}),
        ("%rollback", "ksr.rollback", {}),
        ("%rollback ksr_route_relay 1", "ksr.rollback", {"name": "ksr_route_relay", "number": 1}),
        ("rollback()", "ksr.rollback", {}),
        ("%save --diff", "ksr.save", {"diff": True}),
        ("save()", "ksr.save", {"diff": False}),
    ],
)
def test_magics_and_functions(
    session: Session, fake: FakeProxy, code: str, method: str, params: dict[str, Any]
) -> None:
    evaluate(Namespace(session), code)
    found = asked(fake)
    assert found[0] == method
    if method == "ksr.try":
        assert found[1]["source"] == NEW and 0 < len(found[1]["ids"]) <= 5
    else:
        assert found[1] == params


def test_a_trial_is_a_table(session: Session) -> None:
    trial = session.try_swap(NEW, on=session.msgs.where('method == "INVITE"'))
    assert trial.tried == trial.same + 1 and len(trial) == 1
    assert trial.raises == [trial[0].message.id]
    assert trial[0].parts["sends"] == ("SIP/2.0 404 Not Found", "")
    lines = repr(trial).splitlines()
    assert lines[0].split() == ["id", "message", "what", "before", "after"]
    assert "raises" in lines[1] and "ZeroDivisionError" in repr(trial[0])
    assert f"{trial.same} of {trial.tried} messages: no difference" in lines
    assert any(line.startswith("the new code raises where the old did not: ") for line in lines)
    assert any(line.startswith("message 9 was not tried: ") for line in lines)
    with pytest.raises(NotFound, match="no captured request"):
        session.try_swap(NEW, on=[])


def test_what_a_save_shows(session: Session) -> None:
    assert repr(session.save(diff=True)).splitlines()[-1] == "would be saved to /srv/routing.py: ksr_route_relay"
    saved = session.save()
    assert saved.written and repr(saved).splitlines()[-1].startswith("saved to /srv/routing.py")


def test_what_a_swap_shows() -> None:
    data = {
        "swapped": [
            {"name": "a", "version": 2, "new": False, "removed": False},
            {"name": "b", "version": 3, "new": True, "removed": False},
            {"name": "c", "version": 0, "new": False, "removed": True},
        ],
        "pinned": 1,
        "tried": 5,
        "ended": 2,
    }
    assert repr(Swapped(data)).splitlines() == [
        "swapped a: version 2 from the next message on",
        "added b: the script had nothing of this name",
        "removed c",
        "tried on 5 messages: it raises on none that the old code took",
        "1 transaction in progress will end on the old version",
        "2 pinned transactions will go on with this too",
    ]


def test_sources(tmp_path: Path) -> None:
    path = tmp_path / "new.py"
    path.write_text("\n" + NEW)
    assert source_of(path) == source_of(str(path)) == NEW
    with pytest.raises(UsageError, match="cannot read .*: No such file"):
        source_of("nothing.py")
    # Inside of strings nothing is dedented.
    assert source_of('  def f(self):\n    return """\n  x"""\n') == '  def f(self):\n    return """\n  x"""\n'

    def outer(word: str) -> Any:
        def inner(self: Any, msg: Any) -> str:
            return word

        return inner

    with pytest.raises(UsageError, match="inner uses word of the function around it"):
        source_of(outer("x"))


def test_a_function_of_code_without_a_terminal(session: Session, fake: FakeProxy) -> None:
    evaluate(Namespace(session), f"{NEW}swap(ksr_route_relay)")
    assert asked(fake)[1]["source"] == NEW


def test_completion(session: Session) -> None:
    completer = Completer(Namespace(session))
    for text in ('swap(remove="ksr_route', "swap(remove=['ksr_route", "%swap --remove ksr_route", "%edit ksr_route"):
        assert [each.text for each in completer.candidates(text) or ()] == ["ksr_route_relay"], text
