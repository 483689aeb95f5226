"""A proxy on a script given as functions, messages in, time advanced, whole texts out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from ksrcore.assemble import load_script, make_proxy
from ksrcore.kemi.tm import Tm
from ksrcore.net.address import Dest, Listen, Rcv

PROXY = "10.0.0.1"
ALICE = "10.0.0.2"
BOB = "10.0.0.3"

_HEAD = "import KSR\n\n\nclass Script:\n"
_TAIL = "\n\ndef mod_init():\n    return Script()\n"
_BRANCH = re.compile(r"z9hG4bK[0-9a-f]+\.[0-9a-f]{32}\.([0-9a-f]+)")
_TAG = re.compile(r"tag=[0-9a-f]{32}[-.][0-9a-f]{8}")


class Sent:
    """One message that left the proxy."""

    def __init__(self, at: float, text: str, dest: Dest) -> None:
        self.at = at
        self.text = text
        self.dest = dest

    @property
    def first(self) -> str:
        return self.text.split("\r\n", 1)[0]

    @property
    def to(self) -> str:
        return f"{self.dest.ip}:{self.dest.port}"

    @property
    def plain(self) -> str:
        """The text with our branch ids as OURS.n, our tags as OURTAG and line ends as newlines."""
        return _TAG.sub("tag=OURTAG", _BRANCH.sub(r"OURS.\1", self.text)).replace("\r\n", "\n")

    @property
    def branch(self) -> str:
        found = _BRANCH.search(self.text)
        assert found is not None, self.text
        return found.group(0)

    def header(self, name: str) -> list[str]:
        head = self.text.split("\r\n\r\n", 1)[0].split("\r\n")[1:]
        return [line.partition(":")[2].strip() for line in head if line.partition(":")[0].lower() == name.lower()]

    @property
    def body(self) -> str:
        return self.text.partition("\r\n\r\n")[2]

    def __repr__(self) -> str:
        return f"<{self.at:g} -> {self.to} {self.first}>"


class Playbook:
    """``script``: the body of a class, its methods at the left margin. ``modparams``: MODULE:NAME=VALUE texts."""

    def __init__(
        self,
        tmp_path: Path,
        script: str,
        *,
        modparams: Iterable[str] = (),
        listens: Iterable[Listen] = (Listen("udp", PROXY, 5060), Listen("tcp", PROXY, 5060)),
    ) -> None:
        self.now = 1000.0
        self.sent: list[Sent] = []
        self.refuse: Callable[[str, Dest], bool] = lambda text, dest: False
        body = "\n".join(f"    {line}" if line.strip() else "" for line in script.strip("\n").split("\n"))
        path = tmp_path / "script.py"
        path.write_text(_HEAD + body + _TAIL)
        self.proxy, ksr = make_proxy(
            transmit=self._transmit, listens=list(listens), now=self.now, wall=1.7e9, modparams=modparams
        )
        self.listens = self.proxy.listens
        load_script(str(path), self.proxy, ksr)
        tm = self.proxy.modules["tm"]
        assert isinstance(tm, Tm)
        self.tm = tm

    def _transmit(self, data: bytes, dest: Dest) -> bool:
        text = data.decode("latin-1")
        if self.refuse(text, dest):
            return False
        self.sent.append(Sent(self.now, text, dest))
        return True

    def take(self) -> list[Sent]:
        """What was sent since last asked."""
        taken, self.sent = self.sent, []
        return taken

    def feed(self, text: str, src: str = ALICE, port: int = 5060, proto: str = "udp", conid: int = 0) -> list[Sent]:
        """Give the proxy a message (line ends may be newlines) and return what it sent because of it."""
        data = text.replace("\r\n", "\n").replace("\n", "\r\n").encode("latin-1")
        listen = next(x for x in self.listens if x.proto == proto)
        self.proxy.receive(data, Rcv(proto, src, port, listen.host, listen.port, listen, conid), self.now)
        return self.take()

    def advance(self, seconds: float, step: float = 0.1) -> list[Sent]:
        """Let time pass, in steps no longer than the next timer; return what was sent."""
        end = self.now + seconds
        while True:
            at = self.proxy.next_timer()
            if at is None or at > end:
                break
            self.now = max(self.now, at)
            self.proxy.advance(self.now)
        self.now = end
        self.proxy.advance(end)
        return self.take()

    @property
    def transactions(self) -> int:
        return len(self.tm.engine.clients)


def firsts(sent: Iterable[Sent]) -> list[str]:
    """Where to and which first line, for each."""
    return [f"{s.dest.ip} {s.first}" for s in sent]


def request(
    method: str,
    uri: str = f"sip:bob@{BOB}",
    *,
    branch: str = "z9hG4bK1",
    callid: str = "call",
    cseq: int = 1,
    to_tag: str = "",
    via: str = "",
    extra: str = "",
    body: str = "",
    host: str = ALICE,
    proto: str = "UDP",
) -> str:
    """A request of alice's. ``via``: parameters of her Via, semicolon first; ``extra``: fields with line ends."""
    to = f"<sip:bob@example.com>{';tag=' + to_tag if to_tag else ''}"
    return (
        f"{method} {uri} SIP/2.0\nVia: SIP/2.0/{proto} {host};branch={branch}{via}\n"
        f"From: <sip:alice@example.com>;tag=a\nTo: {to}\nCall-ID: {callid}\nCSeq: {cseq} {method}\n"
        f"Max-Forwards: 70\n{extra}Content-Length: {len(body)}\n\n{body}"
    )


def reply(to: Sent, code: int, reason: str = "", *, tag: str = "b", extra: str = "", body: str = "") -> str:
    """A reply to a request that the proxy sent."""
    lines = [f"SIP/2.0 {code} {reason or 'Reason'}"]
    for line in to.text.split("\r\n\r\n", 1)[0].split("\r\n")[1:]:
        name = line.partition(":")[0].lower()
        if name in ("via", "from", "call-id", "cseq", "record-route"):
            lines.append(line)
        elif name == "to":
            lines.append(line if "tag=" in line or code == 100 else f"{line};tag={tag}")
    return "\r\n".join(lines) + f"\r\n{extra}Content-Length: {len(body)}\r\n\r\n{body}"
