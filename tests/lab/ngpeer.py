"""An rtpengine that does what a test says: it speaks the ng protocol on loopback and keeps what it got."""

from __future__ import annotations

import json
import re
import socket
import threading
from types import TracebackType
from typing import Any, Self

_MEDIA = re.compile(r"(?m)^(m=\w+ )(\d+)")
_CONNECTION = re.compile(r"(?m)^(c=IN IP[46] )\S+")


def encode(value: Any) -> bytes:
    """Bencode; dictionaries keep their order. Texts are latin-1."""
    if isinstance(value, int):
        return f"i{int(value)}e".encode()
    if isinstance(value, str):
        data = value.encode("latin-1")
        return f"{len(data)}:".encode() + data
    if isinstance(value, dict):
        return b"d" + b"".join(encode(name) + encode(item) for name, item in value.items()) + b"e"
    return b"l" + b"".join(map(encode, value)) + b"e"


def decode(data: bytes) -> Any:
    """What :func:`encode` made. Raises ValueError or IndexError."""
    value, end = _decode(data, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes too many")
    return value


def _decode(data: bytes, at: int) -> tuple[Any, int]:
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind in (b"l", b"d"):
        items: list[Any] = []
        at += 1
        while data[at : at + 1] != b"e":
            item, at = _decode(data, at)
            items.append(item)
        return (items if kind == b"l" else dict(zip(items[::2], items[1::2], strict=True))), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1 : end].decode("latin-1"), end


def rewritten(sdp: str, host: str) -> str:
    """An SDP as if media went through ``host``: other addresses, and ports that are 20000 higher or lower."""
    sdp = _MEDIA.sub(lambda m: m[1] + (str((int(m[2]) + 20000) % 60000) if int(m[2]) else "0"), sdp)
    return _CONNECTION.sub(lambda m: m[1] + host, sdp)


class NgPeer:
    """Answers at ``address`` (``IP:PORT``, port 0 for any) until closed.

    ``answers``: for a command, or ``any``, what it says, in order; the last one again and again. ``silent`` for
    nothing, ``raw TEXT`` for these characters after the cookie, ``default``, else JSON. A command without any gets what
    suits it: an SDP as :func:`rewritten`, a pong, an ok.
    """

    def __init__(self, address: str = "127.0.0.1:0") -> None:
        self.host, _, port = address.rpartition(":")
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((self.host, int(port)))
        self.port: int = self.sock.getsockname()[1]
        self.answers: dict[str, list[str]] = {}
        self.lock = threading.Lock()
        #: What came, without cookies; repeated ones (same cookie) only once unless ``repeats``.
        self.got: list[bytes] = []
        self.repeats = False
        self._last: bytes = b""
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"udp:{self.host}:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self.sock.fileno() >= 0:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
                own.sendto(b"", (self.host, self.port))
            self._thread.join(5)
            self.sock.close()

    def reset(self, answers: dict[str, list[str]]) -> None:
        """Forget what came; from now on these answers."""
        with self.lock:
            self.got.clear()
            self.answers = {command: list(lines) for command, lines in answers.items()}

    def take(self) -> list[bytes]:
        """What came since the last time."""
        with self.lock:
            got, self.got = self.got, []
            return got

    def _main(self) -> None:
        while True:
            data, source = self.sock.recvfrom(65536)
            if not data:
                return
            cookie, _, text = data.partition(b" ")
            with self.lock:
                again = data == self._last
                self._last = data
                if not again or self.repeats:
                    self.got.append(text)
                answer = self._answer(text, again)
            if answer is not None:
                self.sock.sendto(cookie + b" " + answer, source)

    def _answer(self, text: bytes, again: bool) -> bytes | None:
        try:
            asked = decode(text)
            command = str(asked["command"])
        except (ValueError, IndexError, KeyError, TypeError):
            return encode({"result": "error", "error-reason": "cannot decode"})
        lines = self.answers.get(command) or self.answers.get("any")
        if lines:
            line = lines[0] if len(lines) == 1 or again else lines.pop(0)
            kind, _, rest = line.partition(" ")
            if kind == "silent":
                return None
            if kind == "raw":
                return rest.encode("latin-1")
            if line != "default":
                return encode(json.loads(line))
        if command == "ping":
            return encode({"result": "pong"})
        if command in ("offer", "answer") and "sdp" in asked:
            return encode({"sdp": rewritten(asked["sdp"], self.host), "result": "ok"})
        return encode({"result": "ok"})
