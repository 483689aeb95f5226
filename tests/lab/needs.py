"""What a test needs from the machine: present, or a skip that says how to get it, or (in CI) a failure.

``KSR_NO_SKIP=1`` turns every such skip into a failure: a CI run that lacks a tool must not look green.
"""

import os
import shutil
from pathlib import Path

import pytest

STOCK_FOLDER = Path("/usr/share/doc/kamailio/examples/kemi")
STOCK_SCRIPT = STOCK_FOLDER / "kamailio-basic-kemi-python.py"
STOCK_CONFIG = STOCK_FOLDER / "kamailio-basic-kemi.cfg"
STOCK_NATIVE = STOCK_FOLDER / "kamailio-basic-kemi-native.cfg"
SCHEMA_FOLDER = Path("/usr/share/kamailio/db_sqlite")


def no_skip() -> bool:
    """True where a missing tool is an error: ``KSR_NO_SKIP`` is set to something other than 0."""
    return os.environ.get("KSR_NO_SKIP", "0") not in ("", "0")


def missing(what: str, package: str) -> None:
    """Skips the running test (fails it under ``KSR_NO_SKIP``), naming the Debian package to install."""
    text = f"{what} is not on this machine; install it with: apt-get install {package}"
    if no_skip():
        pytest.fail(f"{text} (KSR_NO_SKIP is set, so nothing may be skipped)", pytrace=False)
    pytest.skip(text)


def need(tool: str, package: str) -> str:
    """The path of the program ``tool``; skips or fails the test when it is not installed."""
    found = shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin")
    if found is None:
        missing(tool, package)
    return found or tool


def need_file(path: Path, package: str) -> Path:
    """``path`` itself; skips or fails the test when it does not exist."""
    if not path.exists():
        missing(str(path), package)
    return path
