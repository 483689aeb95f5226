"""Fixtures for every test."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def as_it_was(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each test finds the log's level, and no module of a script that another test has loaded."""
    log = logging.getLogger("ksrcore")
    level = log.level
    before = set(sys.modules)
    yield
    log.setLevel(level)
    base = str(tmp_path_factory.getbasetemp())
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if name == "KSR" or str(file).startswith(base):
            del sys.modules[name]


_CORPUS = Path(__file__).parent / "sip" / "corpus"


@pytest.fixture(scope="session")
def corpus() -> dict[str, bytes]:
    """Whole SIP datagrams by file name without suffix: ``wsinv`` and the other messages of RFC 4475, ``invite``..."""
    files = [*_CORPUS.glob("*.sip"), *_CORPUS.glob("rfc4475/*.dat")]
    return {path.stem: path.read_bytes() for path in sorted(files)}
