"""Via (RFC 3261 20.42, RFC 3581, RFC 5923 alias, Kamailio's ``i``).

Offsets are relative to the header body. White space is allowed around ``/``, ``:``, ``;`` and ``=``, as in RFC 4475's
3.1.1.1.
"""

import re
from typing import Final

from ksrcore.sip.errors import ParseError
from ksrcore.sip.params import WS, check_params, iter_params, spaced, split_outside, split_params

__all__ = ["Via", "parse_vias"]

_SPACES: Final = frozenset(WS)
#: The usual form: sent-protocol SP host [":" port] *(";" name ["=" value]), without white space or quotes. What does
#: not match takes the long way, which accepts more and says what is wrong. Possessive: there is nothing to try again.
_SENT: Final = re.compile(r"SIP/2\.0/([A-Za-z0-9]++) ([A-Za-z0-9._-]++|\[[0-9A-Fa-f:.]++\])(?::([0-9]{1,5}+))?")
_PARAM: Final = r"[A-Za-z0-9.!%*_+`'~-]++(?:=[A-Za-z0-9.!%*_+`'~:\[\]-]++)?"
_PARAMS: Final = re.compile(f"{_PARAM}(?:;{_PARAM})*+")

_CACHE_MAX: Final = 2048
_CACHE_TEXT: Final = 128
#: What comes before the parameters, as parsed before: a peer writes the same each time. Transport, host, port, port's
#: number, offset of the host.
_sents: dict[str, tuple[str, str, str, int, int]] = {}
_new = object.__new__


class Via:
    """One Via value. Immutable by convention: the parser hands the same object to every caller.

    ``protocol`` is ``SIP/2.0`` (without the white space it may have had), ``transport`` in upper case, ``host``
    keeps IPv6 brackets, ``port`` is '' when absent. ``text`` is ``body[start:end]``; ``sent_by_start:sent_by_end``
    spans host and port in the body, ``params_start`` is where ``params_text`` (no leading ``;``) begins.
    """

    __slots__ = (
        "_known",
        "branch",
        "end",
        "host",
        "params_start",
        "params_text",
        "port",
        "port_no",
        "protocol",
        "sent_by_end",
        "sent_by_start",
        "start",
        "text",
        "transport",
    )

    def __init__(
        self,
        text: str,
        start: int,
        protocol: str,
        transport: str,
        host: str,
        port: str,
        sent_by_start: int,
        sent_by_end: int,
        params_start: int,
    ) -> None:
        self.text = text
        self.start = start
        self.end = start + len(text)
        self.protocol = protocol
        self.transport = transport
        self.host = host
        self.port = port
        self.port_no = int(port) if port else 0
        self.sent_by_start = sent_by_start
        self.sent_by_end = sent_by_end
        self.params_start = params_start
        self.params_text = text[params_start - start :]
        text = self.params_text
        self._known: dict[str, str] | None = _params_map(text) if text else {}
        self.branch = self._known.get("branch", "")

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Via({self.text!r})"

    @property
    def _map(self) -> dict[str, str]:
        known = self._known
        if known is None:
            known = self._known = _params_map(self.params_text)
        return known

    def param(self, name: str) -> str | None:
        """Value of the last parameter ``name`` (in any case) without quotes, '' for a flag, None when absent."""
        known = self._map
        return known.get(name) if name in known else known.get(name.lower())

    def param_span(self, name: str) -> tuple[int, int] | None:
        """Span in the header body of the last ``name=value`` (without its ``;``), None when absent."""
        text = self.params_text
        if self._known is None and text.count(name) == 1:
            # The usual form: no quotes, no white space; only a longer name or a value could hold it.
            at = text.find(name)
            stop = at + len(name)
            if (at == 0 or text[at - 1] == ";") and text[stop : stop + 1] in ("", ";", "="):
                end = text.find(";", stop)
                return self.params_start + at, self.params_start + (len(text) if end < 0 else end)
        name = name.lower()
        span = None
        for found, _, start, end in iter_params(self.params_text, self.params_start):
            if found.lower() == name:
                span = start, end
        return span

    @property
    def received(self) -> str:
        """'' when absent."""
        return self._map.get("received", "")

    @property
    def rport(self) -> str | None:
        """None when absent, '' for the request's flag (RFC 3581), else the port's digits."""
        return self._map.get("rport")

    @property
    def alias(self) -> str | None:
        """None when absent, '' for the flag (RFC 5923)."""
        return self._map.get("alias")

    @property
    def i(self) -> str:
        """Kamailio's connection id parameter in hexadecimal, '' when absent."""
        return self._map.get("i", "")

    @property
    def maddr(self) -> str:
        """'' when absent."""
        return self._map.get("maddr", "")


#: Values in one body; Max-Forwards allows no more hops.
MAX_VALUES = 256


def parse_vias(body: str) -> list[Via]:
    """Parse a Via body with one or more comma-separated values.

    As strict as Kamailio, which drops such messages: raises ParseError for a value that is not
    ``SIP/2.0/transport host[:port][;params]`` or is empty, an empty parameter or one with white space in its value, a
    ``branch`` without value, and any ``name=`` without value but ``rport=``. Also for more than MAX_VALUES values.
    """
    # Fields keep what was parsed, so there is no cache here: a Via is as unique as its branch.
    if "," not in body:
        text = body.strip(WS)
        return [_parse(text, body.find(text))]
    if body.count(",") >= MAX_VALUES:
        raise ParseError(f"at most {MAX_VALUES} Via values", body)
    found = []
    for start, end in split_outside(body, ","):
        part = body[start:end]
        text = part.strip(WS)
        if not text:
            raise ParseError("Via (SIP/2.0/transport host)", body)
        found.append(_parse(text, start + len(part) - len(part.lstrip(WS))))
    return found


