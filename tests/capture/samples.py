"""Messages and packets for the tests of captures."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from pathlib import Path

from ksrcore.capture.captured import Captured
from ksrcore.capture.reader import CaptureFile

T0 = 1_700_000_000.25
UAC, PROXY, UAS = ("10.0.0.1", 5062), ("10.0.0.9", 5060), ("10.0.0.2", 5063)


def message(first: str = "OPTIONS sip:10.0.0.9 SIP/2.0", callid: str = "c1", body: str = "", extra: str = "") -> bytes:
    method = first.split()[0]
    cseq = "INVITE" if method == "SIP/2.0" else method
    return (
        f"{first}\r\nVia: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bK{callid}\r\nFrom: <sip:alice@a.test>;tag=1\r\n"
        f"To: <sip:bob@b.test>\r\nCall-ID: {callid}\r\nCSeq: 1 {cseq}\r\n{extra}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def captured(
    data: bytes = message(),
    src: tuple[str, int] = UAC,
    dst: tuple[str, int] = PROXY,
    time: float = T0,
    proto: str = "udp",
    out: bool | None = None,
) -> Captured:
    return Captured(time, proto, *src, *dst, data, 0, out)


def udp(data: bytes, src: tuple[str, int] = UAC, dst: tuple[str, int] = PROXY) -> bytes:
    """The IP packet of a datagram, without checksums."""
    return ip(struct.pack(">HHHH", src[1], dst[1], 8 + len(data), 0) + data, 17, src[0], dst[0])


def ip(
    data: bytes, proto: int = 17, src: str = "10.0.0.1", dst: str = "10.0.0.9", flags: int = 0, ident: int = 1
) -> bytes:
    a, b = ip_address(src).packed, ip_address(dst).packed
    if len(a) == 16:
        return struct.pack(">IHBB", 0x60000000, len(data), proto, 64) + a + b + data
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(data), ident, flags, 64, proto, 0) + a + b + data


def tcp(
    seq: int, data: bytes = b"", flags: int = 0x18, src: tuple[str, int] = UAC, dst: tuple[str, int] = PROXY
) -> bytes:
    header = struct.pack(">HHIIBBHHH", src[1], dst[1], seq & 0xFFFFFFFF, 0, 0x50, flags, 1000, 0, 0)
    return ip(header + data, 6, src[0], dst[0])


def pcap(*frames: bytes, link: int = 101, order: str = "<", magic: int = 0xA1B2C3D4, step: float = 1.0) -> bytes:
    """A file of frames, ``step`` seconds apart."""
    nano = magic == 0xA1B23C4D
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for at, frame in enumerate(frames):
        when = T0 + at * step
        part = round((when % 1) * (1e9 if nano else 1e6))
        out += struct.pack(order + "IIII", int(when), part, len(frame), len(frame)) + frame
    return out


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = 101, order: str = "<", options: bytes = b"") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, 0) + options, order)


def enhanced(
    frame: bytes, order: str = "<", ticks: int = int(T0 * 1e6), number: int = 0, options: bytes = b""
) -> bytes:
    body = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(6, body + frame + bytes(-len(frame) % 4) + options, order)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def read(path: Path) -> tuple[list[Captured], CaptureFile]:
    file = CaptureFile(path)
    return list(file), file
