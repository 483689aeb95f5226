"""docs/check.md: each code is there, and its example gives it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ksrcore.script.check import CODES, check
from script.faultless import script

DOCS = (Path(__file__).parents[2] / "docs" / "check.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^### (\S+)\n(.*?)(?=^###|\Z)", DOCS, re.M | re.S))


def test_every_code_is_there() -> None:
    assert list(SECTIONS) == list(CODES)


@pytest.mark.parametrize("code", CODES)
def test_the_example_gives_the_code(code: str) -> None:
    match = re.search(r"```python\n(.*?)```", SECTIONS[code], re.S)
    assert match is not None
    example = match[1]
    version = "5.6" if code == "other-version" else ""
    if example.startswith("class "):
        source = example
    elif example.startswith("def "):
        source = script('KSR.tm.t_on_branch("ksr_branch")', example)
    else:
        more = "def ksr_route_relay(self, msg):\n    return -255\n"
        source = script(example, more if "ksr_route_relay" in example else "")
    findings = check(source, version=version)
    assert code in {finding.code for finding in findings}
    severity = CODES[code][0]
    assert severity in {finding.severity for finding in findings if finding.code == code}
    assert re.match(rf"{severity}\b", SECTIONS[code])


@pytest.mark.parametrize("code", [c for c in CODES if c not in ("syntax", "missing-callback", "signature")])
def test_each_line_of_the_example_does(code: str) -> None:
    """Examples of several independent statements: each is found."""
    match = re.search(r"```python\n(.*?)```", SECTIONS[code], re.S)
    assert match is not None
    calls = [line for line in match[1].splitlines() if re.match(r"(KSR\.|x = ).*", line)]
    if len(calls) != len([line for line in match[1].splitlines() if not line.startswith("#")]) or code in (
        "unknown-callback",
        "not-in-python",
    ):
        return
    version = "5.6" if code == "other-version" else ""
    for line in calls:
        assert code in {f.code for f in check(script(line), version=version)}, line
