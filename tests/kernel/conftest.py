"""Jupyter's folders for the kernel's tests: nothing of the user's own is read or written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.jupyterlab import environment


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the kernelspec of this interpreter, which Jupyter uses until the end of the tests."""
    folder = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(folder).items():
            patch.setenv(name, value)
        yield folder
