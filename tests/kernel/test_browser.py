"""JupyterLab in Chromium: the tour is run, its ladder, its scrubber and its tables are clicked."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.needs import need


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_tour(tmp_path: Path, dark: bool) -> None:
    need("chromium", "chromium")
    from lab.browser import look, tour

    with tour(tmp_path, dark=dark) as page:
        seen = look(page)
    assert seen["arrows"] == 16
    assert seen["calls"] > 10 and seen["steps"] > 20
    assert seen["calls_at_first"] == 1
    assert seen["bars"] > 5
    assert seen["hacked"] is None
    assert seen["background"] == ("rgb(17, 17, 17)" if dark else "rgb(255, 255, 255)")


def test_the_first_tutorial(tmp_path: Path) -> None:
    need("chromium", "chromium")
    from lab.browser import first_tutorial, opened

    book = Path(__file__).parents[2] / "notebooks" / "01-first-call.ipynb"
    with opened(tmp_path, book) as page:
        seen = first_tutorial(page)
    assert seen["arrows"] > 5 and seen["calls"] > 2
