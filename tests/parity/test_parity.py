"""Each parity case: ksrshell does what Kamailio does."""

from __future__ import annotations

import pytest

from lab.needs import SCHEMA_FOLDER, need, need_file
from parity import suite, usage
from parity.casefile import Case, CaseError, find, load, parse

CASES = [load(path) for path in find()]


@pytest.fixture(scope="session", autouse=True)
def kamailio() -> None:
    need("kamailio", package="kamailio kamailio-python3-modules kamailio-sqlite-modules kamailio-extra-modules")
    need_file(SCHEMA_FOLDER, "kamailio-sqlite-modules")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_as_in_kamailio(case: Case, results: dict[str, suite.Result]) -> None:
    result = results[case.name]
    if not result.good:
        pytest.fail(f"{result.why}\n{result.diff()}", pytrace=False)


def test_what_differs_must_be_what_the_case_says() -> None:
    text = "== eval\n1 + 1\n== differs why\n- a = 1\n+ a = 2\n"
    case = parse(text, "area/name")
    assert suite.judge(case, ["  a = 1", "  b = 1"], ["  a = 2", "  b = 1"]).status == suite.EXPLAINED
    assert suite.judge(case, ["  a = 1", "  b = 1"], ["  a = 3", "  b = 1"]).status == suite.DIFFERENT
    assert suite.judge(case, ["  a = 1"], ["  a = 1"]).why == "the case says that they differ, they do not"
    plain = parse("== eval\n1 + 1\n", "area/name")
    assert suite.judge(plain, ["  a = 1"], ["  a = 1"]).status == suite.EQUAL
    assert suite.judge(plain, ["  f(1) = !SystemError"], ["  f(1) = !TypeError"]).status == suite.EXPLAINED
    assert suite.judge(plain, ["  f(1) = !SystemError"], ["  f(1) = !ValueError"]).status == suite.DIFFERENT


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing would run"),
        ("frobnicate x\n== eval\n1", "unknown set-up word 'frobnicate'"),
        ("== nonsense\n", "unknown section 'nonsense'"),
        ("== eval\n1\n== play\nbob dances\n", "not a step"),
        ("== eval\n1\n== play\nmallory > INVITE sip:x\n", "no party 'mallory'"),
        ("== eval\n1\n== play\nalice > message x\n", "no section"),
        ("include nowhere\n== eval\n1", "there is no"),
    ],
)
def test_what_cannot_be_read(text: str, said: str) -> None:
    with pytest.raises(CaseError, match=said):
        parse(text, "area/name")


def test_used_names_are_counted() -> None:
    names = {each.name: each for each in usage.used()}
    assert names["KSR.tm.t_relay"].works and names["$ru"].works and names["{s.substr}"].works
    assert "used functions:" in usage.figures()
