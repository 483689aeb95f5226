"""Name-addr and addr-spec values: From, To, Contact, Route, Record-Route, Path... (RFC 3261 20.10, 25.1).

Offsets are relative to the header body, so that text can be edited in place. Nothing is normalised.
"""

import re
from typing import Final

from ksrcore.sip.errors import ParseError
from ksrcore.sip.params import WS, check_params, find_outside, quoted_end, spaced, split_params
from ksrcore.sip.uri import Uri, parse_uri

__all__ = ["NameAddr", "parse_nameaddr", "parse_nameaddrs"]

_CACHE_MAX: Final = 2048
#: Longer texts are not kept: a flood of them would fill the memory.
_CACHE_TEXT: Final = 512
#: The usual form: [words / quoted string] "<" uri ">" *(";" name ["=" value]). What does not match takes the long way,
#: which accepts more and says what is wrong. Possessive: there is nothing to try again.
_USUAL: Final = re.compile(
    r"((?:[A-Za-z0-9.!%*_+`'~-][A-Za-z0-9.!%*_+`'~ -]*+)?+|\"[^\"\\]*+\" *+)<([^<>\s\"]++)>"
    r"((?:;[A-Za-z0-9.!%*_+`'~-]++(?:=[A-Za-z0-9.!%*_+`'~:\[\]-]++)?)*+)"
)
_new = object.__new__
_one: dict[str, "NameAddr"] = {}
_many: dict[str, tuple["NameAddr", ...]] = {}


class NameAddr:
    """One value. Immutable by convention: the parsers hand the same object to every caller.

    ``display`` is as written, quotes included, '' when absent; ``uri`` is the text between the angle brackets (or
    the addr-spec), ``*`` for a star Contact; ``params_text`` has no leading ``;``. Spans are half-open offsets in the
    header body: ``start:end`` the whole value, ``uri_start:uri_end`` the URI, ``params_start`` where ``params_text``
    begins (``end`` without parameters). ``brackets`` tells whether the URI is in ``<>``.
    """

    __slots__ = (
        "_map",
        "brackets",
        "display",
        "end",
        "params_start",
        "params_text",
        "start",
        "text",
        "uri",
        "uri_end",
        "uri_start",
    )

    def __init__(
        self,
        body: str,
        start: int,
        end: int,
        display: str,
        uri_start: int,
        uri_end: int,
        params_start: int,
        brackets: bool,
    ) -> None:
        self.start = start
        self.end = end
        self.display = display
        self.uri_start = uri_start
        self.uri_end = uri_end
        self.params_start = params_start
        self.brackets = brackets
        self.text = body[start:end]
        self.uri = body[uri_start:uri_end]
        self.params_text = body[params_start:end]
        self._map: dict[str, str] | None = None

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"NameAddr({self.text!r})"

    def param(self, name: str) -> str | None:
        """Value of the last parameter ``name`` (in any case) without quotes, '' for a flag, None when absent."""
        if not self.params_text:
            return None
        known = self._map
        if known is None:
            known = {}
            for key, value in self.params:
                known[key.lower()] = value or ""
            self._map = known
        return known.get(name) if name in known else known.get(name.lower())

    @property
    def params(self) -> list[tuple[str, str | None]]:
        """The header parameters in order, names as written, values without quotes, None for a flag."""
        return split_params(self.params_text)

    @property
    def tag(self) -> str:
        """The ``tag`` parameter, '' when absent."""
        return self.param("tag") or ""

    @property
    def parsed_uri(self) -> Uri:
        """The URI, parsed. Raises ParseError (always for ``*``)."""
        return parse_uri(self.uri)

    @property
    def q(self) -> int | None:
        """Preference of a Contact in thousandths (``q=0.5`` is 500), None when absent or not a q-value from 0 to 1."""
        value = self.param("q")
        if not value:
            return None
        whole, _, digits = value.partition(".")
        if not (whole or digits) or not (whole + digits).isascii() or not (whole + digits).isdigit():
            return None
        thousandths = int(whole[-9:] or "0") * 1000 + int((digits + "000")[:3])
        return thousandths if thousandths <= 1000 else None

    @property
    def expires(self) -> int | None:
        """``expires`` of a Contact in seconds (at most 2**32 - 1), None when absent or not a number."""
        value = self.param("expires")
        if not value or not (value.isascii() and value.isdigit()):
            return None
        return min(int(value[:20]), 2**32 - 1)


def parse_nameaddr(body: str) -> NameAddr:
    """Parse a body that holds one value (From, To, Refer-To, P-Asserted-Identity...).

    Strict where Kamailio's From and To are: raises ParseError when the body is empty, a quote or ``<`` never closes, a
    quoted display name has more text beside it, the URI has white space, or a parameter is empty, has no name or has
    white space in its value.
    """
    value = _one.get(body)
    if value is None:
        value = _usual(body) or _parse_at(body, _skip(body, 0), False)[0]
        if len(body) <= _CACHE_TEXT:
            if len(_one) >= _CACHE_MAX:
                _one.clear()
            _one[body] = value
    return value


