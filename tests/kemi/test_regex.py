"""KSR.regex: as recorded from Kamailio 5.6.3; the file of groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ksrcore.kemi.declare import ParamError
from lab.sequence import Bench, check, load

GROUPS = """# c
[0]
# Softphones
^Twinkle/1
^X-Lite

[1]
^190\\.232$
 ignored
\t also
^86\\.92
[7]
^1\\d{3}$
([0-9]{9})x
"""


@pytest.mark.parametrize("scenario", load("regex"), ids=lambda scenario: str(scenario["name"]))
def test_as_in_kamailio(scenario: dict[str, Any]) -> None:
    check(scenario)


def groups(bench: Bench, *pairs: tuple[str, int]) -> list[Any]:
    return bench.request({}, [f"KSR.regex.pcre_match_group({text!r}, {group})" for text, group in pairs])[0]


def test_groups(tmp_path: Path) -> None:
    path = tmp_path / "groups"
    path.write_text(GROUPS)
    bench = Bench([f"regex:file={path}"])
    pairs = [("Twinkle/1.2", 0), ("xTwinkle/1", 0), ("X-Lite", 0), ("X-Lite", 1), ("190.232", 1), ("86.92.1", 1)]
    more = [("1234", 2), ("123456789x", 2), ("1234", 7), ("", 0), ("# Softphones", 0), ("1234", -1)]
    assert groups(bench, *pairs, *more) == [1, -1, 1, -1, 1, 1, 1, 1, -4, -1, -1, -4]
    for text, answer, result in (
        (GROUPS + "[4]\n^new\n", {}, [1]),
        ("[0]\n(\n", "error 500: Failed to reload", [1]),
        ("abc\n[0]\nx\n", "error 500: Failed to reload", [1]),
        ("", "error 500: Failed to reload", [1]),
        ("[0]\n[1]\n[2]\n[3]\nx\n", {}, [-1]),
    ):
        path.write_text(text)
        assert bench.rpc("regex.reload") == answer
        assert groups(bench, ("new", 3)) == result
    assert groups(bench, ("x", 0), ("x", 3)) == [-1, 1]
    path.unlink()
    assert bench.rpc("regex.reload") == "error 500: Failed to reload"


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        ("pcre_caseless", [1, -1, -1, 1, -1]),
        ("pcre_multiline", [-1, 1, -1, 1, -1]),
        ("pcre_dotall", [-1, -1, -1, 1, 1]),
        ("pcre_extended", [-1, -1, 1, -1, -1]),
    ],
)
def test_options(tmp_path: Path, option: str, wanted: list[int]) -> None:
    path = tmp_path / "groups"
    path.write_text("[0]\n^abc$\n[1]\na b\n[2]\n^x.y\n")
    bench = Bench([f"regex:file={path}", f"regex:{option}=1"])
    assert groups(bench, ("ABC", 0), ("1\nabc", 0), ("ab", 1), ("a b", 1), ("x\ny", 2)) == wanted


def test_without_a_file() -> None:
    bench = Bench()
    assert groups(bench, ("x", 0)) == [-2]
    assert bench.rpc("regex.reload") == "error 500: Group matching not enabled"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(", "groups:1: an expression before"),
        ("[0]\n(", "missing"),
        ("[0]\n[1]", "max_groups"),
        ("[0]\nabcdefghi", "longer"),
    ],
)
def test_files_that_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "groups"
    path.write_text(text)
    with pytest.raises(ParamError, match=said):
        Bench([f"regex:file={path}", "regex:max_groups=1", "regex:group_max_size=10"])
