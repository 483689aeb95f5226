"""The files of sipdump: messages as text with what is known of them, or as pcap, and a file about the process."""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import BinaryIO

from .. import __version__

__all__ = ["Dumped", "Files"]

_ETHERNET = 1


@dataclass(frozen=True)
class Dumped:
    """A message and what is known of it. ``time``: unix seconds."""

    tag: str
    data: bytes
    proto: str
    src_ip: str
    src_port: int
    dst_ip: str
    dst_port: int
    time: float

    @property
    def family(self) -> str:
        return "ipv6" if ":" in self.src_ip else "ipv4"

    def text(self) -> bytes:
        """As in the ``.data`` file."""
        seconds = int(self.time)
        head = (
            f"{'=' * 20}\ntag: {self.tag}\npid: {os.getpid()}\nprocess: 0\n"
            f"time: {seconds}.{int((self.time - seconds) * 1e6):06d}\ndate: {time.ctime(self.time)}\n"
            f"proto: {self.proto} {self.family}\nsrcip: {self.src_ip}\nsrcport: {self.src_port}\n"
            f"dstip: {self.dst_ip}\ndstport: {self.dst_port}\n{'~' * 20}\n"
        )
        return head.encode("latin-1") + self.data + b"|" * 20 + b"\n"

    def packet(self, marked: bool) -> bytes:
        """As in the ``.pcap`` file: Ethernet, IP and UDP around it, whatever the transport was. ``marked``: with the
        field P-KSR-SIPDump."""
        data = self.data
        if marked:
            first, end, rest = data.partition(b"\r\n")
            data = first + end + f"P-KSR-SIPDump: {self.proto} pid={os.getpid()} pno=0\r\n".encode() + rest
        src, dst = ip_address(self.src_ip), ip_address(self.dst_ip)
        udp = struct.pack(">HHHH", self.src_port, self.dst_port, (8 + len(data)) & 0xFFFF, 0)
        if src.version == 6:
            kind = b"\x86\xdd"
            ip = struct.pack(">IHBB", 0x60000000, (8 + len(data)) & 0xFFFF, 17, 128) + src.packed + dst.packed
        else:
            kind = b"\x08\x00"
            size = (28 + len(data)) & 0xFFFF
            ip = struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0, 128, 17, 0) + src.packed + dst.packed
        frame = bytes(12) + kind + ip + udp + data
        seconds = int(self.time)
        micros = int((self.time - seconds) * 1e6)
        return struct.pack("<IIII", seconds & 0xFFFFFFFF, micros, len(frame), len(frame)) + frame


class Files:
    """The files now written to. They are opened when there is something to write, anew every ``rotate`` seconds.

    Raises OSError.
    """

    def __init__(self, folder: str, prefix: str, rotate: int, text: bool, pcap: bool, started: float) -> None:
        self.folder = Path(folder)
        self.prefix = prefix
        self.rotate = rotate
        self._text = text
        self._pcap = pcap
        self._started = started
        self._opened = 0.0
        self._data: BinaryIO | None = None
        self._packets: BinaryIO | None = None

    def write(self, dumped: Dumped, marked: bool) -> None:
        if self._data is None and self._packets is None or dumped.time - self._opened >= self.rotate:
            self._open(dumped.time)
        if self._data is not None:
            self._data.write(dumped.text())
            self._data.flush()
        if self._packets is not None:
            self._packets.write(dumped.packet(marked))
            self._packets.flush()

    def _open(self, now: float) -> None:
        self.close()
        self._opened = now
        name = f"{self.prefix}{time.strftime('%Y-%m-%d--%H-%M-%S', time.localtime(now))}"
        (self.folder / f"{name}.meta").write_text(
            f"v: 1.0\nversion: ksrshell {__version__}\nstart: {time.ctime(self._started)}\nnrprocs: 1\n"
            f"process: 0 {os.getpid()} main process\n"
        )
        if self._text:
            self._data = self._new(f"{name}.data")
        if self._pcap:
            self._packets = self._new(f"{name}.pcap")
            if self._packets.tell() == 0:
                self._packets.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0xFFFF, _ETHERNET))

    def _new(self, name: str) -> BinaryIO:
        # They hold credentials: for their owner only.
        descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        file = os.fdopen(descriptor, "ab")
        file.seek(0, os.SEEK_END)
        return file

    def clean(self, now: float, age: int) -> None:
        """Remove files of ours that are older than ``age`` seconds."""
        for path in self.folder.glob(f"{self.prefix}*"):
            if path.suffix in (".data", ".meta", ".pcap") and path.is_file() and now - path.stat().st_mtime > age:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        for file in (self._data, self._packets):
            if file is not None:
                file.close()
        self._data = self._packets = None
