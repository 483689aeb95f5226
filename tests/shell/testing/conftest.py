"""A proxy on a script given as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ksrshell.testing import Ksr
from shell.testing.routers import RELAY, Load, script


@pytest.fixture
def load(ksr: Ksr, tmp_path: Path) -> Load:
    """See ``Load``."""

    def load(methods: str = RELAY, head: str = "", **options: Any) -> Ksr:
        path = tmp_path / "router.py"
        path.write_text(script(methods, head))
        ksr.load(path, **options)
        return ksr

    return load
