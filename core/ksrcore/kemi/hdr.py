"""``KSR.hdr``: header fields. Edits are lumps: reads go on seeing the message as it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..sip.message import COMPACT
from .declare import Module, Value, export

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import Header, SipMessage


def header_key(name: str) -> str:
    """The key of a field name as scripts write it: lower case, the long name for a compact one; '' for ''."""
    key = name.lower()
    return COMPACT.get(key, key)


def remove_headers(msg: SipMessage, key: str) -> int:
    """Remove every field of that key; the number of those in the message."""
    if key not in msg.index:
        return 0
    offsets = msg.offsets
    found = 0
    removed = {lump.offset for lump in msg.lumps.items if lump.kind == key and lump.length} if msg.lumps.items else ()
    for n, header in enumerate(msg.headers):
        if header.key == key:
            found += 1
            if offsets[n] not in removed:
                msg.lumps.delete(offsets[n], len(header.raw), key)
    return found


def _end_of_field(msg: SipMessage, header: Header) -> int:
    return msg.offset_of(header) + len(header.raw)


class Hdr(Module):
    """The header functions of Kamailio's core."""

    name = "hdr"

    @export
    def append(self, run: Run, text: str) -> int:
        """Add ``text``, whole field lines with their CRLF, after the last header field."""
        msg = run.msg
        msg.lumps.insert(msg.headers_end, text, "append")
        return 1

    @export
    def insert(self, run: Run, text: str) -> int:
        """Add ``text``, whole field lines with their CRLF, before the first header field."""
        run.msg.lumps.insert(run.msg.head_at, text, "insert")
        return 1

    @export
    def append_after(self, run: Run, text: str, name: str) -> int:
        """Add ``text`` after the first field called ``name``, after the last field when there is none."""
        if not name:
            return -1
        msg = run.msg
        header = msg.index.get(header_key(name))
        msg.lumps.insert(msg.headers_end if header is None else _end_of_field(msg, header), text, "append")
        return 1

    @export
    def insert_before(self, run: Run, text: str, name: str) -> int:
        """Add ``text`` before the first field called ``name``, before the first field when there is none."""
        if not name:
            return -1
        msg = run.msg
        header = msg.index.get(header_key(name))
        msg.lumps.insert(msg.head_at if header is None else msg.offset_of(header), text, "insert")
        return 1

    @export
    def append_to_reply(self, run: Run, text: str) -> int:
        """Add ``text``, whole field lines with their CRLF, to the replies this proxy makes to the request."""
        if not text:
            return -1
        run.msg.reply_lumps.append(text)
        return 1

    @export
    def remove(self, run: Run, name: str) -> int:
        """Remove every field called ``name``: 1, also when there is none; -1 for ''."""
        if not name:
            return -1
        remove_headers(run.msg, header_key(name))
        return 1

    @export
    def rmappend(self, run: Run, name: str, text: str) -> int:
        """Remove every field called ``name`` and add ``text`` after the last field."""
        if not name:
            return -1
        remove_headers(run.msg, header_key(name))
        return self.append(run, text)

    @export
    def rminsert(self, run: Run, name: str, text: str) -> int:
        """Remove every field called ``name`` and add ``text`` before the first field."""
        if not name:
            return -1
        remove_headers(run.msg, header_key(name))
        return self.insert(run, text)

    @export
    def is_present(self, run: Run, name: str) -> int:
        """1 when there is a field called ``name`` (compact or long form, in any case), else -1."""
        return 1 if name and header_key(name) in run.msg.index else -1

    @export
    def get(self, run: Run, name: str) -> Value:
        """The body of the first field called ``name``, None without one."""
        header = run.msg.index.get(header_key(name)) if name else None
        return header.body if header is not None else None

    @export
    def gete(self, run: Run, name: str) -> Value:
        """The body of the first field called ``name``, '' without one."""
        header = run.msg.index.get(header_key(name)) if name else None
        return header.body if header is not None else ""

    @export
    def getw(self, run: Run, name: str) -> Value:
        """The body of the first field called ``name``, '<null>' without one."""
        header = run.msg.index.get(header_key(name)) if name else None
        return header.body if header is not None else "<null>"

    def _at(self, msg: SipMessage, name: str, idx: int) -> str | None:
        found = msg.all(header_key(name)) if name else []
        return found[idx].body if -len(found) <= idx < len(found) else None

    @export
    def get_idx(self, run: Run, name: str, idx: int) -> Value:
        """The body of field ``idx`` of that name (0 the first, -1 the last), None without one."""
        return self._at(run.msg, name, idx)

    @export
    def gete_idx(self, run: Run, name: str, idx: int) -> Value:
        """The body of field ``idx`` of that name (0 the first, -1 the last), '' without one."""
        body = self._at(run.msg, name, idx)
        return "" if body is None else body

    @export
    def getw_idx(self, run: Run, name: str, idx: int) -> Value:
        """The body of field ``idx`` of that name (0 the first, -1 the last), '<null>' without one."""
        body = self._at(run.msg, name, idx)
        return "<null>" if body is None else body

    @export
    def match_content(self, run: Run, name: str, op: str, value: str, which: str) -> bool:
        """Compare the bodies of the fields called ``name`` with ``value``, in any case.

        ``op``: eq, ne, sw (starts with), in (contains). ``which``: f the first field, l the last, a all of them,
        o at least one. (Kamailio 5.6.3 answers False to ``ne`` where two texts of one length differ.)
        """
        compare = _OPS.get(op.lower())
        found = run.msg.all(header_key(name)) if name else []
        kind = which[:1].lower()
        if compare is None or not found or kind not in ("f", "l", "a", "o"):
            return False
        value = value.lower()
        if kind == "f":
            del found[1:]
        elif kind == "l":
            del found[:-1]
        results = [compare(header.body.lower(), value) for header in found]
        return any(results) if kind == "o" else all(results)


_OPS: dict[str, Callable[[str, str], bool]] = {
    "eq": str.__eq__,
    "ne": str.__ne__,
    "sw": str.startswith,
    "in": str.__contains__,
}
