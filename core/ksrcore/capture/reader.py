"""Capture files of any kind that is known: SIP messages, one after the other, and what else was met, counted.

Nothing is kept but what fragments and connections wait for, so a file may be of any size.
"""

from __future__ import annotations

import gzip
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import BinaryIO, Final, cast

from . import hep, texts
from .captured import Captured, CaptureError, is_sip
from .ip import TCP, UDP, Defragmenter, IpPacket, parse_ip
from .link import LINK_NAMES, UPPER_PDU, ip_offset, read_pdu
from .pcap import Damaged, Packet, is_pcap, read_pcap
from .pcapng import is_pcapng, read_pcapng
from .streams import Streams, parse_tcp

__all__ = ["CaptureFile"]

#: Seconds in which equal datagrams are one, seen on two interfaces: SIP repeats after half a second at the earliest.
_TWICE: Final = 0.01
_REMEMBERED: Final = 1000


class CaptureFile:
    """The SIP messages of a file, in its order: iterate it, once or again.

    ``packets`` counts what was read, ``messages`` what was SIP, ``other`` what was not, ``twice`` datagrams seen on two
    interfaces, ``cut`` those that the capture has not whole. ``damage``: where and why reading ended early, '' when it
    did not. Raises CaptureError for a file that cannot be used at all; a file of which something is good is used.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.kind = ""
        self.size = 0
        self._reset()

    def _reset(self) -> None:
        self.packets = self.messages = self.other = self.twice = self.cut = 0
        self.damage = ""
        self.links: set[int] = set()
        self.bytes_read = 0
        self._fragments = Defragmenter()
        self._streams = Streams()
        self._recent: OrderedDict[tuple[str, int, str, int, bytes], float] = OrderedDict()
        self._texts: dict[bytes, str] = {}

    # -- the file -------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Captured]:
        self._reset()
        try:
            raw = self.path.open("rb")
            self.size = self.path.stat().st_size
        except OSError as error:
            raise CaptureError(f"cannot read {self.path}: {error.strerror}") from None
        with raw:
            yield from self._read(raw)
        if not self.messages:
            raise CaptureError(f"{self.path}: {self._nothing()}")

    def _read(self, raw: BinaryIO) -> Iterator[Captured]:
        try:
            file = self._unzipped(raw)
            for message in self._messages(file):
                self.bytes_read = raw.tell() if raw.seekable() else 0
                self.messages += 1
                yield message
        except Damaged as error:
            self.damage = str(error)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self.damage = "the compressed file ends too early or is damaged"
        except OSError as error:
            raise CaptureError(f"cannot read {self.path}: {error.strerror or error}") from None
        except CaptureError as error:
            raise CaptureError(f"{self.path}: {error}") from None

    @staticmethod
    def _unzipped(raw: BinaryIO) -> BinaryIO:
        head = raw.peek(2)[:2] if hasattr(raw, "peek") else b""
        return cast(BinaryIO, gzip.open(raw)) if head == b"\x1f\x8b" else raw

    def _messages(self, file: BinaryIO) -> Iterator[Captured]:
        head = _peek(file)
        if not head:
            raise CaptureError("the file is empty")
        if is_pcap(head):
            self.kind = "pcap"
            return self._from_packets(read_pcap(file))
        if is_pcapng(head):
            self.kind = "pcapng"
            return self._from_packets(read_pcapng(file))
        if head[:4] == b"HEP3":
            self.kind = "HEP3"
            return self._from_hep(hep.read_hep(file))
        found = texts.text_format(head)
        if found is None:
            raise CaptureError(
                "no capture that is known: expected pcap, pcapng, HEP3, or a text dump of SIPp (-trace_msg), "
                f"Kamailio's sipdump, sngrep or ngrep (-W byline); it begins with {head[:16]!r}"
            )
        self.kind, read = found
        return self._from_text(read(file))

    def _from_text(self, messages: Iterator[Captured]) -> Iterator[Captured]:
        for message in messages:
            self.packets += 1
            if is_sip(message.data):
                yield message
            else:
                self.other += 1

    def _from_hep(self, packets: Iterator[hep.Hep]) -> Iterator[Captured]:
        for packet in packets:
            self.packets += 1
            if packet.kind == 1 and is_sip(packet.message.data):
                yield packet.message
            else:
                self.other += 1

    # -- packets --------------------------------------------------------------------------------------------------

    def _from_packets(self, packets: Iterator[Packet]) -> Iterator[Captured]:
        for packet in packets:
            self.packets += 1
            self.links.add(packet.link)
            if packet.link == UPPER_PDU:
                yield from self._from_pdu(packet)
                continue
            at = ip_offset(packet.link, packet.data)
            ip = parse_ip(packet.data, at) if at >= 0 else None
            if ip is not None and ip.ident:
                ip = self._fragments.add(ip, packet.time)
                if ip is None:
                    continue  # the rest is still to come
            if ip is None:
                self.other += 1
            elif ip.proto == UDP:
                message = self._from_udp(packet, ip)
                if message is not None:
                    yield message
            elif ip.proto == TCP:
                yield from self._from_tcp(packet, ip)
            else:
                self.other += 1

    def _from_udp(self, packet: Packet, ip: IpPacket) -> Captured | None:
        data = ip.data
        if len(data) < 8:
            self.other += 1
            return None
        size = (data[4] << 8) | data[5]
        payload = data[8 : size if size >= 8 else len(data)]
        if payload[:4] == b"HEP3":
            return self._encapsulated(payload, packet)
        if not is_sip(payload):
            self.other += 1
            return None
        if size > len(data) or ip.cut:
            self.cut += 1
            return None
        src, dst = self._text(ip.src), self._text(ip.dst)
        src_port, dst_port = (data[0] << 8) | data[1], (data[2] << 8) | data[3]
        return self._once(
            Captured(packet.time, "udp", src, src_port, dst, dst_port, payload, 0, packet.out, packet.comment)
        )

    def _once(self, message: Captured) -> Captured | None:
        """The message, None when it was just there: seen on a second interface, or mirrored with HEP."""
        key = (message.src_ip, message.src_port, message.dst_ip, message.dst_port, message.data)
        before = self._recent.pop(key, None)
        self._recent[key] = message.time
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        if before is not None and abs(message.time - before) < _TWICE:
            self.twice += 1
            return None
        return message

    def _encapsulated(self, payload: bytes, packet: Packet) -> Captured | None:
        try:
            found = hep.decode(payload, packet.time)
        except hep.HepError:
            self.other += 1
            return None
        if found.kind != 1 or not is_sip(found.message.data):
            self.other += 1
            return None
        return self._once(found.message)

    def _from_tcp(self, packet: Packet, ip: IpPacket) -> Iterator[Captured]:
        segment = parse_tcp(ip.data)
        if segment is None:
            self.other += 1
            return
        conid, found = self._streams.feed(ip.src, ip.dst, segment, ip.cut)
        for data in found:
            if is_sip(data):
                yield Captured(
                    packet.time,
                    "tcp",
                    self._text(ip.src),
                    segment.src_port,
                    self._text(ip.dst),
                    segment.dst_port,
                    data,
                    conid,
                    packet.out,
                    packet.comment,
                )
            else:
                self.other += 1

    def _from_pdu(self, packet: Packet) -> Iterator[Captured]:
        pdu = read_pdu(packet.data)
        if pdu is None or len(pdu.src) not in (4, 16) or len(pdu.dst) not in (4, 16) or not is_sip(pdu.data):
            self.other += 1
            return
        if packet.length > len(packet.data):
            self.cut += 1
            return
        src, dst = self._text(pdu.src), self._text(pdu.dst)
        yield Captured(
            packet.time, pdu.proto, src, pdu.src_port, dst, pdu.dst_port, pdu.data, 0, packet.out, packet.comment
        )

    def _text(self, packed: bytes) -> str:
        found = self._texts.get(packed)
        if found is None:
            if len(self._texts) > 50_000:
                self._texts.clear()
            found = self._texts[packed] = str(ip_address(packed))
        return found

    # -- what there is to say -------------------------------------------------------------------------------------

    @property
    def lost(self) -> int:
        """How often something was missing: parts of packets, segments of connections."""
        return self._fragments.incomplete + self._streams.lost

    def summary(self) -> str:
        """One line: what was read, what was left, what was wrong."""
        parts = [f"{self.path.name}: {self.kind}, {_many(self.messages, 'SIP message')}"]
        if self.other:
            parts.append(f"{self.other} other packet{'' if self.other == 1 else 's'}")
        for count, what in (
            (self.twice, "seen twice"),
            (self.cut, "cut short by the capture (tcpdump -s 0 keeps all)"),
            (self.lost, "incomplete: packets are missing"),
        ):
            if count:
                parts.append(f"{count} {what}")
        text = ", ".join(parts)
        return f"{text}; {self.damage}: what was before is used" if self.damage else text

    def _nothing(self) -> str:
        if self.damage:
            return f"{self.damage}, and no SIP message comes before"
        unknown = sorted(self.links - set(LINK_NAMES))
        if unknown and len(unknown) == len(self.links):
            return f"the link layer {unknown[0]} is not read; tcpdump -i any, or Ethernet, is"
        if self.cut:
            return f"all {self.cut} SIP messages are cut short: capture with tcpdump -s 0"
        return f"no SIP message in {_many(self.packets, 'packet')} ({self.kind}; SIP over TLS cannot be read)"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _peek(file: BinaryIO) -> bytes:
    """The first bytes of the file, which stays at its beginning."""
    head: bytes = file.peek(8192)  # type: ignore[attr-defined]  # buffered files and gzip's have it
    return head
