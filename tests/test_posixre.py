"""ksrcore.posixre: POSIX extended regular expressions."""

from __future__ import annotations

import pytest

from ksrcore.posixre import PosixError, compile_posix


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("[[:digit:]]+", "ab12c", "12"),
        ("[^[:space:]]+", " ab c", "ab"),
        (r"[\.]", r"a\b", "\\"),
        (r"[]a]+", "b]a", "]a"),
        (r"[^]a]", "]ab", "b"),
        (r"a\.b", "axb a.b", "a.b"),
        (r"\d", "1d", "d"),
        ("a{2}", "aaa", "aa"),
        ("a{,x", "a{,x", "a{,x"),
        ("{", "{", "{"),
        ("a|b", "cb", "b"),
        ("^a$", "a", "a"),
        ("(a)(b)?", "a", "a"),
        (")", "x)", ")"),
        ("*a", "b*a", "*a"),
        ("a**", "aaa", "aaa"),
        ("(ab)+?", "abab", "abab"),
        (r"\(x\)", "(x)", "(x)"),
        ("[a-c-]+", "x-ab", "-ab"),
        (r"\bfoo\b", "a foo", "foo"),
        ("a.b", "a\nb", "a\nb"),
    ],
)
def test_matches(pattern: str, text: str, found: str) -> None:
    match = compile_posix(pattern).search(text)
    assert match is not None
    assert match[0] == found


def test_dollar_is_the_very_end() -> None:
    assert compile_posix("a$").search("a\n") is None
    assert compile_posix("a$", newline=True).search("a\nb") is not None


def test_newline_mode_stops_at_line_ends() -> None:
    assert compile_posix("a.b", newline=True).search("a\nb") is None
    assert compile_posix("a[^x]b", newline=True).search("a\nb") is None
    assert compile_posix("^b", newline=True).search("a\nb") is not None
    assert compile_posix("^b").search("a\nb") is None


def test_case() -> None:
    assert compile_posix("ABC", ignore_case=True).search("xabc") is not None
    assert compile_posix("ABC").search("xabc") is None


@pytest.mark.parametrize("pattern", ["(", "[", "[a", "a\\", "[[:nope:]]", "[z-a]", "[[.ab.]]", "(a"])
def test_bad_patterns_are_one_error(pattern: str) -> None:
    with pytest.raises(PosixError, match="bad regular expression"):
        compile_posix(pattern)
