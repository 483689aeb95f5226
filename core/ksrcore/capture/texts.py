"""Text dumps: SIPp's -trace_msg, Kamailio's sipdump, what sngrep saves as text, ngrep -W byline."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import BinaryIO, Final

from ..net.address import AddressError, canonical_ip, parse_host_port
from .captured import MAX_SIP, Captured, is_sip
from .pcap import Damaged, read_exactly

__all__ = ["TextReader", "text_format"]

#: Yields messages; raises Damaged where the file cannot be read on.
TextReader = Callable[[BinaryIO], Iterator[Captured]]

_MAX_LINE: Final = 65536

_SIPP: Final = re.compile(rb"^-{40,} (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d\.\d+)")
_SIPP_WHAT: Final = re.compile(rb"^(UDP|TCP|TLS|SCTP|WS) message (sent|received) [\(\[](\d+)[\)\]]? ?(?:bytes)?\)? ?:")
_SIPDUMP: Final = b"===================="
_SNGREP: Final = re.compile(rb"^(\d{4}/\d\d/\d\d) (\d\d:\d\d:\d\d\.\d+) (\S+:\d+) -> (\S+:\d+)\r?$")
_NGREP: Final = re.compile(
    rb"^([UT])(?:\(\d+\))? (?:(\d{4}/\d\d/\d\d) (\d\d:\d\d:\d\d\.\d+) )?(\S+:\d+) -> (\S+:\d+)(?: |\r?$)"
)


def text_format(head: bytes) -> tuple[str, TextReader] | None:
    """The name of the format that the first bytes are of, and what reads it; None for none that is known."""
    for line in head.split(b"\n")[:200]:
        if _SIPP.match(line):
            return "SIPp's message trace", read_sipp
        if line.strip() == _SIPDUMP and b"\ntag: " in head:
            return "Kamailio's sipdump", read_sipdump
        if _SNGREP.match(line):
            return "text of sngrep", read_sngrep
        if _NGREP.match(line):
            return "text of ngrep", read_ngrep
    return None


def _local(date: bytes, time: bytes) -> float:
    """Unix time of a local date and time, which such files have without saying of which zone."""
    text = f"{date.decode('ascii').replace('/', '-')} {time.decode('ascii')[:15]}"
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _address(text: bytes) -> tuple[str, int]:
    """An address with its port; IPv6 may stand without brackets."""
    decoded = text.decode("latin-1")
    try:
        host, port = parse_host_port(decoded)
    except AddressError:
        host, _, digits = decoded.rpartition(":")
        port = int(digits[:5])
    return canonical_ip(host) or host, port & 0xFFFF


# -- SIPp -------------------------------------------------------------------------------------------------------------

_VIA: Final = re.compile(rb"^(?:Via|v)[ \t]*:[ \t]*SIP/2\.0/\w+[ \t]+([^;,\s]+)", re.IGNORECASE | re.MULTILINE)
_CONTACT: Final = re.compile(
    rb"^(?:Contact|m)[ \t]*:[^\r\n]*?sips?:(?:[^@\s>]*@)?([^;>\s]+)", re.IGNORECASE | re.MULTILINE
)
_TARGET: Final = re.compile(rb"^[A-Z]+ sips?:(?:[^@\s]*@)?([^;\s?]+)")


class _Ends:
    """SIPp does not write addresses: its own and its peer's are found in the messages."""

    def __init__(self) -> None:
        self.own = ("0.0.0.0", 5060)
        self.peer = ("0.0.0.0", 5060)
        self._own_by = self._peer_by = 9

    def look(self, data: bytes, sent: bool) -> None:
        request = not data.startswith(b"SIP/2.0")
        via = _VIA.search(data)
        if request and via:
            self._set(sent, via.group(1), 0)
        if sent and (contact := _CONTACT.search(data)):
            self._set(True, contact.group(1), 1)
        if sent and request and (target := _TARGET.match(data)):
            self._set(False, target.group(1), 2)

    def _set(self, own: bool, text: bytes, by: int) -> None:
        try:
            host, port = parse_host_port(text.decode("latin-1"))
        except AddressError:
            return
        ip = canonical_ip(host)
        if not ip:
            return
        if own and by < self._own_by:
            self.own, self._own_by = (ip, port or 5060), by
        elif not own and by < self._peer_by:
            self.peer, self._peer_by = (ip, port or 5060), by


def read_sipp(file: BinaryIO) -> Iterator[Captured]:
    """SIPp's -trace_msg: a line of dashes with the time, direction and size, the message."""
    ends = _Ends()
    # What was sent before the peer was seen waits a little for its address.
    waiting: list[tuple[float, str, bool, bytes]] = []
    damage: Damaged | None = None
    try:
        for each in _sipp_messages(file):
            ends.look(each[3], each[2])
            waiting.append(each)
            if len(waiting) >= 50:
                yield from _placed(waiting, ends)
                waiting.clear()
    except Damaged as error:
        damage = error
    yield from _placed(waiting, ends)
    if damage is not None:
        raise damage


