"""Fixtures for every test."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")

_CORPUS = Path(__file__).parent / "sip" / "corpus"


@pytest.fixture(scope="session")
def corpus() -> dict[str, bytes]:
    """Whole SIP datagrams by file name without suffix: ``wsinv`` and the other messages of RFC 4475, ``invite``..."""
    files = [*_CORPUS.glob("*.sip"), *_CORPUS.glob("rfc4475/*.dat")]
    return {path.stem: path.read_bytes() for path in sorted(files)}
