"""``ksrshell serve --reload`` as a process: what an editor saves runs; what was swapped goes into the file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ksrshell.session import Session, connect
from lab.ports import free_port

SCRIPT = "import KSR\n\n\ndef ksr_request_route(msg):\n    KSR.sl.send_reply(200, word())\n    return 1\n\n\n"
WORD = "def word():\n    return '{}'\n"


@pytest.fixture
def session(runtime: Path, tmp_path: Path) -> Iterator[Session]:
    script = tmp_path / "saved.py"
    script.write_text(SCRIPT + WORD.format("one"))
    command = [
        sys.executable, "-m", "ksrshell", "serve", str(script), "--reload", "--listen", f"udp:127.0.0.1:{free_port()}",
        "--db", f"sqlite:///{tmp_path / 'db'}",
    ]  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith(b"ready saved ")
        with connect("saved") as session:
            yield session
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        process.stdout.close()


def wait(until: Callable[[], Any]) -> None:
    end = time.monotonic() + 10.0
    while not until():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_saved_script_is_swapped_in_and_swaps_are_saved(session: Session, tmp_path: Path) -> None:
    script = tmp_path / "saved.py"
    told: list[dict[str, Any]] = []
    session.client.on_event.append(told.append)
    session.client.subscribe("reload", "swap")
    new = tmp_path / "new"
    new.write_text(SCRIPT + WORD.format("two"))
    os.replace(new, script)
    wait(lambda: len(told) == 2)
    assert [event["event"] for event in told] == ["swap", "reload"]
    assert told[1]["text"] == "taken over from the file: word version 2" and told[1]["taken"]
    assert (session.versions("word")[2].who, session.versions("word")[2].in_file) == ("file", True)

    script.write_text(SCRIPT + "def word(:\n")
    wait(lambda: len(told) == 3)
    assert not told[2]["taken"] and "does not compile" in told[2]["text"]
    assert session.routes["word"].version == 2
    assert "the old one runs on" in (tmp_path / "log").read_text()

    script.write_text(SCRIPT + WORD.format("three"))
    wait(lambda: len(told) == 5)
    session.swap(WORD.format("four"))
    assert "+    return 'four'" in session.save(diff=True).diff.text
    assert session.save().saved == ["word"]
    assert script.read_text() == SCRIPT + WORD.format("four")
    assert [session.versions("word")[n].in_file for n in (3, 4)] == [False, True]