def _placed(waiting: list[tuple[float, str, bool, bytes]], ends: _Ends) -> Iterator[Captured]:
    for time, proto, sent, data in waiting:
        src, dst = (ends.own, ends.peer) if sent else (ends.peer, ends.own)
        yield Captured(time, proto, *src, *dst, data)


def _sipp_messages(file: BinaryIO) -> Iterator[tuple[float, str, bool, bytes]]:
    time = 0.0
    while line := file.readline(_MAX_LINE):
        if found := _SIPP.match(line):
            time = _local(*found.groups())
            continue
        what = _SIPP_WHAT.match(line)
        if what is None:
            continue
        size = int(what.group(3)[:8])
        if size > MAX_SIP or file.readline(_MAX_LINE).strip():
            continue
        data = read_exactly(file, size)
        if len(data) < size:
            raise Damaged("the file ends in a message")
        proto = what.group(1).decode("ascii").lower()
        yield time, "udp" if proto == "udp" else "tcp", what.group(2) == b"sent", data


# -- sipdump ----------------------------------------------------------------------------------------------------------

_SIPDUMP_END: Final = b"||||||||||||||||||||"
_SIPDUMP_DATA: Final = b"~~~~~~~~~~~~~~~~~~~~"


def read_sipdump(file: BinaryIO) -> Iterator[Captured]:
    """Kamailio's sipdump: names and values, a line of tildes, the message, a line of bars."""
    while line := file.readline(_MAX_LINE):
        if line.strip() != _SIPDUMP:
            continue
        fields: dict[str, str] = {}
        while (line := file.readline(_MAX_LINE)) and line.strip() != _SIPDUMP_DATA:
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.strip()] = value.strip()
            if len(fields) > 50:
                break
        data = bytearray()
        while (line := file.readline(_MAX_LINE)) and line.strip() != _SIPDUMP_END:
            data += line
            if len(data) > MAX_SIP + 4096:
                break
        if not line:
            raise Damaged("the file ends in a message")
        tag = fields.get("tag", "")
        try:
            yield Captured(
                float(fields["time"]),
                fields["proto"].split(" ")[0],
                fields["srcip"],
                int(fields["srcport"]) & 0xFFFF,
                fields["dstip"],
                int(fields["dstport"]) & 0xFFFF,
                _trimmed(bytes(data)),
                0,
                {"rcv": False, "snd": True}.get(tag),
                "" if tag in ("rcv", "snd") else tag,
            )
        except (KeyError, ValueError):
            continue


# -- sngrep, ngrep ----------------------------------------------------------------------------------------------------


def read_sngrep(file: BinaryIO) -> Iterator[Captured]:
    """What sngrep saves as text: a line with time and addresses, the message, an empty line."""
    for head, data in _blocks(file, _SNGREP):
        date, time, src, dst = head.groups()
        yield Captured(_local(date, time), "udp", *_address(src), *_address(dst), _trimmed(_lines(data)))


def read_ngrep(file: BinaryIO) -> Iterator[Captured]:
    """ngrep -W byline: a line with addresses (with -t a time), the message with a dot for each carriage return."""
    for head, data in _blocks(file, _NGREP):
        kind, date, time, src, dst = head.groups()
        text = _lines(b"\n".join(line.removesuffix(b".") for line in data.split(b"\n")))
        when = _local(date, time) if date else 0.0
        yield Captured(when, "udp" if kind == b"U" else "tcp", *_address(src), *_address(dst), _trimmed(text))


def _blocks(file: BinaryIO, pattern: re.Pattern[bytes]) -> Iterator[tuple[re.Match[bytes], bytes]]:
    head: re.Match[bytes] | None = None
    data = bytearray()
    while line := file.readline(_MAX_LINE):
        found = pattern.match(line.rstrip(b"\n"))
        if found is not None:
            if head is not None:
                yield head, bytes(data)
            head = found
            data.clear()
        elif head is not None and len(data) <= MAX_SIP + 4096:
            data += line
    if head is not None:
        yield head, bytes(data)


def _lines(data: bytes) -> bytes:
    """Lines that end with CRLF, as on the wire."""
    return data if b"\r\n" in data else data.replace(b"\n", b"\r\n")


def _trimmed(data: bytes) -> bytes:
    """The message without the line ends that the format puts behind it."""
    if not is_sip(data):
        return data
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        return data.rstrip(b"\r\n") + b"\r\n\r\n"
    length = re.search(rb"^(?:Content-Length|l)[ \t]*:[ \t]*(\d{1,6})", head, re.IGNORECASE | re.MULTILINE)
    if length is not None:
        body = body[: int(length.group(1))]
    elif not body.strip():
        body = b""
    return head + blank + body
