"""A proxy on a whole script, with callers and a registered callee played by the test, and a stepper that is awaited."""

from __future__ import annotations

import re
import sys
from hashlib import md5
from pathlib import Path
from queue import Queue
from typing import Any

from ksrcore.assemble import load_script, make_proxy
from ksrcore.debug.sandbox import Sandboxes
from ksrcore.debug.stepper import Stepper
from ksrcore.net.address import Dest, Listen, Rcv
from ksrcore.store.database import Database

PROXY, ALICE, BOB, CAROL = "127.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"
DOMAIN = "example.com"
HA1 = md5(f"bob:{DOMAIN}:secret".encode()).hexdigest()
MODPARAMS = ("nathelper:received_avp=$avp(RECEIVED)", "registrar:received_avp=$avp(RECEIVED)")


def request(
    method: str,
    uri: str,
    n: int,
    *,
    host: str = ALICE,
    from_: str = "sip:alice@elsewhere.org",
    to: str = f"sip:bob@{DOMAIN}",
    to_tag: str = "",
    extra: str = "",
    branch: str = "",
    cseq: int = 1,
) -> str:
    tag = f";tag={to_tag}" if to_tag else ""
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:5060;branch=z9hG4bK{branch or f'{method}{n}'}\r\n"
        f"From: <{from_}>;tag=f{n}\r\nTo: <{to}>{tag}\r\nCall-ID: call{n}\r\nCSeq: {cseq} {method}\r\n"
        f"Max-Forwards: 70\r\nContact: <sip:someone@{host}:5060>\r\n{extra}Content-Length: 0\r\n\r\n"
    )


