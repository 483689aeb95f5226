"""Searches in bounded time say what Python's say."""

from __future__ import annotations

import re
import time
from random import Random

import pytest

from ksrcore.capture.linear import MAX_PATTERN, PatternError, TooCostly, check, occurs

ATOMS = (
    *("a", "b", "A", "_", "\n", "1", " ", ".", "^", "$", "(", "(?:", ")", "|", "*", "+", "?", "*?", "{2}", "{1,3}"),
    *("{2,}", r"\b", r"\B", r"\d", r"\D", r"\w", r"\W", r"\s", r"\A", r"\Z", "[ab]", "[^a]", "[a-z0]", "[^\\s_]"),
    *("(?i:", "(?s:", "(?m:", "\xe4"),
)


def test_random_patterns_answer_as_python_does() -> None:
    random = Random(1)
    compared = 0
    while compared < 6000:
        pattern = random.choice(("", "", "", "(?i)", "(?m)", "(?s)", "(?a)"))
        pattern += "".join(random.choices(ATOMS, k=random.randint(1, 9)))
        try:
            theirs = re.compile(pattern)
            check(pattern)
        except (re.error, PatternError):
            continue
        for _ in range(3):
            text = "".join(random.choices("aabBA_\n1 x\xe4", k=random.randint(1, 8)))
            assert occurs(pattern, text) == (theirs.search(text) is not None), (pattern, text)
            compared += 1


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("^sip:1", "sip:100@x", True),
        ("<sip:.*@.*>;tag=", "<sip:a@b>;tag=1", True),
        ("a(?P<name>b)?c", "ac", True),
        ("(?i)BOB|alice", "sip:bob@x", True),
        ("[[a]", "[", True),
        (".?$", "", True),
        (r"\B", "", False),
        (r"\b", "", False),
        ("x" * MAX_PATTERN, "x" * MAX_PATTERN, True),
    ],
)
def test_what_is_found(pattern: str, text: str, expected: bool) -> None:
    assert occurs(pattern, text) is expected


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a+)+$", "a" * 60_000 + "!"),
        ("(?:a?){30}a{30}b", "a" * 60_000),
        (".*.*.*x", "a" * 60_000),
        ("(?s)a.*b.*c", "ab" * 30_000),
        ("(a|aa)+$", "a" * 60_000 + "!"),
    ],
)
def test_what_takes_python_minutes_takes_milliseconds(pattern: str, text: str) -> None:
    started = time.process_time()
    assert not occurs(pattern, text)
    assert time.process_time() - started < 0.5


def test_a_search_with_too_many_sets_of_states_is_given_up_for_good() -> None:
    pattern, text = "(a|b)*a(a|b){15}c", "".join(Random(1).choices("ab", k=60_000))
    for _ in range(2):
        with pytest.raises(TooCostly, match="takes too long: write a simpler pattern"):
            occurs(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "missing \\)"),
        (r"(a)\1", "groupref: a filter has no references"),
        ("(?=a)", "assert: a filter has no"),
        ("(?>a)", "atomic group: a filter has no"),
        ("(?:){100000000}", "more than 2000 states"),
        ("((a{100}){100}){100}", "more than 2000 states"),
        ("a{99999999999999999999}", "too large"),
        ("a" * (MAX_PATTERN + 1), "at most 1024 characters"),
    ],
)
def test_what_is_no_pattern(pattern: str, why: str) -> None:
    with pytest.raises(PatternError, match=why):
        occurs(pattern, "a")
