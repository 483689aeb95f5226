"""JUnit XML: well-formed whatever messages hold, and counted right."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from ksrcore.replay.junit import write_junit
from ksrcore.replay.result import Raised, Result, Summary


def result(number: int, title: str = "OPTIONS sip:x") -> Result:
    return Result(number, 1_700_000_000.0, "udp:10.0.0.1:5060", title, "call", True, 0.001)


@pytest.mark.parametrize("strict", [False, True])
def test_counts(tmp_path: Path, strict: bool) -> None:
    results = [result(1), result(2, "INVITE <&\"'>\x00\x1b\xe4\x85\ud800"), result(3)]
    results[1].raised.append(Raised("ksr_request_route", "KeyError: 'x'", "r.py:3", "Traceback ]]> \x01"))
    results[2].differences.append("not sent: 200 OK to udp:10.0.0.1:5060")
    write_junit(tmp_path / "x.xml", Summary("c", "/x/r.py", "p", True, results, compared=True), strict)
    root = ElementTree.parse(tmp_path / "x.xml").getroot()
    suite = root.find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", str(int(strict)), "1")
    assert [len(case.findall("error")) for case in suite] == [0, 1, 0]
    assert [len(case.findall("failure")) for case in suite] == [0, 0, int(strict)]
    assert suite[1].get("name") == "2 INVITE <&\"'>??\xe4?? from udp:10.0.0.1:5060"
    output = suite[2].findtext("system-out") or ""
    assert ("differs from the capture" in output) is not strict
