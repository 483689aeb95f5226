"""Kamailio's textopsx: applying changes, values inside header fields, iterators over fields and body lines."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ..posixre import PosixError, compile_posix
from ..sip.build import edited
from ..sip.errors import SipError
from ..sip.lumps import Lump, Lumps
from ..sip.message import SipMessage
from .core_log import log
from .declare import Module, Value, export
from .textops_hf import remove_where
from .textopsx_values import ValueFunctions

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import Header

#: What modules keep about edits that are now part of the text.
_EDIT_MARKS = ("nathelper.contact", "nathelper.sdp")

#: Fields that keep_hf() never removes.
_KEPT = frozenset(
    "via from to call-id cseq content-length content-type max-forwards contact route record-route".split()
)


def set_text(run: Run, text: str) -> bool:
    """Give the message another text and parse it, keeping its routing state. False, nothing changed: it is no SIP."""
    msg = run.msg
    try:
        new = SipMessage(text, msg.rcv)
        if new.via is None:
            raise SipError("a message without Via cannot be routed")
    except SipError as error:
        log.error("textopsx: %s", error)
        return False
    msg.take_text(new)
    return True


class _Iterator:
    """A place in a list of fields or lines: -1 before the first, ``len`` after the last."""

    __slots__ = ("at", "items")

    def __init__(self, items: list[tuple[int, str, Header | None]]) -> None:
        self.items = items
        self.at = -1

    @property
    def item(self) -> tuple[int, str, Header | None] | None:
        return self.items[self.at] if 0 <= self.at < len(self.items) else None


class Textopsx(ValueFunctions, Module):
    """Changes that take effect at once, and header fields value by value."""

    name = "textopsx"

    # -- the message --------------------------------------------------------------------------------------------------

    @export
    def msg_apply_changes(self, run: Run) -> int:
        """Apply the edits made so far: the message is then as if it had come with them.

        1; -1 when an edit depends on where the message goes (Record-Route), and nothing is applied then.
        """
        msg = run.msg
        if any(not isinstance(lump.text, str) for lump in msg.lumps.items):
            log.error("msg_apply_changes: there is a Record-Route, which is made when the message is sent")
            return -1
        first = msg.buf[: msg.head_at]
        if msg.is_request and msg.new_uri:
            first = f"{msg.method} {msg.new_uri} {msg.version}\r\n"
        if not set_text(run, first + edited(msg)):
            return -1
        msg.lumps = Lumps()
        msg.new_uri = ""
        for mark in _EDIT_MARKS:
            msg.extra.pop(mark, None)
        return 1

    @export
    def msg_set_buffer(self, run: Run, text: str) -> int:
        """Make ``text`` the message, edits so far being dropped: 1; -1 for '' and for what is no SIP message."""
        if not text or not set_text(run, text):
            return -1
        msg = run.msg
        msg.lumps = Lumps()
        msg.new_uri = ""
        for mark in _EDIT_MARKS:
            msg.extra.pop(mark, None)
        return 1

    def _status(self, run: Run, code: int, reason: str) -> int:
        msg = run.msg
        # The class decides what transactions do: only what stays in it can be changed, and final 2xx not at all.
        kind = code // 100
        if msg.is_request or not reason or not 1 <= kind <= 6 or kind == 2 or kind != msg.status // 100:
            return -1
        line = f"{msg.version} {code} {reason}\r\n"
        delta = len(line) - msg.head_at
        lumps = [Lump(lump.offset + delta, lump.length, lump.text, lump.kind) for lump in msg.lumps.items]
        if not set_text(run, line + msg.buf[msg.head_at :]):
            return -1
        msg.lumps = Lumps(lumps)
        return 1

    @export
    def change_reply_status(self, run: Run, code: int, reason: str) -> int:
        """Change status code and reason of a reply, inside its class and not for 2xx: 1, else -1."""
        return self._status(run, code, reason)

    @export
    def change_reply_status_code(self, run: Run, code: int) -> int:
        """Change the status code of a reply, inside its class and not for 2xx: 1, else -1."""
        return self._status(run, code, run.msg.reason)

    @export
    def remove_body(self, run: Run) -> int:
        """Remove the body; Content-Type is left to the script: 1."""
        msg = run.msg
        if msg.body_at < len(msg.buf):
            lumps = msg.lumps
            lumps.items = [lump for lump in lumps.items if lump.offset < msg.body_at]
            lumps.delete(msg.body_at, len(msg.buf) - msg.body_at, "body")
        return 1

    @export
    def keep_hf(self, run: Run) -> int:
        """Remove all header fields but those that a proxy needs and those of the body; -1.

        It keeps Via, From, To, Call-ID, CSeq, Content-*, Max-Forwards, Contact, Route and Record-Route. -1
        is what Kamailio's KEMI function always says.
        """
        remove_where(run.msg, lambda header: header.key not in _KEPT)
        return -1

    @export
    def keep_hf_re(self, run: Run, regex: str) -> int:
        """Like ``keep_hf``; fields whose name matches the regex stay too."""
        try:
            search = compile_posix(regex, ignore_case=True).search
        except PosixError as error:
            log.error("keep_hf: %s", error)
            return -1
        remove_where(run.msg, lambda h: h.key not in _KEPT and search(h.name) is None)
        return -1

    @export
    def fnmatch(self, run: Run, text: str, pattern: str) -> int:
        """0 when ``text`` matches the shell pattern, else -1."""
        return 0 if fnmatchcase(text, pattern) else -1

    @export
    def fnmatch_ex(self, run: Run, text: str, pattern: str, flags: str) -> int:
        """Like ``fnmatch``: the flag i of Kamailio's documentation has no effect there (5.6, Linux) either."""
        return 0 if fnmatchcase(text, pattern) else -1

    # -- iterators ----------------------------------------------------------------------------------------------------

    @staticmethod
    def _iterators(run: Run, kind: str) -> dict[str, _Iterator]:
        found: dict[str, _Iterator] = run.local.setdefault(kind, {})
        return found

    def _start(self, run: Run, kind: str, name: str) -> int:
        msg = run.msg
        items: list[tuple[int, str, Header | None]]
        if kind == "hf":
            items = [(at, header.raw, header) for at, header in zip(msg.offsets, msg.headers, strict=False)]
        else:
            items = []
            at = msg.body_at
            for line in msg.body.splitlines(keepends=True):
                items.append((at, line, None))
                at += len(line)
        self._iterators(run, kind)[name] = _Iterator(items)
        return 1

    def _move(self, run: Run, kind: str, name: str, by: int) -> int:
        iterator = self._iterators(run, kind).get(name)
        if iterator is None or not name:
            return -1
        iterator.at = max(-1, min(iterator.at + by, len(iterator.items)))
        return -1 if iterator.at == len(iterator.items) else 1

    def _end(self, run: Run, kind: str, name: str) -> int:
        iterator = self._iterators(run, kind).get(name)
        if iterator is None:
            return -1
        iterator.at = -1
        return 1

    def _item(self, run: Run, kind: str, name: str) -> tuple[int, str, Header | None] | None:
        iterator = self._iterators(run, kind).get(name)
        return iterator.item if iterator is not None else None

    def _edit(self, run: Run, kind: str, name: str, text: str | None, after: bool) -> int:
        item = self._item(run, kind, name)
        if item is None:
            return -1
        at, raw, header = item
        what = header.key if header is not None else "body"
        if text is None:
            run.msg.lumps.delete(at, len(raw), what)
        else:
            run.msg.lumps.insert(at + len(raw) if after else at, text, what)
        return 1

    @export
    def hf_iterator_start(self, run: Run, name: str) -> int:
        """Begin to go through the header fields with the iterator ``name``: it is before the first field."""
        return self._start(run, "hf", name)

    @export
    def hf_iterator_next(self, run: Run, name: str) -> int:
        """Go to the next field: 1, -1 after the last."""
        return self._move(run, "hf", name, 1)

    @export
    def hf_iterator_prev(self, run: Run, name: str) -> int:
        """Go to the field before: 1, also when that is before the first."""
        return self._move(run, "hf", name, -1)

    @export
    def hf_iterator_end(self, run: Run, name: str) -> int:
        """End the iteration: 1, -1 when there was none of that name."""
        return self._end(run, "hf", name)

    @export
    def hf_iterator_hname(self, run: Run, name: str) -> Value:
        """The name of the field in hand, None without one."""
        item = self._item(run, "hf", name)
        return item[2].name if item is not None and item[2] is not None else None

    @export
    def hf_iterator_hbody(self, run: Run, name: str) -> Value:
        """The body of the field in hand, None without one."""
        item = self._item(run, "hf", name)
        return item[2].body if item is not None and item[2] is not None else None

    @export
    def hf_iterator_rm(self, run: Run, name: str) -> int:
        """Remove the field in hand: 1, -1 without one."""
        return self._edit(run, "hf", name, None, False)

    @export
    def hf_iterator_append(self, run: Run, name: str, text: str) -> int:
        """Add ``text`` (whole lines) after the field in hand: 1, -1 without one."""
        return self._edit(run, "hf", name, text, True)

    @export
    def hf_iterator_insert(self, run: Run, name: str, text: str) -> int:
        """Add ``text`` (whole lines) before the field in hand: 1, -1 without one."""
        return self._edit(run, "hf", name, text, False)

    @export
    def bl_iterator_start(self, run: Run, name: str) -> int:
        """Begin to go through the lines of the body with the iterator ``name``: it is before the first line."""
        return self._start(run, "bl", name)

    @export
    def bl_iterator_next(self, run: Run, name: str) -> int:
        """Go to the next line: 1, -1 after the last."""
        return self._move(run, "bl", name, 1)

    @export
    def bl_iterator_end(self, run: Run, name: str) -> int:
        """End the iteration: 1, -1 when there was none of that name."""
        return self._end(run, "bl", name)

    @export
    def bl_iterator_value(self, run: Run, name: str) -> Value:
        """The line in hand with its line end, None without one."""
        item = self._item(run, "bl", name)
        return item[1] if item is not None else None

    @export
    def bl_iterator_rm(self, run: Run, name: str) -> int:
        """Remove the line in hand: 1, -1 without one."""
        return self._edit(run, "bl", name, None, False)

    @export
    def bl_iterator_append(self, run: Run, name: str, text: str) -> int:
        """Add ``text`` after the line in hand: 1, -1 without one."""
        return self._edit(run, "bl", name, text, True)

    @export
    def bl_iterator_insert(self, run: Run, name: str, text: str) -> int:
        """Add ``text`` before the line in hand: 1, -1 without one."""
        return self._edit(run, "bl", name, text, False)
