"""ksrcore.pv.format"""

from types import SimpleNamespace
from typing import Any

import pytest

from ksrcore.pv import families  # noqa: F401
from ksrcore.pv.errors import PvError
from ksrcore.pv.format import compile_format
from ksrcore.pv.state import Avps


@pytest.fixture
def run() -> Any:
    pv = SimpleNamespace(vars={"x": "X", "n": 5}, aliases={})
    return SimpleNamespace(proxy=SimpleNamespace(modules=SimpleNamespace(pv=pv)), avps=Avps())


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", ""),
        ("plain 100%", "plain 100%"),
        ("$var(x)", "X"),
        ("$var(n)", "5"),
        ("$avp(none)", "<null>"),
        ("a$var(x)b$(var(x){s.tolower})c", "aXbxc"),
        ("$var(x)$var(n)", "X5"),
        ("$$var(x) costs $$5", "$var(x) costs $5"),
        ("$var(x)[0]", "X[0]"),
        ("$var(x), $var(n)-", "X, 5-"),
        ("$_s(in $var(x))", "in X"),
        ("$avp(none)|$var(n)", "<null>|5"),
    ],
)
def test_formats(run: Any, text: str, result: str) -> None:
    assert compile_format(text)(run) == result


def test_compiled_once() -> None:
    assert compile_format("once $var(x)") is compile_format("once $var(x)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a $ b", "a $ b: expected the name of a pseudo-variable, got ' ' at offset 3"),
        ("a $var(x", "expected ')' to close '(' at offset 6"),
        ("a $nosuch", "a $nosuch: in a format: $nosuch: unknown pseudo-variable $nosuch at offset 2"),
        ("end$", "end$: expected a name after '$' at offset 4"),
    ],
)
def test_errors(text: str, message: str) -> None:
    with pytest.raises(PvError) as error:
        compile_format(text)
    assert message in str(error.value)
