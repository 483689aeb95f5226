"""The errors a user of the shell meets: each is one line that says what is wrong and what to do."""

from __future__ import annotations

from typing import Any


class KsrShellError(Exception):
    """The base of all of them: the shell prints the text alone, never a traceback of its own code."""


class RemoteError(KsrShellError):
    """The proxy refused a call. ``code``: JSON-RPC's or Kamailio's; ``data``: details, may be empty."""

    def __init__(self, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        self.code = code
        self.message = message
        self.data = data or {}
        # The errors of KSR functions name the function; their class in front says nothing more.
        kind = self.type if self.type.startswith("Ksr") else ""
        super().__init__(message.removeprefix(f"{kind}: ") if kind else message)

    @property
    def type(self) -> str:
        """The error's class in the proxy, such as ``KsrArgumentError``; empty when it has none."""
        return str(self.data.get("type", ""))

    @property
    def traceback(self) -> str:
        """The frames of the routing script that led to it; empty when no script ran."""
        return str(self.data.get("traceback") or "")


class Disconnected(KsrShellError, ConnectionError):
    """The proxy went away, or is not there. The next call tries to reach it again."""


class NoAnswer(KsrShellError, TimeoutError):
    """The proxy did not answer a call in time."""


class AttachError(KsrShellError):
    """There is no proxy to attach to, more than one, or one that belongs to somebody else."""


class UsageError(KsrShellError, ValueError):
    """A function or magic of the shell was called in a way that it cannot understand."""


class NotFound(KsrShellError, KeyError, IndexError):
    """A message, header, route or version that was asked for does not exist (any more).

    Both of Python's, so that what mappings and sequences inherit (``get``, ``in``) works.
    """

    __str__ = Exception.__str__  # KeyError's would quote the text


class UnknownName(KsrShellError, AttributeError):
    """``KSR`` has no such function or module; the text names the nearest ones."""
