"""Sequences of requests and KSR calls recorded from a real Kamailio, in tests/kemi/recorded, and the same on ours.

A file has scenarios: ``modparams``, rows for the ``database`` and ``steps``. A step is a request (``method``, ``ruri``,
``fields`` ...), the expressions evaluated in its request route with their results (``calls``), and the first line and
fields of each reply (``replies``, without those that each server chooses for itself); or an RPC command (``rpc``) with
its result or error. ``digest`` makes credentials with the nonce of the last challenge; ``commands`` are
what an RTPproxy was sent.
"""

from __future__ import annotations

import hashlib
import json
import re
import weakref
from pathlib import Path
from typing import Any

from ksrcore.assemble import make_proxy
from ksrcore.kemi.declare import RpcError
from ksrcore.net.address import Dest, Listen, Rcv
from ksrcore.proxy import Proxy
from ksrcore.run import REQUEST_ROUTE, Run
from ksrcore.sip.message import parse_message
from ksrcore.store.database import Database

FOLDER = Path(__file__).parent.parent / "kemi" / "recorded"
PORT = 5066
WALL = 1_795_404_000.0

_OWN = ("Via", "From", "To", "Call-ID", "CSeq", "Server", "Content-Length", "Max-Forwards")


def load(name: str) -> list[Any]:
    """The scenarios of a file."""
    scenarios: list[Any] = json.loads((FOLDER / f"{name}.json").read_text())["scenarios"]
    return scenarios


def authorization(digest: dict[str, str], method: str, nonce: str) -> str:
    """The field ``digest["field"]`` (Authorization); ``digest["nonce"]`` overwrites the beginning of the nonce."""

    def hashed(text: str) -> str:
        return hashlib.new(digest.get("hash", "md5"), text.encode()).hexdigest()

    user, realm, uri = digest.get("user", "bob"), digest.get("realm", "ex.com"), digest.get("uri", "sip:ex.com")
    nonce = digest.get("nonce", "") + nonce[len(digest.get("nonce", "")) :]
    qop, nc = digest.get("qop", ""), digest.get("nc", "00000001")
    first = hashed(f"{user}:{digest.get('realm', 'ex.com')}:{digest.get('password', 'secret')}")
    second = hashed(f"{method}:{uri}")
    response = hashed(f"{first}:{nonce}:{nc}:abc:{qop}:{second}" if qop else f"{first}:{nonce}:{second}")
    text = (
        f'{digest.get("field", "Authorization")}: Digest username="{user}", realm="{realm}", nonce="{nonce}", '
        f'uri="{uri}", response="{response}"'
    )
    return text + (f', qop={qop}, nc={nc}, cnonce="abc"' if qop else "") + digest.get("more", "")


