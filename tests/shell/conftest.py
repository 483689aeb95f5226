"""Fixtures of the client side's tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ksrshell.client import Client
from ksrshell.namespace import Namespace
from ksrshell.session import Session
from shell.fake import FakeProxy


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of the test's own. Not below tmp_path: a Unix socket's path has 107 bytes at most."""
    base = Path(tempfile.mkdtemp(prefix="ksr-"))
    folder = base / "ksrshell"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    yield folder
    shutil.rmtree(base)


@pytest.fixture
def fake(runtime: Path) -> Iterator[FakeProxy]:
    with FakeProxy(runtime / "fake.sock") as proxy:
        yield proxy


@pytest.fixture
def client(fake: FakeProxy) -> Iterator[Client]:
    with Client(fake.path, timeout=5.0) as client:
        yield client


@pytest.fixture
def session(client: Client) -> Session:
    return Session(client)


@pytest.fixture
def namespace(session: Session) -> Namespace:
    return Namespace(session)
