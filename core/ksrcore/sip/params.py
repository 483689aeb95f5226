"""``;name=value`` lists and quoted strings (RFC 3261 25.1: generic-param, quoted-string, LWS).

Shared by the header-value parsers and the ``{param.*}`` transformations. All of it is lenient: white space (folding
included) around names, ``=`` and separators is dropped, empty parameters are skipped, nothing raises but
:func:`check_params`, which From, To and Via call before.
"""

from collections.abc import Iterator

from ksrcore.sip.errors import ParseError

__all__ = [
    "WS",
    "check_params",
    "find_outside",
    "iter_params",
    "quote",
    "quoted_end",
    "spaced",
    "split_outside",
    "split_params",
    "unescape",
    "unquote",
]

WS = " \t\r\n"


def quoted_end(text: str, start: int) -> int:
    r"""Index after the closing quote of the quoted string that opens at ``text[start]``, or -1 when it never closes.

    A backslash protects the next character.
    """
    end = text.find('"', start + 1)
    while end > 0:
        back = end - 1
        while text[back] == "\\" and back > start:
            back -= 1
        if (end - back) & 1:
            return end + 1
        end = text.find('"', end + 1)
    return -1


def find_outside(text: str, chars: str, start: int = 0) -> int:
    """Index of the first character of ``chars`` at or after ``start`` outside quoted strings, or -1.

    A quote that never closes hides all that follows it.
    """
    best = -1
    for char in chars:
        at = text.find(char, start) if best < 0 else text.find(char, start, best)
        if at >= 0:
            best = at
    quote_at = text.find('"', start) if best < 0 else text.find('"', start, best)
    if best < 0 or quote_at < 0:
        return best
    i, size = start, len(text)
    while i < size:
        char = text[i]
        if char == '"':
            i = quoted_end(text, i)
            if i < 0:
                return -1
            continue
        if char in chars:
            return i
        i += 1
    return -1


def split_outside(text: str, sep: str) -> list[tuple[int, int]]:
    """Spans (start, end) of the parts of ``text`` between the ``sep`` characters outside quotes, white space kept."""
    spans = []
    start = 0
    while (end := find_outside(text, sep, start)) >= 0:
        spans.append((start, end))
        start = end + 1
    spans.append((start, len(text)))
    return spans


def unquote(value: str) -> str:
    r"""``value`` without the double quotes around it; escapes (``\"``) stay as they are, as in Kamailio's variables."""
    if len(value) >= 2 and value[0] == '"' and value[-1] == '"':
        return value[1:-1]
    return value


def unescape(text: str) -> str:
    r"""Resolve the quoted pairs (``\x`` becomes ``x``) of the inside of a quoted string."""
    if "\\" not in text:
        return text
    out: list[str] = []
    chars = iter(text)
    for char in chars:
        out.append(next(chars, "") if char == "\\" else char)
    return "".join(out)


def quote(text: str) -> str:
    """``text`` as a quoted string, with quotes and backslashes escaped."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _name_value(part: str) -> tuple[str, str | None]:
    name, equals, value = part.partition("=")
    return name.strip(WS), unquote(value.strip(WS)) if equals else None


def split_params(text: str, sep: str = ";") -> list[tuple[str, str | None]]:
    """``a=1;b="x;y";lr`` as ``[("a", "1"), ("b", "x;y"), ("lr", None)]``: quotes removed, None for a flag.

    Leading and doubled separators are skipped.
    """
    if '"' not in text:
        if spaced(text):
            return [_name_value(part) for part in text.split(sep) if part.strip(WS)]
        found: list[tuple[str, str | None]] = []
        for part in text.split(sep):
            if part:
                name, equals, value = part.partition("=")
                found.append((name, value if equals else None))
        return found
    parts = (text[start:end] for start, end in split_outside(text, sep))
    return [_name_value(part) for part in parts if part.strip(WS)]


def iter_params(text: str, base: int = 0, sep: str = ";") -> Iterator[tuple[str, str | None, int, int]]:
    """Like :func:`split_params`, with the span (start, end) of each trimmed ``name=value`` plus ``base``."""
    for start, end in split_outside(text, sep):
        part = text[start:end]
        inner = part.strip(WS)
        if inner:
            name, value = _name_value(inner)
            at = base + start + part.index(inner)
            yield name, value, at, at + len(inner)


def spaced(text: str) -> bool:
    """True when ``text`` has a space, tab or line end in it."""
    return " " in text or "\t" in text or "\n" in text or "\r" in text


def check_params(text: str) -> None:
    """Raise ParseError for an empty parameter, one without name, or a value with white space outside quotes."""
    if '"' not in text and not spaced(text):
        if not text or text[0] in ";=" or text[-1] == ";" or ";;" in text or ";=" in text:
            raise ParseError("';name=value' parameters", text)
        return
    for start, end in split_outside(text, ";"):
        name, _, value = text[start:end].partition("=")
        name, value = name.strip(WS), value.strip(WS)
        quoted = value[:1] == '"'
        if (
            not name
            or spaced(name)
            or (quoted and quoted_end(value, 0) != len(value))
            or (not quoted and (spaced(value) or '"' in value))
        ):
            raise ParseError("';name=value' parameters", text)
