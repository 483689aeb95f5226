"""Captured messages as pcap or pcapng.

``ip``: IP packets with their UDP and TCP headers, which every tool reads. ``pdu``: Wireshark's exported PDUs, which
say that they are SIP: Wireshark shows them so whatever their ports are, and no packet is invented around them.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from .. import __version__
from .captured import Captured, CaptureError
from .frames import Connections, exported_pdu
from .link import RAW, UPPER_PDU
from .mask import Mask
from .pcapng import ENHANCED, INTERFACE, SECTION

__all__ = ["FORMS", "save", "write_pcap", "write_pcapng"]

FORMS: Final = ("ip", "pdu")
_SNAP: Final = 262_144


def save(path: str | Path, messages: Iterable[Captured], *, form: str = "", mask: bool = False) -> int:
    """Write the messages to a new file; its name's end chooses pcap or pcapng. How many were written.

    ``form``: see above; '' is exported PDUs in pcapng and IP packets in pcap. ``mask``: see mask.py. The file appears
    when it is whole, and replaces one of that name. Raises CaptureError.
    """
    path = Path(path)
    writers = {".pcapng": (write_pcapng, "pdu"), ".pcap": (write_pcap, "ip"), ".cap": (write_pcap, "ip")}
    if path.suffix.lower() not in writers:
        raise CaptureError(f"a capture's name ends in .pcapng or .pcap, got {path.name!r}")
    if form and form not in FORMS:
        raise CaptureError(f"form is 'ip' (packets) or 'pdu' (for Wireshark), got {form!r}")
    write, usual = writers[path.suffix.lower()]
    masked: Iterable[Captured] = map(Mask().message, messages) if mask else messages
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("xb") as file:
            count = write(file, masked, form or usual)
        part.replace(path)
    except OSError as error:
        raise CaptureError(f"cannot write {path}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    return count


def _frames(messages: Iterable[Captured], form: str) -> Iterator[tuple[Captured, bytes, bool]]:
    """Each message with its frames; True: the last of that message."""
    connections = Connections()
    for message in messages:
        frames = connections.packets(message) if form == "ip" else [exported_pdu(message)]
        for at, frame in enumerate(frames, 1):
            yield message, frame, at == len(frames)


def write_pcap(file: BinaryIO, messages: Iterable[Captured], form: str = "ip") -> int:
    """pcap with microseconds. Comments and directions have no place in it."""
    file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _SNAP, RAW if form == "ip" else UPPER_PDU))
    count = 0
    for message, frame, last in _frames(messages, form):
        seconds, micros = divmod(round(message.time * 1e6), 1_000_000)
        file.write(struct.pack("<IIII", seconds & 0xFFFFFFFF, micros, len(frame), len(frame)) + frame)
        count += last
    return count


def write_pcapng(file: BinaryIO, messages: Iterable[Captured], form: str = "pdu") -> int:
    """pcapng with microseconds, the direction of each message and its comment."""
    program = _option(4, f"ksrshell {__version__}".encode()) + bytes(4)
    file.write(_block(SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + program))
    link = RAW if form == "ip" else UPPER_PDU
    file.write(_block(INTERFACE, struct.pack("<HHI", link, 0, 0) + _option(9, b"\6") + bytes(4)))
    count = 0
    for message, frame, last in _frames(messages, form):
        micros = round(message.time * 1e6)
        body = struct.pack("<IIIII", 0, micros >> 32 & 0xFFFFFFFF, micros & 0xFFFFFFFF, len(frame), len(frame))
        body += frame + bytes(-len(frame) % 4)
        options = b""
        if last and message.comment:
            options += _option(1, message.comment.encode("utf-8", "replace")[:65000])
        if message.out is not None:
            options += _option(2, struct.pack("<I", 2 if message.out else 1))
        file.write(_block(ENHANCED, body + (options + bytes(4) if options else b"")))
        count += last
    return count


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + size + body + size


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)
