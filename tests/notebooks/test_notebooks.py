"""The course, each notebook from its first cell to its last, and its exercises both ways."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("nbclient", reason="nbclient runs notebooks: pip install 'ksrshell[test]'")

from lab.jupyterlab import environment
from notebooks.running import FOLDER, kernel, load, missing, role, text

#: nbclient and jupyter_client leave sockets and event loops to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture
def jupyter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a short path, for sockets, and all of Jupyter's own."""
    with tempfile.TemporaryDirectory(prefix="ksr-") as folder:
        for name, value in environment(Path(folder)).items():
            monkeypatch.setenv(name, value)
        # Notebooks run pytest, too: without plugins that take long to begin with.
        monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:pytest_cov")
        yield Path(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_notebooks_are_as_their_sources() -> None:
    done = subprocess.run([sys.executable, FOLDER / "build.py", "--check"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{number:02}" for number in range(1, 11)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_runs(path: Path, jupyter: Path) -> None:
    notebook = load(path)
    cells = [(number, cell) for number, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for _, cell in cells)
    assert sum(1 for _, cell in cells if cell.metadata.get("ksr", {}).get("expect")) >= 5
    with kernel(notebook, jupyter) as client:
        for number, cell in cells:
            client.execute_cell(cell, number)
            assert not missing(cell), f"{missing(cell)} in the output of\n{cell.source}\nwhich is\n{text(cell)}"
        exercises = [each for each in cells if role(each[1]) == "exercise"]
        checks = [each for each in cells if role(each[1]) == "check"]
        assert exercises and len(exercises) == len(checks)
        for exercise, check in zip(exercises, checks, strict=True):
            assert text(check[1]).startswith("Not yet: "), f"an empty answer must get a hint, not\n{text(check[1])}"
            exercise[1].source = exercise[1].metadata["ksr"]["solution"]
            for number, cell in (exercise, check):
                client.execute_cell(cell, number)
            assert text(check[1]) == "Right."
