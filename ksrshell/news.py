"""What happens in the proxy while somebody looks elsewhere, as lines for people."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class News:
    """Exceptions of the script while messages are routed, at most one in five seconds; what became of a script that
    was saved, where the proxy follows its file. ``notice(text, style)`` shows a line."""

    def __init__(self, notice: Callable[[str, str], None]) -> None:
        self._notice = notice
        self._next = 0.0
        self._hidden = 0

    def __call__(self, event: dict[str, Any]) -> None:
        if event.get("event") == "reload":
            self._notice(str(event.get("text")), "green" if event.get("taken") else "red")
        if event.get("event") != "exception":
            return
        now = time.monotonic()
        if now < self._next:
            self._hidden += 1
            return
        summary = event.get("message") or {}
        more = f" ({self._hidden} more in between)" if self._hidden else ""
        self._next, self._hidden = now + 5.0, 0
        callbacks = ", ".join(summary.get("callbacks") or ())
        self._notice(f"message {summary.get('id')}: {callbacks} raised {summary.get('exception')}{more}", "red")
