"""docs/modules.md says what the modules declare."""

from __future__ import annotations

from pathlib import Path

from ksrcore.kemi import MODULES
from ksrcore.kemi.paramdoc import page

DOCUMENT = Path(__file__).parents[2] / "docs" / "modules.md"


def test_the_page_is_current() -> None:
    assert DOCUMENT.read_text() == page(), "run python -m ksrcore.kemi.paramdoc docs/modules.md"


def test_every_parameter_is_on_it() -> None:
    text = page()
    for module in MODULES:
        if module.name not in ("", "x"):
            section = text.partition(f"\n## {module.name}\n")[2].partition("\n## ")[0]
            assert section
            rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
            assert [row[0] for row in rows] == [f"| `{name}`" for name in sorted(module.params)]
            assert all(len(line.replace("\\|", "").split("|")) == 5 for line in section.splitlines() if "| `" in line)
