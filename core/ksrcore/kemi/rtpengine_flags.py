"""The flags of rtpengine's functions: words with spaces between them, read into the dictionary that is sent.

A word is ``name`` or ``name=value``. Some names have a meaning here, such as ``via-branch=``; the others go to
rtpengine as they are: with a value as an entry of the dictionary, without one in its list ``flags``.
"""

from __future__ import annotations

from typing import Final

from ..net.ng import Dictionary, NgValue

__all__ = ["BadFlag", "Flags", "read_flags"]

#: Names of rtpengine's media protocols by the bits below.
_TRANSPORTS: Final = {
    0: "RTP/AVP",
    1: "RTP/SAVP",
    2: "RTP/AVPF",
    3: "RTP/SAVPF",
    4: "UDP/TLS/RTP/SAVP",
    6: "UDP/TLS/RTP/SAVPF",
}
_BITS: Final = {name: bits for bits, name in _TRANSPORTS.items()}
_SECURE, _FEEDBACK, _DTLS = 1, 2, 4

#: What begins words of which the rest goes into a list, ``SDES-off`` or ``SDES=off``, and the name of the list.
_LISTS: Final = {"replace": "replace", "rtcp-mux": "rtcp-mux", "SDES": "SDES", "T.38": "T.38", "T38": "T.38"}
#: The same for the lists in the dictionary ``codec``.
_CODECS: Final = {
    "transcode": "transcode",
    "codec-transcode": "transcode",
    "codec-strip": "strip",
    "codec-offer": "offer",
    "codec-mask": "mask",
    "codec-set": "set",
    "codec-except": "except",
}
_PREFIXES: Final = (*_LISTS, *_CODECS)

#: The values of ``via-branch``: for requests, for replies.
_BRANCHES: Final = {
    "1": ("1", "1"),
    "2": ("2", "2"),
    "auto": ("1", "2"),
    "extra": ("extra", "extra"),
    "next": ("next", "next"),
    "auto-next": ("next", "1"),
    "next-auto": ("next", "1"),
    "auto-extra": ("extra", "1"),
    "extra-auto": ("extra", "1"),
}


class BadFlag(ValueError):
    """A flag cannot be sent: names it, and what was expected."""


class Flags:
    """What the words say.

    ``branch``: which branch identifies the call, '' none, 1 or 2 that Via's, ``extra``, ``next``. ``callid``,
    ``from_tag``, ``to_tag``: in place of the message's, None for that. ``with_to``: the To tag goes with a delete.
    ``directional``: the From tag goes with blocking. ``answer``: an offer is to be an answer. ``entries``: of the
    dictionary, in the order of the words.
    """

    __slots__ = (
        "answer", "branch", "callid", "codecs", "direction", "directional", "entries", "flags", "from_tag", "lists",
        "to_tag", "transport", "with_to",
    )  # fmt: skip

    def __init__(self) -> None:
        self.branch = ""
        self.callid: str | None = None
        self.from_tag: str | None = None
        self.to_tag: str | None = None
        self.with_to = False
        self.directional = False
        self.answer = False
        self.entries: list[tuple[str, NgValue]] = []
        self.direction: list[str] = []
        self.flags: list[str] = []
        self.lists: dict[str, list[str]] = {}
        self.codecs: dict[str, list[str]] = {}
        #: Bits of the media protocol, None when no word is about it.
        self.transport: int | None = None

    def add_to(self, message: Dictionary) -> None:
        """Put everything but what identifies the call into the dictionary to be sent."""
        message.items += self.entries
        lists = self.lists
        if self.direction:
            message.add("direction", self.direction)
        if self.flags:
            message.add("flags", self.flags)
        if "replace" in lists:
            message.add("replace", lists["replace"])
        if self.codecs:
            message.add("codec", self.codecs)
        # Contradictory words, SRTP and DTLS, have no protocol.
        if self.transport is not None and self.transport in _TRANSPORTS:
            message.add("transport-protocol", _TRANSPORTS[self.transport])
        for name in ("rtcp-mux", "SDES", "T.38"):
            if name in lists:
                message.add(name, lists[name])