def parse_nameaddrs(body: str) -> list[NameAddr]:
    """Parse a comma-separated list (Contact, Route, Record-Route, Path...). Empty elements are skipped.

    Lenient where Kamailio's Contact and Route are: any mix of words and quoted strings is a display name, what is in
    ``<>`` a URI, and empty parameters are let through. Raises ParseError for unclosed quotes and ``<``, text after the
    URI that is no parameter, when no value is left, and for more than MAX_VALUES of them. A Route needs ``brackets``;
    checking it is up to the caller.
    """
    values = _many.get(body)
    if values is None:
        single = _usual(body)
        values = (single,) if single is not None else _parse_list(body)
        if len(body) <= _CACHE_TEXT:
            if len(_many) >= _CACHE_MAX:
                _many.clear()
            _many[body] = values
    return list(values)


#: Values in one body.
MAX_VALUES = 256


def _parse_list(body: str) -> tuple[NameAddr, ...]:
    found = []
    pos, size = 0, len(body)
    while (pos := _skip(body, pos)) < size:
        if body[pos] == ",":
            pos += 1
            continue
        value, pos = _parse_at(body, pos, True)
        found.append(value)
        if len(found) > MAX_VALUES:
            raise ParseError(f"at most {MAX_VALUES} values in a list", body)
    if not found:
        raise ParseError("at least one name-addr", body)
    return tuple(found)


def _usual(body: str) -> NameAddr | None:
    found = _USUAL.fullmatch(body)
    if found is None:
        return None
    # Filled in here: the call of an __init__ would cost as much again.
    value = _new(NameAddr)
    value.text = body
    value.start = 0
    value.end = end = len(body)
    display, value.uri, params = found.groups()
    value.display = display.rstrip(" ")
    value.uri_start, value.uri_end = found.span(2)
    value.brackets = True
    value.params_text = params = params[1:]
    value.params_start = end - len(params)
    if params and ";" not in params:
        # The tag, most often.
        name, _, text = params.partition("=")
        value._map = {name.lower(): text}
    else:
        value._map = None
    return value


def _skip(body: str, pos: int) -> int:
    size = len(body)
    while pos < size and body[pos] in WS:
        pos += 1
    return pos


def _trim(body: str, start: int, end: int) -> int:
    while end > start and body[end - 1] in WS:
        end -= 1
    return end


def _bracket(body: str, start: int, listed: bool) -> int:
    """Index of the ``<`` that opens the URI of the value at ``start``, or -1 when the value is an addr-spec."""
    if body[start] == "<":
        return start
    pos = start
    size = len(body)
    while pos < size:
        char = body[pos]
        if char == "<":
            return pos
        if char == '"':
            if pos > start and not listed:
                raise ParseError("quotes around the whole display name", body[start:])
            pos = quoted_end(body, pos)
            if pos < 0:
                raise ParseError("closing quote of the display name", body[start:])
            if not listed:
                pos = _skip(body, pos)
                if body[pos : pos + 1] != "<":
                    raise ParseError("'<' after the display name", body[start:])
            continue
        if char == ";" or (listed and char == ","):
            return -1
        pos += 1
    return -1


def _parse_at(body: str, start: int, listed: bool) -> tuple[NameAddr, int]:
    """Value that begins at ``start``, and the offset after it (after its comma, in a list)."""
    size = len(body)
    if start >= size:
        raise ParseError("name-addr", body)
    left = _bracket(body, start, listed)
    display = ""
    if left >= 0:
        right = body.find(">", left)
        if right < 0:
            raise ParseError("'>' after the URI", body[start:])
        display = body[start : _trim(body, start, left)]
        uri_start = _skip(body, left + 1)
        uri_end = _trim(body, uri_start, right)
        pos = _skip(body, right + 1)
        value_end = right + 1
    else:
        pos = uri_start = start
        while pos < size and (char := body[pos]) != ";" and char not in WS and not (listed and char == ","):
            if char == '"' or char == ">":
                raise ParseError("URI", body[start:])
            pos += 1
        value_end = uri_end = pos
        pos = _skip(body, pos)
    if uri_end <= uri_start or (not listed and (spaced(body[uri_start:uri_end]) or '"' in body[uri_start:uri_end])):
        raise ParseError("URI", body[start:])
    params_start = -1
    if pos < size and body[pos] == ";":
        stop = find_outside(body, ",", pos) if listed else -1
        pos = size if stop < 0 else stop
        params_start = _skip(body, body.index(";", value_end) + 1)
        value_end = _trim(body, value_end, pos)
        if '"' in body[params_start:value_end] and _open_quote(body[params_start:value_end]):
            raise ParseError("closing quote of a parameter", body[start:])
        params_start = min(params_start, value_end)
        if not listed:
            check_params(body[params_start:value_end])
    if pos < size:
        if not listed or body[pos] != ",":
            raise ParseError("';' or the end after the URI", body[start:])
        pos += 1
    if params_start < 0:
        params_start = value_end
    return NameAddr(body, start, value_end, display, uri_start, uri_end, params_start, left >= 0), pos


def _open_quote(text: str) -> bool:
    pos = text.find('"')
    while pos >= 0:
        pos = quoted_end(text, pos)
        if pos < 0:
            return True
        pos = text.find('"', pos)
    return False
