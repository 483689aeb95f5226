"""Captures for other eyes: credentials blanked, users and numbers replaced, each always by the same, none by another.

Every letter becomes a letter and every digit a digit, so lengths stay, and Content-Length with them. What is replaced:
user parts and passwords of SIP URIs and numbers of tel URIs, wherever they stand; display names; the user, nonces and
response in Authorization and Proxy-Authorization; the user of ``o=`` in SDP. Hosts, addresses and Call-IDs stay.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Final

from .captured import Captured

__all__ = ["Mask"]

Found = re.Match[bytes]

_URI: Final = re.compile(rb"(sips?:)([^@\s<>\"]{1,256})(?=@)", re.IGNORECASE)
_TEL: Final = re.compile(rb"(tel:)([+\d(][\d().\-*#A-Da-d]*)", re.IGNORECASE)
_QUOTED: Final = re.compile(rb'"((?:[^"\\\r\n]|\\.){1,200})"(?=[ \t]*<)')
_NAME: Final = re.compile(rb"^([A-Za-z-]+[ \t]*:[ \t]*)([^\s<\"][^<\"\r\n,]{0,200}?)(?=[ \t]*<[a-z]+:)", re.MULTILINE)
_CREDENTIALS: Final = re.compile(
    rb"^((?:Proxy-)?Authorization[ \t]*:)((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE
)
_SECRET: Final = re.compile(rb'\b(response|cnonce|nonce|opaque)([ \t]*=[ \t]*"?)([^",\s]+)', re.IGNORECASE)
_USERNAME: Final = re.compile(rb'\b(username[ \t]*=[ \t]*")([^"\r\n]+)', re.IGNORECASE)
_ORIGIN: Final = re.compile(rb"^(o=)([^\s-][^\s]*)", re.MULTILINE)
_ESCAPED: Final = re.compile(r"%[0-9A-Fa-f]{2}")

_NUMBERS: Final = re.compile(r"message \d+(, because of \d+)?")

_CLASSES: Final = (digits, ascii_lowercase, ascii_uppercase)


class Mask:
    """What stands for what, for one file: a user is the same in all its messages, and another in another file."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key or secrets.token_bytes(16)
        self._known: dict[str, str] = {}
        self._given: set[str] = set()

    def message(self, message: Captured) -> Captured:
        # Of comments only the line that the shell writes in numbers: others may name anybody.
        comment = message.comment.partition("\n")[0]
        return message._replace(data=self.data(message.data), comment=comment if _NUMBERS.fullmatch(comment) else "")

    def data(self, data: bytes) -> bytes:
        """The message with as many bytes as before."""
        head, blank, body = data.partition(b"\r\n\r\n")
        head = _CREDENTIALS.sub(self._credentials, head)
        head = _QUOTED.sub(self._whole(b'"', b'"'), head)
        head = _NAME.sub(self._second, head)
        head, body = self._uris(head), self._uris(body)
        return head + blank + _ORIGIN.sub(self._second, body)

    def _uris(self, data: bytes) -> bytes:
        return _TEL.sub(self._second, _URI.sub(self._user, data))

    def _user(self, found: Found) -> bytes:
        user, colon, password = found.group(2).partition(b":")
        # Parameters of the user part, such as ;npdi, say nothing of who it is.
        name, semicolon, params = user.partition(b";")
        return found.group(1) + self.word(name) + semicolon + params + colon + b"x" * len(password)

    def _second(self, found: Found) -> bytes:
        return found.group(1) + self.word(found.group(2))

    def _whole(self, before: bytes, after: bytes) -> Callable[[Found], bytes]:
        return lambda found: before + self.word(found.group(1)) + after

    def _credentials(self, found: Found) -> bytes:
        name, value = found.groups()
        scheme = value.split(None, 1)
        if len(scheme) > 1 and scheme[0].lower() != b"digest":
            return bytes(name) + value[: -len(scheme[1])] + b"x" * len(scheme[1])
        value = _SECRET.sub(lambda each: each.group(1) + each.group(2) + b"0" * len(each.group(3)), value)
        return bytes(name) + _USERNAME.sub(self._second, value)

    def word(self, word: bytes) -> bytes:
        """What stands for a user, number or name: as long, letters for letters and digits for digits."""
        text = word.decode("latin-1")
        known = self._known.get(text)
        if known is None:
            # Another way is tried when it is taken; there may be as many names as there are, such as ten of one digit.
            for turn in range(64):
                known = self._made(text, turn)
                if known not in self._given:
                    break
            assert known is not None
            self._known[text] = known
            self._given.add(known)
        return known.encode("latin-1")

    def _made(self, text: str, turn: int) -> str:
        stream = hashlib.shake_128(self._key + bytes((turn,)) + text.encode("latin-1")).digest(2 * len(text) + 2)
        kept = {at for found in _ESCAPED.finditer(text) for at in range(*found.span())}
        out = []
        for at, char in enumerate(text):
            letters = next((each for each in _CLASSES if char in each), "")
            if letters and at not in kept:
                char = letters[int.from_bytes(stream[2 * at : 2 * at + 2], "big") % len(letters)]
            elif ord(char) > 127:
                char = "?"
            out.append(char)
        return "".join(out)
