"""Seeded mutation of inputs with a dictionary of what matters to SIP parsers. Equal seeds give equal inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

#: No input grows past this many bytes by mutation: a UDP datagram's most.
MAX_SIZE: Final = 65535

_HEADERS = (
    "Via v From f To t Call-ID i CSeq Contact m Route Record-Route Path Max-Forwards Expires Content-Length l "
    "Content-Type c Authorization Proxy-Authorization Supported k Require Proxy-Require User-Agent Event o Subject s "
    "Refer-To r Date RAck RSeq Allow Accept Session-Expires x P-Asserted-Identity Diversion Reason Warning Min-Expires"
).split()
_METHODS = "INVITE ACK BYE CANCEL REGISTER OPTIONS SUBSCRIBE NOTIFY MESSAGE PRACK UPDATE INFO REFER PUBLISH".split()
_NUMBERS = "0 -1 1 00 255 256 65535 65536 99999 4294967295 4294967296 18446744073709551616 1e3 0x10 \u00b2".split()

TOKENS: Final[dict[str, tuple[bytes, ...]]] = {
    "sip": tuple(
        text.encode("latin-1")
        for text in (
            *[f"{name}: " for name in _HEADERS],
            *[f"\r\n{name}: " for name in _HEADERS],
            *_METHODS,
            *_NUMBERS,
            "SIP/2.0", "SIP/2.0/UDP ", "SIP/2.0/TCP ", "SIP/3.0", " SIP/2.0\r\n", "SIP/2.0 100 Trying\r\n",
            "SIP/2.0 200 OK\r\n", "SIP/2.0 699 x\r\n", "sip:", "sips:", "tel:", "urn:service:sos", "<sip:", ">",
            "<>",
            "\r\n", "\n", "\r", "\r\n\r\n", "\r\n ", "\r\n\t", "\n\n", "\0", " ", "\t", "\xff", "\xc3\xa4",
            "%00", "%zz",
            ";tag=", ";tag", ";branch=", ";branch=z9hG4bK", ";rport", ";rport=", ";received=", ";maddr=", ";lr",
            ";r2=on",
            ";transport=", ";transport=tcp", ";transport=ws", ";transport=x", ";ttl=", ";alias", ";i=",
            ";i=ffffffff",
            ";expires=", ";q=", ";q=0.5", ";q=1e9", ";+sip.instance=", ";reg-id=", ";ob", ";user=phone",
            ";method=INVITE",
            "@", ":", ";", ",", "=", "?", "\"", "\\", "\\\"", "*", "/", "[", "]", "[::1]", "[::", "127.0.0.1",
            "0.0.0.0",
            "255.255.255.255", "localhost", "example.com", "alice", "bob", ":5060", ":0", ":99999", "$ru", "%s",
            "{0}",
            "Digest ", "username=", "realm=", "nonce=", "response=", "uri=", "qop=auth", "nc=00000001",
            "algorithm=MD5",
            "algorithm=SHA-512-256", "application/sdp", "multipart/mixed;boundary=", "v=0\r\n",
            "m=audio 1 RTP/AVP 0\r\n",
            "c=IN IP4 ", "a=rtcp:", "o=- 1 1 IN IP4 ", "100rel", "timer", "presence", "active;expires=1",
        )
    ),
    "where": tuple(
        text.encode()
        for text in (
            " and ", " or ", " not ", " in ", " is ", " == ", " != ", " < ", "method", "fU", "rU", "status",
            "body", "id",
            "hdr(", "pv(", "called(", "re(", "len(", "lower(", "(", ")", "[", "]", ",", "'", '"', "None",
            "True", "1e999",
            "%", "-", "+", "~", "**", ".", ":=", "lambda: ", "f'{id}'", "*", "...", "1j", "b'x'", "\\", "\n",
            "#", "\0",
            "if", "else", "for x in y", "'%d'", "'('", "'[a'", "'(a+)+$'", "0x", "9" * 30, "\xe4", "\u212a",
            "$", "@",
        )
    ),
    "pv": tuple(
        text.encode()
        for text in (
            "$", "$(", ")", "{", "}", "[", "]", "[*]", "[-1]", "[0]", "=>", ",", ".", ":", "$$", "$var(",
            "$avp(", "$xavp(",
            "$hdr(", "$sht(", "$sel(", "$T(", "{s.len}", "{s.int}", "{s.substr,", "{s.select,", "{uri.",
            "{param.", "{re.subst,",
            "{nameaddr.", "{line.", "{s.", "{val.", "{num.", "{urialias.", "{tobody.", "-1", "99999999999",
            "\0", "\xff", "ru",
            "fU", "ct", "i:1", "s:a", "{s.unescape.param}", "{s.encode.7bit}", "{s.decode.base64}",
            "{s.fmtlines,", "%",
        )
    ),
    "control": tuple(
        text.encode()
        for text in (
            "{", "}", "[", "]", ",", ":", '"', "null", "true", "false", "NaN", "Infinity", "-0", "1e999",
            "9" * 400, "\\u0000",
            "\\ud800", '"id":', '"params":', '"method":', '"jsonrpc":"2.0"', "[" * 100, '{"a":' * 100, "\0",
            "\xff", "\n",
            '"where":', '"limit":', '"after":', '"names":', '"source":', '"args":', '"sandbox":', "-1", "1.5",
            "[]", "{}", '""',
        )
    ),
}  # fmt: skip


def tokens(target: str) -> tuple[bytes, ...]:
    """What inputs of that target are made of."""
    return TOKENS[target if target in TOKENS else "sip"]


class Mutator:
    """Makes new inputs for ``target`` out of ``seeds``, for ever. ``fresh`` makes most of them anew, if given."""

    def __init__(
        self, target: str, seeds: Sequence[bytes], seed: int, fresh: Callable[[Random], bytes] | None = None
    ) -> None:
        self.random = Random(f"{target} {seed}")
        self.seeds = list(seeds)
        self.fresh = fresh
        self.tokens = tokens(target)
        self._ways: tuple[Callable[[bytearray], None], ...] = (
            self._flip,
            self._flip,
            self._insert,
            self._insert,
            self._insert,
            self._overwrite,
            self._delete,
            self._delete,
            self._repeat,
            self._splice,
            self._swap_lines,
            self._drop_line,
            self._repeat_line,
            self._number,
            self._truncate,
        )

    def next(self) -> bytes:
        """One input: a seed with one to some edits."""
        random = self.random
        if self.fresh is not None and random.random() < 0.9:
            return self.fresh(random)
        data = bytearray(random.choice(self.seeds))
        if random.random() < 0.02:
            return bytes(data)
        edits = 1
        while random.random() < 0.6 and edits < 12:
            edits += 1
        for _ in range(edits):
            random.choice(self._ways)(data)
        return bytes(data[:MAX_SIZE])

    def _span(self, data: bytearray, most: int = 64) -> tuple[int, int]:
        start = self.random.randint(0, len(data))
        return start, min(len(data), start + self.random.randint(1, most))

    def _flip(self, data: bytearray) -> None:
        if data:
            at = self.random.randrange(len(data))
            data[at] = self.random.choice(
                (data[at] ^ 0x20, self.random.randrange(256), ord(self.random.choice(' ;,:"<>@=\\')))
            )

    def _insert(self, data: bytearray) -> None:
        at = self.random.randint(0, len(data))
        data[at:at] = self.random.choice(self.tokens)

    def _overwrite(self, data: bytearray) -> None:
        at = self.random.randint(0, len(data))
        token = self.random.choice(self.tokens)
        data[at : at + len(token)] = token

    def _delete(self, data: bytearray) -> None:
        start, stop = self._span(data)
        del data[start:stop]

    def _repeat(self, data: bytearray) -> None:
        start, stop = self._span(data, 20)
        data[start:start] = data[start:stop] * self.random.choice((1, 2, 3, 10, 100))

    def _splice(self, data: bytearray) -> None:
        other = self.random.choice(self.seeds)
        start = self.random.randint(0, len(other))
        at = self.random.randint(0, len(data))
        data[at : at + self.random.randint(0, 40)] = other[start : start + self.random.randint(1, 200)]

    def _lines(self, data: bytearray) -> list[bytes]:
        return bytes(data).split(b"\n")

    def _swap_lines(self, data: bytearray) -> None:
        lines = self._lines(data)
        one, two = self.random.randrange(len(lines)), self.random.randrange(len(lines))
        lines[one], lines[two] = lines[two], lines[one]
        data[:] = b"\n".join(lines)

    def _drop_line(self, data: bytearray) -> None:
        lines = self._lines(data)
        del lines[self.random.randrange(len(lines))]
        data[:] = b"\n".join(lines)

    def _repeat_line(self, data: bytearray) -> None:
        lines = self._lines(data)
        at = self.random.randrange(len(lines))
        lines[at:at] = [lines[at]] * self.random.choice((1, 1, 2, 50))
        data[:] = b"\n".join(lines)

    def _number(self, data: bytearray) -> None:
        """Another number where one is."""
        digits = [at for at, byte in enumerate(data[:2000]) if 48 <= byte <= 57]
        if digits:
            start = stop = self.random.choice(digits)
            while stop < len(data) and 48 <= data[stop] <= 57:
                stop += 1
            data[start:stop] = self.random.choice(_NUMBERS).encode("latin-1")

    def _truncate(self, data: bytearray) -> None:
        if self.random.random() < 0.3:
            del data[self.random.randint(0, len(data)) :]
