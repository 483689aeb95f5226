"""Body functions of textops: whole bodies and parts of multipart bodies (RFC 2046 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..pv.accessor import assign, compile_spec
from ..pv.errors import PvError
from ..sip.params import split_params
from .core_log import log
from .declare import export
from .hdr import remove_headers

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import SipMessage

#: The delimiter that Kamailio uses when none is given.
BOUNDARY = "unique-boundary-1"


def content_type(msg: SipMessage) -> str:
    """The media type in lower case without parameters; application/sdp, as in Kamailio, when there is no field."""
    header = msg.index.get("content-type")
    return header.body.partition(";")[0].strip().lower() if header is not None else "application/sdp"


class Part:
    """A part of a multipart body, by offsets in the message.

    ``start`` is where its delimiter line begins, ``head`` where its own header fields do, ``end`` where the next
    delimiter line begins; ``type`` is its media type in lower case, ``after_type`` the offset after that field's line.
    """

    __slots__ = ("after_type", "end", "head", "start", "type")

    def __init__(self, buf: str, start: int, head: int, end: int) -> None:
        self.start = start
        self.head = head
        self.end = end
        self.type = "text/plain"
        self.after_type = head
        at = head
        while at < end:
            stop = buf.find("\n", at, end)
            stop = end if stop < 0 else stop + 1
            line = buf[at:stop].strip()
            if not line:
                break
            name, _, value = line.partition(":")
            if name.strip().lower() in ("content-type", "c"):
                self.type = value.partition(";")[0].strip().lower()
                self.after_type = stop
            at = stop


def parts_of(msg: SipMessage) -> tuple[str, list[Part], int] | None:
    """Delimiter, parts and the offset of the closing delimiter line of a multipart body; None for another body."""
    header = msg.index.get("content-type")
    if header is None or not header.body.lower().startswith("multipart/"):
        return None
    params = {name.lower(): value for name, value in split_params(header.body.partition(";")[2])}
    boundary = params.get("boundary")
    if not boundary:
        return None
    buf = msg.buf
    mark = f"--{boundary}"
    parts: list[Part] = []
    at = buf.find(mark, msg.body_at)
    while at >= 0:
        after = at + len(mark)
        line_end = buf.find("\n", after)
        if buf.startswith("--", after) or line_end < 0:
            return mark, parts, at
        following = buf.find(f"\n{mark}", line_end)
        if following < 0:
            return mark, parts, at
        parts.append(Part(buf, at, line_end + 1, following + 1))
        at = following + 1
    return None


class BodyFunctions:
    """``set_body``, ``filter_body`` and the functions of parts."""

    @export
    def has_body(self, run: Run) -> int:
        """1 when the message has a body, else -1."""
        return 1 if run.msg.body_at < len(run.msg.buf) else -1

    @export
    def has_body_type(self, run: Run, mime: str) -> int:
        """1 when the message has a body of that media type ('' any), else -1. No Content-Type means application/sdp."""
        if run.msg.body_at >= len(run.msg.buf):
            return -1
        return 1 if not mime or content_type(run.msg) == mime.lower() else -1

    @staticmethod
    def _put_body(msg: SipMessage, text: str, kind: str, more: str = "") -> None:
        """Replace the body; ``kind`` is its new Content-Type, ``more`` further header fields."""
        header = msg.index.get("content-type")
        if header is None or header.body != kind or more:
            remove_headers(msg, "content-type")
            msg.lumps.insert(msg.headers_end, f"Content-Type: {kind}\r\n{more}", "content-type")
        lumps = msg.lumps
        lumps.items = [lump for lump in lumps.items if lump.offset < msg.body_at]
        lumps.replace(msg.body_at, len(msg.buf) - msg.body_at, text, "body")

    @export
    def set_body(self, run: Run, text: str, kind: str) -> int:
        """Make ``text`` of media type ``kind`` the body: 1; -1 when one of them is ''."""
        if not text or not kind:
            return -1
        self._put_body(run.msg, text, kind)
        return 1

    @export
    def set_body_hex(self, run: Run, hexa: str, kind: str) -> int:
        """Like ``set_body`` with the bytes in hexadecimal; -1 also when they are not."""
        text = _unhex(hexa)
        return self.set_body(run, text, kind) if text is not None else -1

    @export
    def set_reply_body(self, run: Run, text: str, kind: str) -> int:
        """Make ``text`` of media type ``kind`` the body of the replies to this request: 1; -1 when one is ''."""
        if not text or not kind:
            return -1
        run.msg.reply_body = (kind, text)
        return 1

    @export
    def set_reply_body_hex(self, run: Run, hexa: str, kind: str) -> int:
        """Like ``set_reply_body`` with the bytes in hexadecimal; -1 also when they are not."""
        text = _unhex(hexa)
        return self.set_reply_body(run, text, kind) if text is not None else -1

    # -- multipart ----------------------------------------------------------------------------------------------------

    @staticmethod
    def _part(msg: SipMessage, kind: str) -> tuple[Part, str] | None:
        found = parts_of(msg)
        if found is None:
            return None
        wanted = kind.lower()
        return next(((part, found[0]) for part in found[1] if part.type == wanted), None)

    @export
    def filter_body(self, run: Run, kind: str) -> int:
        """Leave only the first part of media type ``kind`` of a multipart body: 1, -1 when there is none.

        Content-Type is left to the script.
        """
        msg = run.msg
        found = self._part(msg, kind)
        if found is None:
            return -1
        part = found[0]
        buf = msg.buf
        start = part.after_type + 2 if buf.startswith("\r\n", part.after_type) else part.after_type
        end = part.end - 2 if buf.startswith("\r\n", part.end - 2) else part.end - 1
        msg.lumps.delete(msg.body_at, start - msg.body_at, "body")
        msg.lumps.delete(end, len(buf) - end, "body")
        return 1

    @export
    def remove_body_part(self, run: Run, kind: str) -> int:
        """Remove the first part of media type ``kind`` from a multipart body: 1, -1 when there is none."""
        found = self._part(run.msg, kind)
        if found is None:
            return -1
        run.msg.lumps.delete(found[0].start, found[0].end - found[0].start, "body")
        return 1

    def _get_part(self, run: Run, kind: str, name: str, raw: bool) -> int:
        msg = run.msg
        try:
            accessor = compile_spec(name)
        except PvError as error:
            log.error("get_body_part: %s", error)
            return -1
        found = self._part(msg, kind)
        if found is not None:
            part = found[0]
            text = msg.buf[part.head if raw else part.after_type : part.end]
            return assign(accessor, run, text, "get_body_part")
        if parts_of(msg) is None and msg.body and content_type(msg) == kind.lower():
            return assign(accessor, run, msg.body, "get_body_part")
        return -1

    @export
    def get_body_part(self, run: Run, kind: str, name: str) -> int:
        """Put the first part of media type ``kind``, what follows its Content-Type line, into a pseudo-variable.

        1; -1 when there is none or ``name`` is no variable. A body that is not multipart is a part itself.
        """
        return self._get_part(run, kind, name, False)

    @export
    def get_body_part_raw(self, run: Run, kind: str, name: str) -> int:
        """Like ``get_body_part`` with the part's own header fields."""
        return self._get_part(run, kind, name, True)

    @staticmethod
    def _append(run: Run, text: str | None, kind: str, disposition: str) -> int:
        found = parts_of(run.msg)
        if found is None or text is None:
            return -1
        mark, _, end = found
        extra = f"Content-Disposition: {disposition}\r\n" if disposition else ""
        run.msg.lumps.insert(end, f"{mark}\r\nContent-Type: {kind}\r\n{extra}\r\n{text}\r\n", "body")
        return 1

    @export
    def append_body_part(self, run: Run, text: str, kind: str) -> int:
        """Add a part of media type ``kind`` to a multipart body: 1, -1 when it is none."""
        return self._append(run, text, kind, "")

    @export
    def append_body_part_cd(self, run: Run, text: str, kind: str, disposition: str) -> int:
        """Like ``append_body_part`` with a Content-Disposition."""
        return self._append(run, text, kind, disposition)

    @export
    def append_body_part_hex(self, run: Run, hexa: str, kind: str) -> int:
        """Like ``append_body_part`` with the bytes in hexadecimal."""
        return self._append(run, _unhex(hexa), kind, "")

    @export
    def append_body_part_hex_cd(self, run: Run, hexa: str, kind: str, disposition: str) -> int:
        """Like ``append_body_part_hex`` with a Content-Disposition."""
        return self._append(run, _unhex(hexa), kind, disposition)

    def _multipart(self, run: Run, text: str, kind: str, boundary: str) -> int:
        msg = run.msg
        if not text:
            if msg.body_at >= len(msg.buf):
                return -1
            header = msg.index.get("content-type")
            text, kind = msg.body, header.body if header is not None else "application/sdp"
        # The last delimiter is not a closing one (--boundary--): so Kamailio writes it.
        body = f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n{text}\r\n--{boundary}\r\n"
        self._put_body(msg, body, f'multipart/mixed;boundary="{boundary}"', "Mime-Version: 1.0\r\n")
        return 1

    @export
    def set_body_multipart_mode(self, run: Run) -> int:
        """Make the body the only part of a multipart body: 1, -1 without a body."""
        return self._multipart(run, "", "", BOUNDARY)

    @export
    def set_body_multipart_boundary(self, run: Run, boundary: str) -> int:
        """Like ``set_body_multipart_mode`` with this delimiter."""
        return self._multipart(run, "", "", boundary or BOUNDARY)

    @export
    def set_body_multipart_content(self, run: Run, text: str, kind: str) -> int:
        """Replace the body by a multipart one with ``text`` of media type ``kind`` as its part."""
        return self._multipart(run, text, kind, BOUNDARY)

    @export
    def set_body_multipart(self, run: Run, text: str, kind: str, boundary: str) -> int:
        """Like ``set_body_multipart_content`` with this delimiter."""
        return self._multipart(run, text, kind, boundary or BOUNDARY)


def _unhex(text: str) -> str | None:
    try:
        return bytes.fromhex(text).decode("latin-1")
    except ValueError:
        return None
