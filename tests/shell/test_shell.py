"""The interactive shell, through a pipe instead of a terminal."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from ksrshell.namespace import Namespace
from ksrshell.news import News
from ksrshell.session import Session
from ksrshell.shell import KsrShell, banner, make_shell
from shell.fake import FakeProxy

Type = Callable[[str], None]


@pytest.fixture
def pipe() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


@pytest.fixture
def shell(session: Session, pipe: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KsrShell]:
    hooks = (sys.displayhook, sys.excepthook, sys.modules.get("__main__"))
    monkeypatch.setenv("TERM", "xterm")
    made = make_shell(Namespace(session), tmp_path, user_config=False)
    yield made
    cast(Any, made)._atexit_once()
    KsrShell.clear_instance()
    sys.displayhook, sys.excepthook = hooks[:2]
    if hooks[2] is not None:
        sys.modules["__main__"] = hooks[2]


def run(shell: KsrShell, code: str) -> None:
    cast(Any, shell).run_cell(code, store_history=True)


def prompt(shell: KsrShell) -> str:
    return "".join(text for _, text in cast(Any, shell).prompts.in_prompt_tokens())


def test_the_prompt_shows_proxy_and_message(shell: KsrShell) -> None:
    assert prompt(shell) == "fake In [1]: "
    run(shell, "use(1)")
    assert prompt(shell) == "fake [1 INVITE] In [2]: "
    run(shell, "%use 12")
    assert prompt(shell) == "fake [12 200] In [3]: "
    run(shell, "use(None)")
    assert prompt(shell) == "fake In [4]: "


def test_typing(shell: KsrShell, pipe: PipeInput, capsys: pytest.CaptureFixture[str]) -> None:
    pipe.send_text("msgs[-1].method\r")
    assert cast(Any, shell).prompt_for_code() == "msgs[-1].method"


def test_typing_with_tab(shell: KsrShell, pipe: PipeInput) -> None:
    def rest() -> None:
        assert shell.pt_app is not None
        until = time.monotonic() + 5.0
        while not shell.pt_app.default_buffer.text.endswith("reply") and time.monotonic() < until:
            time.sleep(0.005)
        pipe.send_text("(404, 'x')\r")

    thread = threading.Thread(target=rest)
    thread.start()
    pipe.send_text("KSR.sl.se\t")
    assert cast(Any, shell).prompt_for_code() == "KSR.sl.send_reply(404, 'x')"
    thread.join()


def test_reset_leaves_our_names(shell: KsrShell, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "x = 1; del msgs; use = 2")
    run(shell, "%reset -f")
    capsys.readouterr()
    run(shell, "(msgs[1].method, callable(use), 'x' in globals())")
    assert capsys.readouterr().out.strip().endswith("('INVITE', True, False)")


def test_values(shell: KsrShell, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "msgs[1].method")
    assert capsys.readouterr().out.strip().endswith("'INVITE'")
    run(shell, "msgs[-2:]")
    out = capsys.readouterr().out
    assert "200 OK (BYE)" in out and "\x1b" not in out
    run(shell, "%flow 1")
    assert "──── INVITE ────" in capsys.readouterr().out
    run(shell, "msgs[1];")
    assert capsys.readouterr().out.strip() == ""


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("KSR.is_INVITE()", "KSR needs a message to work on: use(msgs[-1]) first"),
        ("msgs[99]", "no message 99 yet: the newest is 13"),
        ("KSR.sl.sendreply", "KSR.sl.sendreply: no such name; nearest: KSR.sl.send_reply"),
        ("KSR.sl.sendreply?", "KSR.sl.sendreply: no such name; nearest: KSR.sl.send_reply"),
        ("%use x", "usage: %use ID (or -1 for the newest, or none); 'x' is no message"),
        ("def f():\n    return msgs[99]\n\nf()", "no message 99 yet: the newest is 13 (line 2, in f)"),
        ("swap(5)", "swap() expects source text, a function or a path, got int"),
    ],
)
def test_a_users_mistake_is_one_line(shell: KsrShell, capsys: pytest.CaptureFixture[str], code: str, line: str) -> None:
    run(shell, code)
    assert capsys.readouterr().out.strip() == line


def test_a_proxy_lost_while_a_value_is_shown(
    shell: KsrShell, fake: FakeProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "m = msgs[1]")
    fake.close()
    run(shell, "m")
    out = capsys.readouterr().out
    assert "Traceback" not in out and "File" not in out
    assert "went away" in out or "no such socket" in out


def test_a_users_own_exception_keeps_its_traceback(shell: KsrShell, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "def f():\n    return 1 / 0\n\nf()")
    out = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert "ZeroDivisionError" in out and "return 1 / 0" in out


def test_help(shell: KsrShell, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "KSR.sl.send_reply?")
    assert capsys.readouterr().out.splitlines()[:3] == [
        "KSR.sl.send_reply(code: int, reason: str) -> int",
        "Kamailio module: sl",
        "Send a stateless reply.",
    ]
    run(shell, "step?")
    assert capsys.readouterr().out.startswith("step(m=None, callback=None, engine=")
    run(shell, "%use?")
    assert "KSR.* works on that message" in capsys.readouterr().out


def test_swap_cell_and_a_function_defined_here(
    shell: KsrShell, fake: FakeProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%%swap\ndef ksr_route_relay(self, msg):\n    return 1\n")
    assert "swapped ksr_route_relay: version 2" in capsys.readouterr().out
    run(shell, "def ksr_route_relay(self, msg):\n    return 2\n")
    run(shell, "swap(ksr_route_relay)")
    assert fake.asked[-1][1]["source"] == "def ksr_route_relay(self, msg):\n    return 2\n"
    run(shell, "%swap ksr_route_relay")
    assert "version 4" in capsys.readouterr().out


def completions(shell: KsrShell, text: str) -> dict[str, str]:
    assert shell.pt_app is not None and shell.pt_app.completer is not None
    found = shell.pt_app.completer.get_completions(Document(text), CompleteEvent(completion_requested=True))
    return {each.text: "".join(part[1] for part in each.display_meta) for each in found}


def test_completion(shell: KsrShell) -> None:
    assert completions(shell, "KSR.sl.") == {"send_reply": "(code: int, reason: str) -> int  Send a stateless reply."}
    assert list(completions(shell, 'KSR.pv.get("$r')) == ["$ru", "$rU"]
    assert "effects" in completions(shell, "eff")
    run(shell, "m = msgs[1]")
    assert "method" in {text.rpartition(".")[2] for text in completions(shell, "m.meth")}
    assert "routes" in {text.lstrip("%") for text in completions(shell, "%rout")}


def toolbar(shell: KsrShell) -> str:
    return "".join(part[1] for part in shell.toolbar())


def test_toolbar(shell: KsrShell, fake: FakeProxy) -> None:
    shell.toolbar.start()
    until = time.monotonic() + 5.0
    while not shell.toolbar.values and time.monotonic() < until:
        time.sleep(0.005)
    assert toolbar(shell) == " fake  12.5 messages/s  3 transactions  13 captured "
    shell.toolbar.values = {**shell.toolbar.values, "gone": 4, "held": 2}
    assert toolbar(shell) == " fake  2 held  12.5 messages/s  3 transactions  13 captured (4 gone) "
    shell.toolbar.stop()
    shell.toolbar.lost = True
    assert toolbar(shell) == " fake: no answer  it is busy or stopped"
    shell.session.client.close()
    assert toolbar(shell) == " fake: lost  trying to reconnect ..."


def test_the_toolbar_shows_the_signature_of_the_call_being_typed(shell: KsrShell) -> None:
    shell.ours.prefetch()
    assert shell.pt_app is not None
    shell.pt_app.default_buffer.reset(Document("KSR.sl.send_reply("))
    assert toolbar(shell).startswith(" KSR.sl.send_reply(code: int, reason: str) -> int")


def test_exceptions_of_the_script_are_news(shell: KsrShell, capsys: pytest.CaptureFixture[str]) -> None:
    news = News(shell.notice)
    event = {"event": "exception", "message": {"id": 7, "callbacks": ["ksr_request_route"], "exception": "KeyError: 1"}}
    for _ in range(3):
        news(event)
    news({"event": "swap"})
    assert capsys.readouterr().out == "message 7: ksr_request_route raised KeyError: 1\n"


def test_banner(session: Session) -> None:
    lines = banner(session).plain.splitlines()
    assert lines[0] == "ksrshell 0.1.0 on fake  /srv/routing.py"
    assert lines[1].startswith("listening on udp:127.0.0.1:5060, tcp:127.0.0.1:5060, up ")
    assert len(lines) == 5
    assert all(len(line) <= 80 for line in lines)
    assert lines[3].startswith("  use(1) ")  # the newest INVITE that came in
    assert lines[4].startswith("  s = step(1) ")


def test_the_banner_of_a_proxy_that_has_seen_nothing(session: Session, fake: FakeProxy) -> None:
    fake.records.clear()
    assert "  use(msgs[-1]) " in banner(session).plain


def test_swap_cells_are_indented_as_python(shell: KsrShell) -> None:
    assert shell.check_complete("%%swap\ndef f(self, msg):") == ("incomplete", "    ")
    assert shell.check_complete("%%swap\ndef f(self, msg):\n    if msg:") == ("incomplete", "        ")
    assert shell.check_complete("%%time\ndef f():") == ("incomplete", "")


def test_history_lasts(shell: KsrShell, tmp_path: Path) -> None:
    run(shell, "x = 'remember me'")
    history = cast(Any, shell).history_manager
    history.writeout_cache()
    assert (tmp_path / "history.sqlite").exists()
    assert history.get_tail(1, include_latest=True) is not None
    assert Path(history.hist_file) == tmp_path / "history.sqlite"


def test_edit_is_ours_for_functions_of_the_script(
    shell: KsrShell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    edited: list[str] = []
    monkeypatch.setattr("ksrshell.edit.edit", lambda session, name, ask, say: edited.append(name))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    run(shell, "%edit ksr_route_relay")
    assert edited == ["ksr_route_relay"]
    # So is a name that is nothing at all: the error names what there is.
    run(shell, "%edit ksr_route_rely")
    assert edited.pop() == "ksr_route_rely"
    # Everything else is IPython's.
    opened: list[str] = []
    cast(Any, shell).set_hook("editor", lambda shell, name, line=None, *more: opened.append(str(name)))
    path = tmp_path / "notes.py"
    path.write_text("x = 1\n")
    run(shell, f"%edit -x {path}")
    assert (edited, opened) == (["ksr_route_relay"], [str(path)])


def test_save_is_ours_without_a_file(shell: KsrShell, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run(shell, "%save --diff")
    assert "would be saved to /srv/routing.py" in capsys.readouterr().out
    run(shell, "x = 5")
    number = cast(Any, shell).execution_count - 1
    run(shell, f"%save -f {tmp_path / 'lines.py'} {number}")
    assert "x = 5" in (tmp_path / "lines.py").read_text()


def test_news_of_a_saved_script(shell: KsrShell, capsys: pytest.CaptureFixture[str]) -> None:
    News(shell.notice)({"event": "reload", "text": "taken over from the file: relay version 2", "taken": True})
    assert "taken over from the file: relay version 2" in capsys.readouterr().out
