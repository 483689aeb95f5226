"""Sources of notebooks: what is made of them, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from notebooks.build import SourceError, build

SOURCE = """# Title

Text.

```
no cell
```

```python
1 + 1
```
=> 2
=> html: <b>

```python exercise
x = 0
```

```python solution
x = 1
```

```python check
x
```

The end.
"""


def test_a_notebook() -> None:
    notebook = build(SOURCE, "x")
    cells = notebook["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code", "code", "code", "markdown", "markdown"]
    text, code, exercise, check, solution, end = cells
    assert "".join(text["source"]) == "# Title\n\nText.\n\n```\nno cell\n```"
    assert code["metadata"]["ksr"] == {"expect": ["2", "html: <b>"]}
    assert exercise["metadata"]["ksr"] == {"role": "exercise", "solution": "x = 1"}
    assert check["metadata"]["jupyter"] == {"source_hidden": True}
    assert "<details>" in solution["source"][0] and "x = 1\n" in solution["source"]
    assert end["source"] == ["The end."]
    assert notebook["metadata"]["kernelspec"]["name"] == "ksr"


def test_ids_stay_and_are_distinct() -> None:
    def ids(text: str) -> list[Any]:
        return [cell["id"] for cell in build(text, "x")["cells"]]

    before = ids(SOURCE)
    assert ids("```python\nnew = 1\n```\n" + SOURCE)[1:] == before
    twice = ids("```python\n1\n```\n```python\n1\n```\n")
    assert len(set(twice)) == 2


@pytest.mark.parametrize(
    "text, why",
    [
        ("```python\n1\n", "x:1: the code block does not end"),
        ("=> 1\n", "x:1: => belongs right behind a code block"),
        ("```python\n1\n```\n\ntext\n=> 1\n", "x:6: => belongs"),
        ("```python solution\n1\n```\n", "x:1: a solution belongs right behind its exercise"),
        ("```python check\n1\n```\n", "x:1: a check without an exercise"),
        ("```python exercize\n1\n```\n", "x:1: expected exercise, solution, check or raises"),
    ],
)
def test_mistakes(text: str, why: str) -> None:
    with pytest.raises(SourceError) as caught:
        build(text, "x")
    assert str(caught.value).startswith(why)


def test_the_command(tmp_path: Path) -> None:
    here = Path(__file__).parents[2] / "notebooks" / "build.py"
    (tmp_path / "sources").mkdir()
    (tmp_path / "build.py").write_text(here.read_text())
    (tmp_path / "sources" / "a.md").write_text(SOURCE)

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, tmp_path / "build.py", *arguments], capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stderr

    assert run("--check") == (1, "a.ipynb is not as its source: python notebooks/build.py\n")
    assert run() == (0, "")
    assert run("--check") == (0, "")
    assert json.loads((tmp_path / "a.ipynb").read_text())["nbformat"] == 4
    (tmp_path / "sources" / "a.md").write_text("```python\n")
    assert run() == (2, "a:1: the code block does not end\n")
