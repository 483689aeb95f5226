"""ksrcore.pcre: what the recorded calls of tests/kemi/test_regex.py do not have."""

from __future__ import annotations

import pytest

from ksrcore.pcre import PcreError, compile_pcre


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("(a(?i)b|c)d", ["aBd", "Cd"], ["ABd", "aBD"]),
        ("(?i)a(?-i)b", ["Ab"], ["AB"]),
        (r"\Q[x]\E+", ["[x]]"], ["x"]),
        (r"[\Q]-\E]x", ["]x", "-x"], ["ax"]),
        (r"[[:^digit:]x]$", ["a", "x"], ["1"]),
        (r"(?'n'a)\k<n>", ["aa"], ["ab"]),
        (r"(a)\g1", ["aa"], ["ab"]),
        (r"(a)\g{1}1", ["aa1"], ["ab1"]),
        (r"^(a)?(?(1)b|c)$", ["ab", "c"], ["ac"]),
        (r"a{x}", ["a{x}"], ["ax"]),
        (r"\P{Lu}", ["a"], ["A"]),
        (r"\p{^Lu}", ["a"], ["A"]),
        (r"[\x{41}\x42]", ["A", "B"], ["C"]),
        (r"[[&&~|]", ["[", "&", "~", "|"], ["a"]),
        (r"\bfoo[[:>:]]", ["foo"], ["foot"]),
        (r"^\H\V$", ["ab"], ["a\n", "\tb"]),
        (r"\y\(\j", ["y(j"], ["y"]),
        (r"(?P<n>a)(?P=n)", ["aa"], ["ab"]),
        (r"a(?#it)b", ["ab"], ["a"]),
    ],
)
def test_matches(pattern: str, yes: list[str], no: list[str]) -> None:
    found = compile_pcre(pattern)
    assert [text for text in yes if not found.search(text)] == []
    assert [text for text in no if found.search(text)] == []


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("a)", "unmatched"),
        ("(a", "missing"),
        ("[a", "missing ]"),
        ("a\\", "\\\\ at the end"),
        ("(?R)", "not supported"),
        ("(?1)", "not supported"),
        ("(?P>n)", "not supported"),
        ("(?|a|b)", "not supported"),
        ("(?(?=a)b|c)", "conditions on assertions"),
        ("(*COMMIT)a", "verbs"),
        (r"\p{Greek}", "property 'Greek'"),
        (r"\x{100}", "above"),
        (r"\g{-1}", "relative"),
        ("[[:nope:]]", "no class"),
        ("(?#a", "comment"),
        ("(?'a", "name"),
        ("*a", "nothing to repeat"),
    ],
)
def test_what_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(PcreError, match=said):
        compile_pcre(pattern)


def test_comments_in_extended_expressions() -> None:
    assert compile_pcre("a # (\n b", 64).search("ab")