class Stage:
    """The proxy, and what it sent since last asked."""

    def __init__(self, script: Path) -> None:
        self.now = 1000.0
        self.sent: list[tuple[str, Dest]] = []
        self.listen = Listen("udp", PROXY, 5060)
        self.db = Database.open(":memory:")
        self.db.insert("subscriber", {"username": "bob", "domain": DOMAIN, "ha1": HA1})
        self.db.insert("address", {"grp": 1, "ip_addr": ALICE, "mask": 32, "port": 0})
        self.before = {name: sys.modules.get(name) for name in ("KSR", script.stem)}
        self.proxy, ksr = make_proxy(
            transmit=self._transmit,
            listens=[self.listen],
            aliases=[DOMAIN],
            db=self.db,
            now=self.now,
            wall=1.7e9,
            modparams=MODPARAMS,
        )
        load_script(str(script), self.proxy, ksr)
        self.boxes = Sandboxes(self.proxy)

    def close(self) -> None:
        self.db.close()
        for name, module in self.before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module

    def _transmit(self, data: bytes, dest: Dest) -> bool:
        self.sent.append((data.decode("latin-1"), dest))
        return True

    def feed(self, text: str, host: str = ALICE) -> list[str]:
        """Give it a message; what it sent because of it."""
        self.sent.clear()
        rcv = Rcv("udp", host, 5060, PROXY, 5060, self.listen)
        self.proxy.receive(text.encode("latin-1"), rcv, self.now)
        return [text for text, _ in self.sent]

    def advance(self, seconds: float) -> list[str]:
        self.sent.clear()
        end = self.now + seconds
        while (at := self.proxy.next_timer()) is not None and at <= end:
            self.now = max(self.now, at)
            self.proxy.advance(self.now)
        self.now = end
        self.proxy.advance(end)
        return [text for text, _ in self.sent]

    def register(self, n: int = 1) -> None:
        """Bob registers, with his password."""
        aor, uri = f"sip:bob@{DOMAIN}", f"sip:{DOMAIN}"
        (challenge,) = self.feed(request("REGISTER", uri, n, host=BOB, from_=aor, to=aor), BOB)
        assert challenge.startswith("SIP/2.0 401"), challenge
        nonce = re.search('nonce="([^"]+)"', challenge)
        assert nonce is not None
        ha2 = md5(f"REGISTER:{uri}".encode()).hexdigest()
        response = md5(f"{HA1}:{nonce[1]}:{ha2}".encode()).hexdigest()
        auth = (
            f'Authorization: Digest username="bob", realm="{DOMAIN}", nonce="{nonce[1]}", uri="{uri}", '
            f'response="{response}"\r\nExpires: 600\r\n'
        )
        (answer,) = self.feed(
            request("REGISTER", uri, n, host=BOB, from_=aor, to=aor, extra=auth, branch=f"reg{n}b", cseq=2), BOB
        )
        assert answer.startswith("SIP/2.0 200"), answer

    def invite(self, n: int) -> str:
        """Alice calls bob: the INVITE as bob gets it."""
        sent = self.feed(request("INVITE", f"sip:bob@{DOMAIN}", n))
        return next(text for text in sent if text.startswith("INVITE "))

    def answer(self, invite: str, code: int, reason: str, host: str = BOB) -> list[str]:
        """Bob answers what he got."""
        head = invite.split("\r\n\r\n")[0].split("\r\n")[1:]
        keep = [line for line in head if line.partition(":")[0].lower() in ("via", "from", "call-id", "cseq")]
        to = next(line for line in head if line.startswith("To:"))
        routes = [line for line in head if line.startswith("Record-Route:")]
        fields = "\r\n".join([*keep, f"{to};tag=b" if code > 100 else to, *routes])
        contact = f"Contact: <sip:bob@{host}:5060>\r\n"
        return self.feed(f"SIP/2.0 {code} {reason}\r\n{fields}\r\n{contact}Content-Length: 0\r\n\r\n", host)

    def talk(self) -> None:
        """A call that is answered, one that is refused, one nobody answers, one that is cancelled, one to nobody."""
        self.register()
        uri = f"sip:bob@{DOMAIN}"
        invite = self.invite(10)
        self.feed(request("INVITE", uri, 10))  # again
        self.answer(invite, 180, "Ringing")
        self.answer(invite, 200, "OK")
        route = next(
            (f"Route: {line[14:]}\r\n" for line in invite.split("\r\n") if line.startswith("Record-Route:")), ""
        )
        self.feed(request("ACK", f"sip:bob@{BOB}:5060", 10, to_tag="b", extra=route))
        self.now += 1.0
        sent = self.feed(request("BYE", f"sip:bob@{BOB}:5060", 10, to_tag="b", extra=route, cseq=2))
        self.answer(next(text for text in sent if text.startswith("BYE")), 200, "OK")
        invite = self.invite(11)
        self.answer(invite, 100, "Trying")
        self.answer(invite, 486, "Busy Here")
        self.feed(request("ACK", uri, 11, to_tag="b", branch="INVITE11"))
        invite = self.invite(12)
        self.advance(40)
        self.feed(request("ACK", uri, 12, to_tag="b", branch="INVITE12"))
        invite = self.invite(13)
        self.answer(invite, 180, "Ringing")
        self.feed(request("CANCEL", uri, 13, branch="INVITE13"))
        self.answer(invite, 487, "Request Terminated")
        self.feed(request("ACK", uri, 13, to_tag="b", branch="INVITE13"))
        self.feed(request("INVITE", f"sip:nobody@{DOMAIN}", 14, to=f"sip:nobody@{DOMAIN}"))
        self.feed(request("OPTIONS", f"sip:{DOMAIN}", 15))


class Walk:
    """A stepper and its latest state."""

    def __init__(self, boxes: Sandboxes, id: int, callback: str = "ksr_request_route", **options: Any) -> None:
        record = boxes.live.recorder.get(id)
        assert record is not None
        self.states: Queue[dict[str, Any]] = Queue()
        self.stepper = Stepper(boxes, record, callback, self.states.put, **options)
        self.state = self.states.get(timeout=10)

    def do(self, op: str, line: int = 0) -> dict[str, Any]:
        self.stepper.order(op, line)
        self.state = self.states.get(timeout=10)
        return self.state

    @property
    def at(self) -> tuple[str, int]:
        return self.state["function"], self.state["line"]

    def __enter__(self) -> Walk:
        return self

    def __exit__(self, *error: object) -> None:
        self.stepper.close()
        self.stepper.join()
