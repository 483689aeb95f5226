"""Target: capture files and HEP packets."""

from __future__ import annotations

import os
from functools import lru_cache

from capture.samples import captured, enhanced, interface, pcap, section, tcp, udp
from fuzz.holds import check
from ksrcore.capture.captured import CaptureError, is_sip
from ksrcore.capture.frames import exported_pdu
from ksrcore.capture.hep import HepError, decode, encode
from ksrcore.capture.mask import Mask
from ksrcore.capture.parties import Parties
from ksrcore.capture.reader import CaptureFile
from ksrcore.replay.facts import read_facts

_DUMP = (
    b"====================\ntag: rcv\ntime: 1.5\nproto: udp ipv4\nsrcip: 10.0.0.1\nsrcport: 5062\ndstip: 10.0.0.9\n"
    b"dstport: 5060\n~~~~~~~~~~~~~~~~~~~~\n%s||||||||||||||||||||\n"
)


def capture_seeds(messages: list[bytes]) -> list[bytes]:
    """Files of each format with some of the messages in them."""
    some = messages[:12]
    found = [pcap(*map(udp, some)), pcap(*(tcp(1, each) for each in some)), section() + interface()]
    found[2] += b"".join(enhanced(udp(each)) for each in some)
    found.append(pcap(*(exported_pdu(captured(each)) for each in some), link=252))
    found.append(b"".join(encode(captured(each)) for each in some))
    found += [b"".join(_DUMP % each for each in some), b"2026/11/23 06:58:55.8 10.0.0.1:1 -> 10.0.0.2:2\n" + some[0]]
    found.append(b"%s 2026-11-23 06:58:55.8\nUDP message sent (%d bytes):\n\n%s\n" % (b"-" * 47, len(some[0]), some[0]))
    halves = [udp(each[: len(each) // 2]) for each in some]
    found.append(pcap(*(half[:6] + b"\x20\0" + half[8:] for half in halves)))
    return found


@lru_cache(maxsize=1)
def _file() -> int:
    return os.memfd_create("ksr-fuzz")  # in memory, and gone with the process


def capture(data: bytes) -> None:
    """A file of any bytes is read to its end, or one line says why not; what is read is SIP, and bounded; masking keeps
    lengths."""
    file = _file()
    os.ftruncate(file, 0)
    os.pwrite(file, data, 0)
    reader = CaptureFile(f"/proc/self/fd/{file}")
    parties, mask = Parties(), Mask(b"fuzz")
    try:
        for message in reader:
            check(is_sip(message.data) and len(message.data) <= 1 << 20, "what is read is SIP", message.data[:200])
            check(0 <= message.src_port < 65536 and 0 <= message.dst_port < 65536, "ports", message)
            parties.count(message)
            parties.direction(message)
            check(len(mask.data(message.data)) == len(message.data), "a masked message is as long", message.data)
            read_facts(message.data.decode("latin-1"))
    except CaptureError as error:
        check("\n" not in str(error), "an error is one line", str(error))
    else:
        check("\n" not in reader.summary(), "a summary is one line", reader.summary())
    try:
        decode(data, 1.0)
    except HepError:
        pass
