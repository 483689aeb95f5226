"""KSR calls that the script made, and the answers to questions about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ksrcore.debug.states import short_repr

if TYPE_CHECKING:
    from ksrcore.kemi.declare import Decl

__all__ = ["Call", "Matches", "Replied"]

__tracebackhide__ = True


class Call:
    """``name`` is ``KSR.sl.send_reply``, ``args`` what the script gave. ``result``: what it returned; ``error``: what
    it raised instead, None when nothing. ``file``, ``line`` and ``function`` say where the script called it.
    ``mocked``: ``ksr.mock`` answered."""

    __slots__ = ("args", "decl", "done", "error", "file", "function", "line", "mocked", "name", "result")

    def __init__(self, decl: Decl, args: tuple[Any, ...], file: str, line: int, function: str) -> None:
        self.decl = decl
        self.name = decl.path
        self.args = args
        self.file = file
        self.line = line
        self.function = function
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self.mocked = False

    @property
    def outcome(self) -> str:
        """What came of it, for people: ``1``, ``'sip:bob@example.com'``, ``TypeError: ...``."""
        if self.error is None:
            return short_repr(self.result) if self.done else "..."
        if isinstance(self.error, SystemExit):
            return "exit"
        return f"{type(self.error).__name__}: {self.error}"

    @property
    def text(self) -> str:
        """``KSR.sl.send_reply(404, 'Not Found')``."""
        return f"{self.name}({', '.join(map(short_repr, self.args))})"

    def __repr__(self) -> str:
        return f"{self.text} -> {self.outcome}"


class Matches(Sequence[Any]):
    """What was found: true when there is any. ``question`` and ``instead`` are what a failed assertion shows."""

    def __init__(self, found: Sequence[Any], question: str, instead: str) -> None:
        self.found = found
        self.question = question
        self.instead = instead

    def __getitem__(self, index: Any) -> Any:
        return self.found[index]

    def __len__(self) -> int:
        return len(self.found)

    def __repr__(self) -> str:
        if self.found:
            return f"<{self.question}: {', '.join(map(repr, self.found))}>"
        return f"<not {self.question}; {self.instead}>"


class Replied:
    """``r.replied``: true when a reply other than 100 was sent. ``r.replied(404)`` or ``r.replied(404, "Not Found")``
    gives the replies with that code (and reason); 100 has to be asked for."""

    def __init__(self, replies: Sequence[Any], instead: str) -> None:
        self._replies = replies
        self._instead = instead  # what was sent, for questions that are answered no

    def __bool__(self) -> bool:
        return any(reply.code > 100 for reply in self._replies)

    def __call__(self, code: int | None = None, reason: str | None = None) -> Matches:
        found = [
            reply
            for reply in self._replies
            if (reply.code == code if code is not None else reply.code > 100)
            and (reason is None or reply.reason == reason)
        ]
        asked = " ".join(str(part) for part in (code, reason and repr(reason)) if part is not None)
        return Matches(found, f"replied {asked}".rstrip(), self._instead)

    def __repr__(self) -> str:
        shown = [f"{reply.code} {reply.reason}" for reply in self._replies if reply.code > 100]
        return f"<replied {', '.join(shown)}>" if shown else "<no reply>"
