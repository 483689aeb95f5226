"""Header and body edits, Kamailio's way: as *lumps* against byte offsets of the message as it came.

A script's edits are not seen by its later reads (``KSR.hdr.append("X: 1\\r\\n")`` and then ``KSR.hdr.is_present("X")``
says no): they take effect when the message is sent, or at ``KSR.textopsx.msg_apply_changes()``. Texts may depend on
the socket the message leaves by (Record-Route, Via), so a text is a string or a function of where it goes.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..net.address import Dest

#: A replacement or insertion: text, or a function of the destination that gives it.
Text = str | Callable[["Dest"], str]


class Lump:
    """At ``offset`` remove ``length`` bytes and put ``text`` there. ``kind``: the lower-case field name, or 'body'."""

    __slots__ = ("offset", "length", "text", "kind")

    def __init__(self, offset: int, length: int, text: Text, kind: str) -> None:
        self.offset = offset
        self.length = length
        self.text = text
        self.kind = kind

    def __repr__(self) -> str:
        return f"<Lump {self.kind} @{self.offset} -{self.length} {self.text!r}>"


by_offset = attrgetter("offset")


class Lumps:
    """The edits of one message, in the order they were made."""

    __slots__ = ("items",)

    def __init__(self, items: list[Lump] | None = None) -> None:
        self.items: list[Lump] = items or []

    def insert(self, offset: int, text: Text, kind: str = "") -> None:
        """Insert before the byte at ``offset``; several insertions at one place keep the order they were made in."""
        self.items.append(Lump(offset, 0, text, kind))

    def delete(self, offset: int, length: int, kind: str = "") -> None:
        self.items.append(Lump(offset, length, "", kind))

    def replace(self, offset: int, length: int, text: Text, kind: str = "") -> None:
        self.items.append(Lump(offset, length, text, kind))

    def deleted(self, offset: int) -> bool:
        """Whether an edit removes the byte at ``offset``."""
        return any(lump.offset <= offset < lump.offset + lump.length for lump in self.items)

    def copy(self) -> Lumps:
        return Lumps(self.items[:])

    def __len__(self) -> int:
        return len(self.items)

    def apply(self, buf: str, start: int, stop: int, dest: Dest, extra: list[Lump] | None = None) -> str:
        """``buf[start:stop]`` with the edits in that range done; ``extra`` come after ours at equal offsets.

        Where edits overlap, the earlier offset wins, as in Kamailio: the later one only extends what is removed. Of
        edits at one offset all texts are kept.
        """
        items = self.items if extra is None else self.items + extra
        parts: list[str] = []
        add = parts.append
        at = start
        for lump in sorted(items, key=by_offset):
            offset = lump.offset
            if offset != at:
                if offset < at or offset > stop:
                    return _apply_all(items, buf, start, stop, dest)
                add(buf[at:offset])
            text = lump.text
            add(text if type(text) is str else text(dest))  # type: ignore[operator]
            at = offset + lump.length
        if at > stop:
            return _apply_all(items, buf, start, stop, dest)
        add(buf[at:stop])
        return "".join(parts)


def _apply_all(items: list[Lump], buf: str, start: int, stop: int, dest: Dest) -> str:
    """The same when some edits overlap or are out of range."""
    parts: list[str] = []
    at = start
    last = -1
    for lump in sorted(items, key=by_offset):
        offset = lump.offset
        if offset < start or offset > stop:
            continue
        if offset < at:
            if offset == last:
                text = lump.text
                parts.append(text if isinstance(text, str) else text(dest))
            at = max(at, offset + lump.length)
            continue
        last = offset
        text = lump.text
        parts += buf[at:offset], text if isinstance(text, str) else text(dest)
        at = offset + lump.length
    parts.append(buf[at:stop])
    return "".join(parts)
