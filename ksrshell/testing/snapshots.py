"""Outcomes kept in files: ``__ksr__/<test file>/<test>.snap`` beside the test, compared in later runs.

What differs from run to run without a change of the script (branches, tags, nonces, dates, our version) is written as
its name. What the script did on the way is left out: a snapshot is of what others see.
"""

from __future__ import annotations

import difflib
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import TestingError, UsageError
from .result import Result

if TYPE_CHECKING:
    from .sent import Sent

__all__ = ["SnapshotMismatch", "Snapshots", "outcome"]

__tracebackhide__ = True

_NORMAL: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"z9hG4bK[0-9a-f]+\.[0-9a-f]{32}(\.[0-9a-f]+)?"), r"z9hG4bK-BRANCH\1"),
    (re.compile(r"tag=[0-9a-f]{32}[-.][0-9a-f]{8}"), "tag=TAG"),
    (re.compile(r'nonce="[^"]*"'), 'nonce="NONCE"'),
    (re.compile(r"(?m)^(Date: ).*$"), r"\1DATE"),
    (re.compile(r"(?m)^((?:Server|User-Agent): ksrshell) \([^)\n]*\)"), r"\1"),
)


class SnapshotMismatch(TestingError, AssertionError):
    """The outcome is not that of the snapshot, or there is none yet."""


def outcome(result: Result) -> str:
    """The text that is kept: what came in, what was sent where, how it ended."""
    lines = [f"# {result._step.title}"]
    if result.exception is not None:
        lines.append(f"# raised {type(result.exception).__name__}: {result.exception}")
    if not result.sent:
        lines.append("# nothing was sent")
    for sent in result.sent:
        lines += ["", f"--> {sent.to}{'  (again)' if sent.again else ''}", _normal(sent)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _normal(sent: Sent) -> str:
    text = sent.text
    for pattern, name in _NORMAL:
        text = pattern.sub(name, text)
    return text.rstrip("\n")


def _file_name(test: str) -> str:
    """Of a test, such as ``TestX.test_it[SIP/2.0 486 Busy]``; other names for other tests."""
    plain = re.sub(r"\[([\w.-]*)\]$", r"-\1", test)
    name = re.sub(r"[^\w.-]+", "-", plain).strip("-")
    if name != plain:
        name += f"-{zlib.crc32(test.encode()):08x}"
    return name


class Snapshots:
    """``ksr.snapshot``: ``assert r == ksr.snapshot`` or ``ksr.snapshot(r, "name")``.

    Without a name snapshots of one test are numbered in the order they are compared. ``update``: write them.
    """

    def __init__(self, folder: Path, test: str, update: bool) -> None:
        self._folder = folder
        self._test = _file_name(test)
        self._update = update
        self._count = 0
        #: Why the last comparison was false.
        self.explanation: list[str] = []

    def _path(self, name: str) -> Path:
        if name:
            if not re.fullmatch(r"[\w-]+", name) or name.isdigit():
                raise UsageError(f"the name of a snapshot: letters, digits, _ and -, not digits alone; got {name!r}")
            return self._folder / f"{self._test}.{name}.snap"
        self._count += 1
        return self._folder / (f"{self._test}.snap" if self._count == 1 else f"{self._test}.{self._count}.snap")

    def __call__(self, result: Result, name: str = "") -> None:
        """Raises :class:`SnapshotMismatch` with the difference."""
        if not isinstance(result, Result):
            raise UsageError(f"ksr.snapshot takes what ksr.route() and its like return, got {type(result).__name__}")
        if not self._matches(result, name):
            raise SnapshotMismatch("\n".join(self.explanation))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result):
            return NotImplemented
        return self._matches(other, "")

    __hash__ = None  # type: ignore[assignment]

    def _matches(self, result: Result, name: str) -> bool:
        path = self._path(name)
        now = outcome(result)
        self.explanation = []
        shown = f"{path.parent.parent.name}/{path.parent.name}/{path.name}"
        try:
            before = path.read_text("utf-8")
        except FileNotFoundError:
            before = None
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from None
        if before == now:
            return True
        if self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(now, "utf-8")
            return True
        if before is None:
            self.explanation = [
                f"there is no snapshot {shown} yet; pytest --ksr-update writes it. The outcome is:",
                *now.splitlines(),
            ]
        else:
            self.explanation = [
                f"the outcome differs from {shown}; pytest --ksr-update takes the new one over",
                *difflib.unified_diff(before.splitlines(), now.splitlines(), "snapshot", "now", lineterm="", n=2),
            ]
        return False

    def __repr__(self) -> str:
        return "ksr.snapshot"
