"""What KSR calls in a sandbox would have done: messages sent, the message changed, state and stores written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .view import View

if TYPE_CHECKING:
    from rich.console import RenderableType


class Diff(View):
    """A unified diff; ``text`` is empty when nothing changed. ``unknown``: why that cannot be told, '' usually."""

    def __init__(self, text: str, unknown: str = "") -> None:
        self.text = text
        self.unknown = unknown

    def __bool__(self) -> bool:
        return bool(self.text.strip())

    def __str__(self) -> str:
        return self.text

    def __rich__(self) -> RenderableType:
        from .render.diff import diff

        return diff(self.text, self.unknown)

    def to_json(self) -> Any:
        return self.text


class Sent(View):
    """A message that would have been sent: ``proto``, ``dst`` ("ip:port"), ``raw`` (bytes)."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.proto = str(data.get("proto") or "")
        self.dst = str(data.get("dst") or "")
        self.data = str(data.get("data") or "")

    @property
    def raw(self) -> bytes:
        return self.data.encode("latin-1")

    def __rich__(self) -> RenderableType:
        from .render.effects import sent_view

        return sent_view(self)

    def to_json(self) -> Any:
        return {"proto": self.proto, "dst": self.dst, "data": self.data}


class Effects(View):
    """``sent`` (messages), ``diff`` (the message as it came against as it would leave), ``state`` (routing state that
    differs from the start: URIs, destination, flags), ``writes`` (what would have been written to tables and stores).
    ``about``: the proxy and the message, for where no prompt says so.
    """

    def __init__(self, data: Mapping[str, Any], about: str = "") -> None:
        self._data = data
        self.about = about
        self.sent = [Sent(sent) for sent in data.get("sent") or []]
        self.diff = Diff(str(data.get("diff") or ""), str(data.get("unknown") or ""))
        self.state: dict[str, Any] = dict(data.get("state") or {})
        self.writes = [str(write) for write in data.get("writes") or []]

    def __bool__(self) -> bool:
        return bool(self.sent or self.diff or self.writes)

    def __rich__(self) -> RenderableType:
        from .render.effects import effects_view

        return effects_view(self)

    def to_json(self) -> Any:
        return dict(self._data)