def _parse(text: str, start: int) -> Via:
    sent, _, params = text.partition(";")
    known = _sents.get(sent) or _usual_sent(sent)
    at = params.rfind("branch=")
    if known is None or not (at == 0 or at > 0 and params[at - 1] == ";") or _PARAMS.fullmatch(params) is None:
        return _parse_slow(text, start)
    # Filled in here: the call of an __init__ would cost as much again, and a Via is as unique as its branch.
    via = _new(Via)
    via.text = text
    via.start = start
    via.end = start + len(text)
    via.protocol = "SIP/2.0"
    via.transport, via.host, via.port, via.port_no, begin = known
    via.sent_by_start = start + begin
    via.sent_by_end = stop = start + len(sent)
    via.params_start = stop + 1
    via.params_text = params
    via._known = None
    stop = params.find(";", at)
    via.branch = params[at + 7 :] if stop < 0 else params[at + 7 : stop]
    return via


def _usual_sent(sent: str) -> tuple[str, str, str, int, int] | None:
    found = _SENT.fullmatch(sent)
    if found is None:
        return None
    transport, host, port = found.groups("")
    number = int(port or "0")
    if number > 65535:
        return None
    known = transport.upper(), host, port, number, found.start(2)
    if len(sent) <= _CACHE_TEXT:
        if len(_sents) >= _CACHE_MAX:
            _sents.clear()
        _sents[sent] = known
    return known


def _parse_slow(text: str, start: int) -> Via:
    pos = text.find(" ")
    semi = text.find(";", pos + 1)
    sent_end = semi if semi >= 0 else len(text)
    if pos > 8 and text[:8] == "SIP/2.0/" and text[8:pos].isalnum():
        transport = text[8:pos]
        protocol = "SIP/2.0"
    else:
        protocol, transport, pos = _protocol(text)
        semi = text.find(";", pos)
        sent_end = semi if semi >= 0 else len(text)
    sent_start = pos + 1
    stripped = text[sent_start:sent_end]
    if spaced(stripped) or text[pos] != " ":
        sent_by = text[pos:sent_end]
        stripped = sent_by.strip(WS)
        sent_start = pos + len(sent_by) - len(sent_by.lstrip(WS))
    host, port = _sent_by(stripped, text)
    params_start = len(text)
    if semi >= 0:
        params_start = semi + 1
        while text[params_start : params_start + 1] in _SPACES:
            params_start += 1
        if params_start >= len(text):
            raise ParseError("Via parameter after ';'", text)
    return Via(
        text,
        start,
        protocol,
        transport.upper(),
        host,
        port,
        start + sent_start,
        start + sent_start + len(stripped),
        start + params_start,
    )


def _params_map(text: str) -> dict[str, str]:
    known: dict[str, str] = {}
    if '"' in text or spaced(text):
        check_params(text)
        for name, value in split_params(text):
            name = name.lower()
            if value == "" and name != "rport" or value is None and name == "branch":
                raise ParseError(f"value of the Via parameter {name}", text)
            known[name] = value or ""
        return known
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        name = name.lower()
        if not name or not value and (equals and name != "rport" or name == "branch"):
            raise ParseError("Via parameters (;name=value)", text)
        known[name] = value
    return known


def _protocol(text: str) -> tuple[str, str, int]:
    """Protocol, transport and the offset after them, of a value with white space around its slashes."""
    first = text.find("/")
    second = text.find("/", first + 1)
    name, version = text[:first].strip(WS), text[first + 1 : second].strip(WS)
    pos = second + 1
    size = len(text)
    while pos < size and text[pos] in WS:
        pos += 1
    begin = pos
    while pos < size and text[pos] not in WS:
        pos += 1
    transport = text[begin:pos]
    if first < 0 or second < 0 or not name or not version or not transport or pos >= size:
        raise ParseError("Via (SIP/2.0/transport host)", text)
    if name.upper() != "SIP" or version != "2.0" or ";" in transport:
        raise ParseError("Via (SIP/2.0/transport host)", text)
    return f"{name}/{version}", transport, pos


def _sent_by(sent_by: str, text: str) -> tuple[str, str]:
    if sent_by[:1] == "[":
        end = sent_by.find("]") + 1
        host, rest = sent_by[:end], sent_by[end:].lstrip(WS)
        if end <= 2 or (rest and rest[0] != ":"):
            raise ParseError("Via host", text)
        port = rest[1:].strip(WS)
        colon = bool(rest)
    else:
        host, mark, port = sent_by.partition(":")
        colon = bool(mark)
        host, port = host.rstrip(WS), port.lstrip(WS)
    if not host or spaced(host):
        raise ParseError("Via host", text)
    if colon and not port or port and (len(port) > 5 or not (port.isascii() and port.isdigit()) or int(port) > 65535):
        raise ParseError("Via port from 0 to 65535", text)
    return host, port
