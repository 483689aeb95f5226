"""``ksrshell replay``: options, output, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from capture.samples import PROXY, UAC
from ksrshell.replay import replay
from replay.scene import RELAY, call, request, scene, timed


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(replay, [str(arg) for arg in args])


def test_all_is_well(tmp_path: Path) -> None:
    done = run(*scene(tmp_path, timed(call())), "-v", "--strict")
    lines = done.stdout.splitlines()
    assert lines[:7] == [
        "x.pcap: pcap, 9 SIP messages",
        "proxy 10.0.0.9:5060 (the address that receives and sends most; --listen names another)",
        "",
        "1 INVITE sip:bob@10.0.0.9 from udp:10.0.0.1:5062: replied 100, relayed to udp:10.0.0.2:5063",
        "2 180 Ringing from udp:10.0.0.2:5063: passed on to udp:10.0.0.1:5062",
        "3 200 OK from udp:10.0.0.2:5063: passed on to udp:10.0.0.1:5062",
        "4 ACK sip:bob@10.0.0.9 from udp:10.0.0.1:5062: relayed to udp:10.0.0.2:5063",
    ]
    assert "4 messages replayed, no exception, 0 differ from the capture" in lines
    assert done.exit_code == 0


def test_an_exception(tmp_path: Path) -> None:
    steps = timed([(request("MESSAGE", "boom"), UAC, PROXY)])
    done = run(*scene(tmp_path, steps), "--junit", tmp_path / "j.xml")
    assert done.exit_code == 1
    assert "1 MESSAGE sip:boom@10.0.0.9 from udp:10.0.0.1:5062: exception: KeyError: 'key'" in done.stdout
    assert 'return {}["key"]' in done.stdout
    assert "1 message replayed, 1 raised an exception; the capture does not show what the proxy sent" in done.stdout
    suite = ElementTree.parse(tmp_path / "j.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")


def test_differences_fail_when_strict(tmp_path: Path) -> None:
    files = scene(tmp_path, timed(call()), RELAY.replace("10.0.0.2:5063", "10.0.0.1:5062"))
    done = run(*files)
    assert done.exit_code == 0
    assert "was INVITE sip:bob@10.0.0.9 to udp:10.0.0.2:5063, now INVITE" in done.stdout
    assert run(*files, "--strict").exit_code == 1


def test_json_and_expect(tmp_path: Path) -> None:
    files = scene(tmp_path, timed(call()))
    done = run(*files, "--json")
    data = json.loads(done.stdout)
    assert (data["messages"], data["raised"], data["differing"], data["proxy"]) == (4, 0, 0, "10.0.0.9:5060")
    (tmp_path / "before.json").write_text(done.stdout)
    assert run(*files, "--strict", "--expect", tmp_path / "before.json").exit_code == 0
    files = scene(tmp_path, timed(call()), RELAY.replace("5063", "7777"))
    done = run(*files, "--strict", "--expect", tmp_path / "before.json")
    assert done.exit_code == 1
    assert "differ from before.json" in done.stdout


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--listen", "nonsense"], "no transport"),
        (["--listen", "udp:10.0.0.77:5060"], "no message was sent to 10.0.0.77:5060"),
        (["--modparam", "x"], "modparam expects"),
        (["--where", "(("], ""),
        (["--junit", "/nowhere/x.xml"], "cannot write /nowhere/x.xml"),
        (["--expect", "/nowhere/x.json"], "cannot read /nowhere/x.json"),
        (["--db", "sqlite:////nowhere/x.db"], ""),
    ],
)
def test_what_cannot_be_done(tmp_path: Path, options: list[str], why: str) -> None:
    done = run(*scene(tmp_path, timed(call())), *options)
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert why in line


def test_no_capture_and_no_script(tmp_path: Path) -> None:
    capture, script = scene(tmp_path, timed(call()))
    assert run(tmp_path / "none", script).exit_code == 2
    assert run(script, script).exit_code == 2
    assert run(capture, tmp_path / "none.py").exit_code == 2


def test_interrupted(tmp_path: Path) -> None:
    slow = (
        "import KSR\nimport time\n\n\ndef ksr_request_route(msg):\n"
        "    print('at work', flush=True)\n    time.sleep(0.05)\n    return 1\n"
    )
    steps = [(request("OPTIONS", callid=str(n)), UAC, PROXY) for n in range(400)]
    command = [sys.executable, "-m", "ksrshell", "replay", *map(str, scene(tmp_path, timed(steps), slow))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted: this is what was replayed until then" in out
    assert err == ""
