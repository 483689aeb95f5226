"""Code without a terminal: what it prints, its exit code; and the magics, which it shares with the prompt."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from ksrshell.namespace import Namespace
from ksrshell.runner import run
from shell.fake import FakeProxy


def shown(namespace: Namespace, code: str) -> str:
    out = io.StringIO()
    assert run(namespace, code, out=out) == 0
    return out.getvalue().rstrip("\n")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("msgs[-1].method", "'BYE'"),
        ("x = 1\ny = 2\nx + y", "3"),
        ("x = 1", ""),
        ("None", ""),
        ("1;", ""),
        ("a = [m.id for m in msgs if m.is_request]; a", "[1, 3, 8, 9, 10, 11]"),
        ("for i in range(2):\n    pass\ni", "1"),
        ("def f():\n    return msgs[1].method\nf()", "'INVITE'"),
        ("%use 1", "using 1 INVITE sip:bob@biloxi.example"),
        ("%use -1", "using 13 200 OK"),
        ("%use 1\n%use none", "no message in use"),
        ("use(1)\nKSR.pv.get('$ru')", "'sip:bob@biloxi.example'"),
        ("m = msgs[1]\n%use m", "using 1 INVITE sip:bob@biloxi.example"),
        ("use(1)\nuse().id", "1"),
        ("%rpc core.echo a 12 s:12 'b c'", "['a', 12, '12', 'b c']"),
        ("%routes ksr_route_relay", None),
        ("%versions ksr_route_relay 1", None),
        ("%rollback ksr_route_relay", "rolled back ksr_route_relay: version 1 from the next message on"),
        ("%flow 1", None),
        ("%flow", None),
        ("%step 1\n%step n\n%step to 4\n%step finish", None),
        ("%step 1\n%step close", ""),
        ("%effects", None),
        ("%ksrhelp", None),
        ("%ksrhelp step", None),
        ("%ksrhelp KSR.sl.send_reply", None),
        ("%ksrhelp msgs", None),
        ("%ksrhelp message", None),
        ("step?", None),
        ("%%swap\ndef ksr_route_relay(self, msg):\n    return 1\n", None),
        ("def new(self, msg):\n    return 1\n", ""),
        ("%msgs 12", None),
        ("%msgs -2", None),
        ('%msgs method == "ACK"', None),
    ],
)
def test_code(namespace: Namespace, fake: FakeProxy, code: str, expected: str | None) -> None:
    namespace.session.use(1)
    text = shown(namespace, code)
    if expected is None:
        assert text
    else:
        assert text == expected


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("1/0", "Error: ZeroDivisionError: division by zero"),
        ("x = 1\ny", "Error: NameError: name 'y' is not defined (line 2)"),
        ("def f():\n    return msgs[99]\nf()", "Error: no message 99 yet: the newest is 13 (line 2, in f)"),
        ("x = (", "Error: line 1: '(' was never closed"),
        ("KSR.is_INVITE()", "Error: KSR needs a message to work on: use(msgs[-1]) first"),
        ("%nope", "Error: no magic %nope without a terminal; there are: %msgs"),
        ("!ls", "Error: shell commands (!command) need the prompt"),
        ("%use", "Error: no message is in use: say which, as in msgs[-1], or use(msgs[-1]) first"),
        ("%use a b", "Error: usage: %use ID (or -1 for the newest, or none)"),
        ("%step next", "Error: nothing is being stepped: %step ID starts"),
        ("%step 1\n%step to x", "Error: usage: %step to LINE (line 2)"),
        (
            "%swap /no/such/file",
            "Error: '/no/such/file' is no function defined here, and as a file: cannot read /no/such/file: No such",
        ),
        ("%versions", "Error: usage: %versions NAME [NUMBER]"),
        ("%rollback ksr_route_relay x", "Error: expected a version's number, got 'x'"),
        ("%ksrhelp zzz", "Error: no help on 'zzz'; there is help on: msgs, "),
        ("step(1, 2, 3)", "Error: step(m=None, callback=None, engine=''): too many positional arguments"),
        ("%msgs 'open", "Error: where: "),
        ("raise SystemExit('x')", ""),
    ],
)
def test_errors_are_one_line(namespace: Namespace, capsys: pytest.CaptureFixture[str], code: str, error: str) -> None:
    assert run(namespace, code) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(error)
    assert err.count("\n") <= 1


def test_a_script_error_shows_the_scripts_frames(namespace: Namespace, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(namespace, "swap('x')") == 1
    assert capsys.readouterr().err == 'Error: line 1: no function to swap\nFile "/srv/routing.py", line 1\n  boom\n'


def test_swap_from_a_file(namespace: Namespace, fake: FakeProxy, tmp_path: Path) -> None:
    file = tmp_path / "new.py"
    file.write_text("def ksr_route_relay(self, msg):\n    return 7\n")
    shown(namespace, f"%swap {file}")
    assert fake.asked[-1][1]["source"].endswith("return 7\n")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("msgs[1].method", "INVITE"),
        ("[m.id for m in msgs[-2:]]", [12, 13]),
        ("(1, {2: None}, b'\\xff')", [1, {"2": None}, "\u00ff"]),
        ("x = 1", None),
        ("flow(1).endpoints", ["127.0.0.1:5071", "proxy", "127.0.0.1:5072"]),
        ("stats['held']", 0),
    ],
)
def test_json(namespace: Namespace, code: str, expected: object) -> None:
    out = io.StringIO()
    assert run(namespace, code, as_json=True, out=out) == 0
    assert json.loads(out.getvalue()) == expected


@pytest.mark.parametrize(
    "code",
    [
        "msgs", "msgs[1]", "msgs[-2:]", "routes", "stats", "flow(1)", "step(1)", "KSR", "KSR.sl", "msgs[1].runs",
        "versions('ksr_route_relay')", "msgs[1].headers", "msgs[1].time",
    ],
)  # fmt: skip
def test_everything_has_a_json_form(namespace: Namespace, code: str) -> None:
    out = io.StringIO()
    assert run(namespace, code, as_json=True, out=out) == 0
    assert json.loads(out.getvalue())


def test_what_has_no_json_form(namespace: Namespace, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(namespace, "object()", as_json=True) == 1
    assert capsys.readouterr().err.startswith("Error: a object has no JSON form")


def test_the_exit_code_of_the_code(namespace: Namespace) -> None:
    assert run(namespace, "raise SystemExit(3)") == 3
    assert run(namespace, "import sys; sys.exit()") == 0


def test_an_output_that_is_not_utf8(namespace: Namespace) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    assert run(namespace, "flow(1)", out=out) == 0
    assert b"INVITE" in raw.getvalue()
