"""The stubs of KSR: up to date, and what a type checker says with them about good and bad scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ksrcore.kemi.stubs import declarations, stubs
from lab.needs import STOCK_SCRIPT

FOLDER = Path(__file__).parents[2] / "core" / "KSR-stubs"


def test_the_stubs_are_those_of_the_declarations() -> None:
    wanted = stubs(declarations())
    have = {path.name: path.read_text() for path in FOLDER.glob("*.pyi")}
    assert have == wanted, f"run: {sys.executable} -m ksrcore.kemi.stubs core/KSR-stubs"


def mypy(script: Path, folder: Path) -> str:
    """What mypy says about a script."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file=", "--check-untyped-defs", "--no-incremental", str(script)],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(FOLDER.parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout


@pytest.mark.skipif(not STOCK_SCRIPT.exists(), reason="needs the stock script: apt install kamailio")
def test_the_stock_script_has_no_finding_but_nulls(tmp_path: Path) -> None:
    errors = [line for line in mypy(STOCK_SCRIPT, tmp_path).splitlines() if ": error: " in line]
    assert errors and not [line for line in errors if "None" not in line]


def test_mistakes_are_found(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import KSR as KSR\n"
        "def ksr_request_route(msg):\n"
        "    text = 'sip:' + KSR.pv.get('$rU')\n"
        "    KSR.sl.send_reply('404', 'Not found')\n"
        "    KSR.tm.t_relax()\n"
        "    KSR.hdr.append('X-A: b\\r\\n')\n"
        "    KSR.setflag(flag=1)\n"
        "    return 1\n"
    )
    said = mypy(script, tmp_path)
    assert "script.py:3: error" in said and "None" in said
    assert 'script.py:4: error: Argument 1 to "send_reply" has incompatible type "str"; expected "int"' in said
    assert "script.py:5: error" in said and "t_relax" in said
    assert "script.py:6" not in said
    assert "script.py:7: error" in said
