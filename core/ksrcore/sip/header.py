"""Header fields, and the cutting of a message's text into them.

Fields are immutable and shared between messages (a bounded cache keyed by the whole line), because a call repeats its
From, To, Call-ID and Contact lines in each of its messages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .errors import ParseError, SipError
from .params import WS

__all__ = ["COMPACT", "MAX_LINES", "TOKEN", "Header", "field", "fields_of", "split_slow", "too_many_lines"]

T = TypeVar("T")

#: RFC 3261 7.3.3 and the IANA registry: compact forms.
COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}

#: RFC 3261 25.1: the characters of names and methods.
TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")

#: Lines of header fields a message may have, folds included: a datagram has room for ten thousands, which take long.
MAX_LINES = 1000

_CACHE_LIMIT = 8192
_CACHE_LINE = 512


class Header:
    """One header field line. Immutable: edits go through :class:`~ksrcore.sip.lumps.Lumps`.

    ``raw`` is the field with its line end (and its folds), ``key`` the lower-case long name (``"via"`` for ``v``; ''
    for a line that is no field), ``body`` the value without surrounding white space, ``body_start`` its offset in
    ``raw``. ``value`` is kept by the message for itself: the first value, parsed, or None.
    """

    __slots__ = ("raw", "key", "body", "body_start", "value", "_parsed")

    def __init__(self, line: str, eol: str = "\r\n") -> None:
        self.raw = line + eol
        self.value: Any = None
        self._parsed: object = None
        name, _, body = line.partition(": ")
        key = _keys.get(name)
        if key is None or not body or body.strip(WS) != body:
            name, colon, rest = line.partition(":")
            key = _key(name, colon, line)
            body = rest.lstrip(WS)
            self.body_start = len(line) - len(body)
            self.body = body.rstrip(WS)
        else:
            self.body_start = len(name) + 2
            self.body = body
        self.key = key

    @property
    def name(self) -> str:
        """The name as written; '' for a line that is no field."""
        return self.raw.partition(":")[0].rstrip(" \t") if self.key else ""

    def parsed(self, parser: Callable[[str], T]) -> T:
        """The value, parsed once by ``parser``. A field has one parser for its kind. Raises :class:`SipError`."""
        value = self._parsed
        if value is None:
            value = self._parsed = parser(self.body)
        return value  # type: ignore[return-value]

    def replaced(self, raw: str) -> Header:
        """This field with another text of the same length, line end included, whose value begins at the same place."""
        new = Header.__new__(Header)
        new.raw, new.key, new.body_start = raw, self.key, self.body_start
        # With the white space that pads it, as Kamailio has it until the message is parsed anew.
        new.body = raw[self.body_start : self.body_start + len(self.body)]
        new.value = new._parsed = None
        return new

    def __repr__(self) -> str:
        return f"<Header {self.name}: {self.body[:40]}>"


#: Spelling of a field name to its key; bounded, for a peer may invent names.
_keys: dict[str, str] = {}


def _key(name: str, colon: str, line: str) -> str:
    """The key of a field name as written (white space before the colon and all), checked."""
    plain = name.rstrip(" \t")
    if not colon:
        raise ParseError("header field 'Name: value'", line)
    if not plain or not TOKEN.issuperset(plain):
        raise ParseError("header field name", line)
    key = plain.lower()
    key = COMPACT.get(key, key)
    if len(_keys) < 1024 and len(name) <= 64:
        _keys[name] = key
    return key


class _Fields(dict[str, Header]):
    """Fields by their line: what is not there is made.

    Raises :class:`ParseError` for a line that is no field, such as the second line of a folded one, and for one with a
    line end in it, which then is LF alone. So nobody has to look for these in lines seen before.
    """

    def __missing__(self, line: str) -> Header:
        if "\n" in line:
            raise ParseError("one line", line)
        header = Header(line)
        if len(line) <= _CACHE_LINE:
            if len(self) >= _CACHE_LIMIT:
                self.clear()
            self[line] = header
        return header


#: The field of a line without its line end, which is CRLF. Raises :class:`ParseError`.
field = _Fields().__getitem__


def fields_of(lines: list[str], eols: list[str]) -> tuple[list[Header], SipError | None]:
    """The fields of lines with any line ends and folds, and the first defect: a broken field stays as text, key ''."""
    headers = []
    defect: SipError | None = None
    for line, eol in zip(lines, eols, strict=True):
        try:
            headers.append(Header(line, eol))
        except SipError as error:
            defect = defect or error
            bad = Header.__new__(Header)
            bad.raw, bad.key, bad.body, bad.body_start, bad.value, bad._parsed = line + eol, "", line, 0, None, None
            headers.append(bad)
    return headers, defect


def too_many_lines(buf: str) -> ParseError:
    """What a message of more lines than MAX_LINES raises."""
    return ParseError(f"at most {MAX_LINES} lines of header fields", buf)


def split_slow(buf: str) -> tuple[str, int, int, int, list[str], list[str]]:
    """First line, offsets of the first field, of the end of the last and of the body, field lines, their line ends.

    For what the quick way does not take: empty lines before the message, line ends other than CRLF, folded fields (kept
    with their folds), no body. Raises :class:`ParseError` for an empty message, and for one of too many lines.
    """
    start = 0
    while buf.startswith(("\r\n", "\n"), start):
        start += 2 if buf[start] == "\r" else 1
    at = start
    ends: list[tuple[int, int]] = []
    eols: list[str] = []
    body_at = headers_end = len(buf)
    head_at = -1
    left = MAX_LINES + 1
    while at < len(buf):
        stop = buf.find("\n", at)
        if stop < 0:
            # Kamailio's parser too takes a last line without its line end.
            stop, eol, after = len(buf), "", len(buf)
        elif stop > at and buf[stop - 1] == "\r":
            stop, eol, after = stop - 1, "\r\n", stop + 1
        else:
            eol, after = "\n", stop + 1
        if head_at >= 0 and stop == at:
            headers_end, body_at = at, after
            break
        if left < 0:
            raise too_many_lines(buf)
        left -= 1
        if head_at >= 0 and buf[at] in " \t" and len(ends) > 1:
            # A fold: the field goes on. Its text is sliced once, however many folds there are.
            ends[-1] = (ends[-1][0], stop)
            eols[-1] = eol
        else:
            ends.append((at, stop))
            eols.append(eol)
            if head_at < 0:
                head_at = after
        at = after
    lines = [buf[start:stop] for start, stop in ends]
    if not lines:
        raise ParseError("a SIP message", buf)
    return lines[0], head_at, headers_end, body_at, lines[1:], eols[1:]