def _integer(text: str, digits_only: bool = False) -> int:
    """The number ``text`` begins with, as C's atoi reads it into 32 bits; 0 without one."""
    if not digits_only:
        text = text.lstrip(" \t\n\v\f\r")
    sign = 1
    if not digits_only and text[:1] in ("+", "-"):
        sign = -1 if text[0] == "-" else 1
        text = text[1:]
    end = 0
    while end < len(text) and text[end] in "0123456789":
        end += 1
    # More digits than these are outside of 64 bits.
    number = sign * int(text[: min(end, 18)] or "0") & 0xFFFFFFFF
    return number - (1 << 32) if number & 0x80000000 else number


def read_flags(text: str, is_request: bool) -> Flags:
    """Raises :class:`BadFlag`."""
    flags = Flags()
    at = 0
    while at < len(text):
        if text[at] == " ":
            at += 1
            continue
        end = text.find(" ", at)
        end = len(text) if end < 0 else end
        name, equals, value = text[at:end].partition("=")
        if not name:
            break  # Kamailio reads no further, either
        after = at + len(name) + 1
        at = end
        _word(flags, name, value if equals else None, text[after:], is_request)
    return flags


def _word(flags: Flags, name: str, value: str | None, rest: str, is_request: bool) -> None:
    """``rest``: the text from the value on, which Kamailio reads numbers from."""
    if _about_call(flags, name, value, is_request) or _about_media(flags, name, value):
        return
    if value is None:
        if name == "repacketize":
            raise BadFlag("repacketize expects milliseconds, as in repacketize=20")
        flags.flags.append(name)
    elif name == "repacketize":
        number = _integer(value, digits_only=True)
        if number <= 0:
            raise BadFlag(f"repacketize expects milliseconds, a number from 1, got {value!r}")
        flags.entries.append((name, number))
    elif name == "TOS":
        flags.entries.append((name, _integer(rest)))
    else:
        if name == "delete-delay":
            flags.entries.append(("delete delay", _integer(rest)))
        flags.entries.append((name, value))


def _about_call(flags: Flags, name: str, value: str | None, is_request: bool) -> bool:
    """Words that say which call, and how it is identified."""
    if name == "via-branch":
        if value not in _BRANCHES:
            raise BadFlag(f"via-branch expects one of {', '.join(_BRANCHES)}, got {value!r}")
        flags.branch = _BRANCHES[value][0 if is_request else 1]
    elif name == "call-id":
        flags.callid = _needed(name, value)
    elif name == "from-tag":
        flags.from_tag = _needed(name, value)
    elif name == "to-tag":
        flags.with_to = True
        if value is not None:
            flags.to_tag = value
    elif name == "directional":
        flags.directional = True
    elif name == "force-answer":
        flags.answer = True
    else:
        return False
    return True


def _needed(name: str, value: str | None) -> str:
    if value is None:
        raise BadFlag(f"{name} expects a value, as in {name}=abc")
    return value


def _about_media(flags: Flags, name: str, value: str | None) -> bool:
    """Words that go into one of the lists, or say the media protocol."""
    if name == "direction":
        flags.direction.append(_needed(name, value))
        return True
    if name in ("internal", "external"):
        flags.direction.append(name)
        return True
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            item = name[len(prefix) + 1 :] if name[len(prefix) : len(prefix) + 1] == "-" else ""
            if name == prefix:
                item = value or ""
            if item:
                if prefix in _LISTS:
                    flags.lists.setdefault(_LISTS[prefix], []).append(item)
                else:
                    flags.codecs.setdefault(_CODECS[prefix], []).append(item)
                return True
    if value is not None:
        return False
    bits = flags.transport or 0
    if name in _BITS:
        bits = _BITS[name]
    elif name == "RTP":
        bits &= ~_SECURE
    elif name == "SRTP":
        bits |= _SECURE
    elif name == "AVP":
        bits &= ~_FEEDBACK
    elif name == "AVPF":
        bits |= _FEEDBACK
    elif name == "DTLS":
        bits |= _DTLS
    else:
        return False
    flags.transport = bits
    return True