class Bench:
    """A proxy with a database in memory; :meth:`request` evaluates expressions on a request, :meth:`rpc` commands."""

    def __init__(
        self, modparams: list[str] | tuple[str, ...] = (), database: list[Any] | None = None, db: Database | None = None
    ) -> None:
        self.sent: list[str] = []
        self.db = Database.open(":memory:") if db is None else db
        weakref.finalize(self, self.db.close)
        for table, row in database or ():
            self.db.insert(table, row)
        listens = [Listen("udp", "127.0.0.1", PORT), Listen("tcp", "127.0.0.1", PORT)]
        self.proxy: Proxy
        self.proxy, self.ksr = make_proxy(
            transmit=self._transmit,
            listens=listens,
            aliases=["ex.com"],
            modparams=modparams,
            db=self.db,
            now=10.0,
            wall=WALL,
        )
        self.count = 0
        self.nonce = ""
        self.run: Run = self.proxy.fake_run()

    def _transmit(self, data: bytes, dest: Dest) -> bool:
        self.sent.append(data.decode("latin-1"))
        return True

    def make(self, step: dict[str, Any]) -> Run:
        """A run over a request as a step describes it."""
        self.count += 1
        method = step.get("method", "OPTIONS")
        body = step.get("body", "")
        lines = [
            f"{method} {step.get('ruri', 'sip:bob@ex.com')} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:5555;branch=z9hG4bK{self.count}{step.get('via', '')}",
            f"From: {step.get('from', '<sip:bob@ex.com>;tag=f1')}",
            f"To: {step.get('to', '<sip:bob@ex.com>')}",
            f"Call-ID: {step.get('callid', 'c1')}",
            f"CSeq: {step.get('cseq', self.count)} {method}",
            *step.get("fields", ()),
            *([authorization(step["digest"], method, self.nonce)] if "digest" in step else ()),
            f"Content-Length: {len(body)}",
        ]
        text = "\r\n".join(lines) + "\r\n\r\n" + body
        rcv = Rcv("udp", step.get("source", "127.0.0.1"), 5555, "127.0.0.1", PORT, self.proxy.listens[0])
        fake = self.proxy.fake_run()
        run = Run(self.proxy, parse_message(text.encode("latin-1"), rcv), REQUEST_ROUTE, fake.record, fake.avps)
        self.run = self.proxy.env.run = run
        return run

    def request(self, step: dict[str, Any], calls: list[str]) -> tuple[list[Any], list[list[str]]]:
        """Results of the expressions, and the replies as lists of lines."""
        self.make(step)
        self.sent.clear()
        results = [eval(call, {"KSR": self.ksr}) for call in calls]
        replies = []
        for text in self.sent:
            challenge = re.search(r'enticate: .* nonce="([^"]*)"', text)
            self.nonce = challenge[1] if challenge is not None else self.nonce
            lines = text.partition("\r\n\r\n")[0].split("\r\n")
            replies.append([line for line in lines if line.partition(":")[0] not in _OWN])
        return results, replies

    def rpc(self, name: str, *params: Any) -> Any:
        """The result of an RPC command, or its error as a text."""
        for module in self.proxy.modules.values():
            if name in module.rpcs:
                try:
                    return getattr(module, module.rpcs[name])(list(params))
                except RpcError as error:
                    return f"error {error.code}: {error.reason}"
        raise LookupError(name)


_EXPIRES = re.compile(r"(expires=|Expires': )(\d+)")


def plain(value: Any) -> str:
    """A result to compare: ids, ports, times and hash slots masked, times to expiry to the next ten seconds."""
    text = repr(json.loads(json.dumps(value)))
    text = re.sub(r"ul(oc|cx)-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+", r"ul\1-*", text)
    text = re.sub(r'(nonce|rspauth)="[^"]*"', r'\1="*"', text)
    text = re.sub(r"(127\.0\.0\.1:)\d{4,5}", r"\1*", text)
    text = re.sub(r"\b1795\d{6}\b", "*time*", text)
    return _EXPIRES.sub(lambda m: f"{m[1]}{(int(m[2]) + 9) // 10 * 10}", text)


def check(scenario: dict[str, Any], differs: dict[str, str] | None = None) -> None:
    """Replay a scenario. ``differs``: expressions, RPC commands, names of steps that are others on purpose, and why."""
    bench = Bench(scenario["modparams"], scenario.get("database"))
    known = differs or {}
    unlike: list[Any] = []
    for step in scenario["steps"]:
        if "rpc" in step:
            name, *params = step["rpc"]
            got = bench.rpc(name, *params)
            if plain(got) != plain(step["result"]) and name not in known:
                unlike.append((step["rpc"], plain(step["result"]), plain(got)))
            continue
        if step.get("name") in known:
            bench.make(step)
            continue
        calls = [call for call, _ in step["calls"]]
        results, replies = bench.request(step, calls)
        for (call, wanted), result in zip(step["calls"], results, strict=True):
            if plain(result) != plain(wanted) and call not in known:
                unlike.append((step.get("name"), call, plain(wanted), plain(result)))
        if plain(replies) != plain(step["replies"]):
            unlike.append((step.get("name"), plain(step["replies"]), plain(replies)))
    assert unlike == []
