"""Calls through a proxy without sockets, for tests of the dialog module: a script that notes, and two parties."""

from __future__ import annotations

import re
import weakref
from pathlib import Path
from typing import Any

from ksrcore.assemble import load_script, make_proxy
from ksrcore.kemi.declare import RpcError
from ksrcore.net.address import Dest, Listen, Rcv
from ksrcore.proxy import Proxy
from ksrcore.store.database import Database

PORT = 5066
ALICE = 5555
BOB = 7777
WALL = 1_795_404_000.0

SCRIPT = """
import KSR

todo, results, events, replies = [], [], [], []

def ksr_request_route(msg):
    if KSR.is_CANCEL():
        if KSR.tm.t_check_trans() > 0:
            KSR.tm.t_relay()
        return 1
    if KSR.siputils.has_totag() > 0:
        KSR.rr.loose_route()
    elif KSR.is_INVITE():
        KSR.rr.record_route()
    KSR.tm.t_on_reply("ksr_onreply")
    relay = True
    for line in todo:
        if line == "drop":
            relay = False
        else:
            results.append(eval(line, {"KSR": KSR}))
    if relay:
        KSR.tm.t_relay()
    return 1

def ksr_onreply(msg):
    for line in replies:
        results.append(eval(line, {"KSR": KSR}))
    return 1

def ksr_dialog_event(msg, name):
    events.append((name, KSR.pv.get("$rm"), KSR.pv.get("$rs"), KSR.pv.get("$dlg(state)")))
    return 1
"""

_COPIED = ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route")


class Calls:
    """``sent``: what left, as (port, text); :meth:`invite` and so on take the lines that the script evaluates."""

    def __init__(self, folder: Path, modparams: list[str] | tuple[str, ...] = (), db: Database | None = None) -> None:
        self.folder = folder
        self.modparams = ["dialog:event_callback=ksr_dialog_event", *modparams]
        self.db = Database.open(":memory:") if db is None else db
        weakref.finalize(self, self.db.close)
        self.sent: list[tuple[int, str]] = []
        self.count = 0
        self.wall = WALL
        self.listens = [Listen("udp", "127.0.0.1", PORT)]
        self.invites: dict[str, str] = {}
        self.routes: dict[str, list[str]] = {}
        self.start()

    def start(self) -> None:
        """Begin, or begin again on the same database."""
        self.proxy: Proxy
        self.proxy, self.ksr = make_proxy(
            transmit=self._transmit,
            listens=self.listens,
            aliases=["ex.com"],
            modparams=self.modparams,
            db=self.db,
            now=10.0,
            wall=self.wall,
        )
        path = self.folder / "calls.py"
        path.write_text(SCRIPT)
        self.script: Any = load_script(str(path), self.proxy, self.ksr)
        self.proxy.script = self.script

    def restart(self) -> None:
        for module in self.proxy.modules.values():
            module.stop()
        self.wall = self.proxy.wall()
        self.start()

    def _transmit(self, data: bytes, dest: Dest) -> bool:
        self.sent.append((dest.port, data.decode("latin-1")))
        return True

    def _receive(self, text: str, port: int) -> None:
        rcv = Rcv("udp", "127.0.0.1", port, "127.0.0.1", PORT, self.listens[0])
        self.proxy.receive(text.encode("latin-1"), rcv, self.proxy.now)

    def after(self, seconds: float) -> None:
        """Time passes, in steps of half a second."""
        end = self.proxy.now + seconds
        while self.proxy.now < end:
            self.proxy.advance(min(self.proxy.now + 0.5, end))

    @property
    def events(self) -> list[Any]:
        """Those since the last look."""
        found = list(self.script.module.events)
        self.script.module.events.clear()
        return found

    @property
    def dialogs(self) -> Any:
        return self.proxy.modules.dialog

    def states(self) -> list[int]:
        return [dialog.state for dialog in self.dialogs.table.ordered()]

    def stats(self) -> dict[str, int]:
        """Without those that are 0."""
        counters = self.proxy.counters
        return {name[7:-8]: counters[name] for name in counters if name.startswith("dialog:") and counters[name]}

    def rpc(self, name: str, *params: Any) -> Any:
        """The result of an RPC command, or its error as a text."""
        module = self.dialogs
        try:
            return getattr(module, module.rpcs[name])(list(params))
        except RpcError as error:
            return f"error {error.code}: {error.reason}"

    # -- requests -----------------------------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        todo: list[str] | tuple[str, ...] = (),
        *,
        callid: str = "c1",
        cseq: int = 1,
        upstream: bool = False,
        totag: str = "b1",
        ftag: str = "a1",
        routes: list[str] | None = None,
        fields: list[str] | tuple[str, ...] = (),
        branch: str = "",
        replies: list[str] | tuple[str, ...] = (),
    ) -> list[Any]:
        """Send a request of alice, or of bob when it goes upstream; the results of what the script evaluated."""
        self.count += 1
        script = self.script.module
        script.todo[:] = todo
        script.replies[:] = replies
        script.results.clear()
        port, other = (BOB, ALICE) if upstream else (ALICE, BOB)
        parties = [("alice", ftag), ("bob", totag)]
        sender, target = reversed(parties) if upstream else parties
        lines = [
            f"{method} sip:{target[0]}@127.0.0.1:{other} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch={branch or f'z9hG4bK{self.count}'}",
            f"From: <sip:{sender[0]}@ex.com>" + (f";tag={sender[1]}" if sender[1] else ""),
            f"To: <sip:{target[0]}@ex.com>" + (f";tag={target[1]}" if target[1] else ""),
            f"Call-ID: {callid}",
            f"CSeq: {cseq} {method}",
            *(f"Route: {route}" for route in routes or ()),
            *fields,
            "Content-Length: 0",
        ]
        self._receive("\r\n".join(lines) + "\r\n\r\n", port)
        return list(script.results)

    def invite(self, todo: list[str] | tuple[str, ...] = ("KSR.dialog.dlg_manage()",), **more: Any) -> list[Any]:
        """An initial INVITE."""
        callid = more.get("callid", "c1")
        fields = [f"Contact: <sip:alice@127.0.0.1:{ALICE}>", *more.pop("fields", ())]
        results = self.request("INVITE", todo, totag="", fields=fields, **more)
        found = [text for port, text in self.sent if port == BOB and text.startswith("INVITE ")]
        if found:
            self.invites[callid] = found[-1]
        return results

    def answer(self, status: str, *, callid: str = "c1", to: str = "", tag: str = "b1", fields: str = "") -> None:
        """Bob's reply to the INVITE, or to the request ``to``."""
        self._reply(to or self.invites[callid], status, tag, f"Contact: <sip:bob@127.0.0.1:{BOB}>\r\n{fields}", BOB)
        if not to and status.startswith("2"):
            sent = next(text for port, text in reversed(self.sent) if text.startswith("SIP/2.0 2"))
            self.routes[callid] = re.findall(rf"Record-Route: (.*:{PORT};.*)\r\n", sent)

    def _reply(self, request: str, status: str, tag: str, more: str, port: int) -> None:
        lines = [line for line in request.split("\r\n")[1:] if line.partition(":")[0] in _COPIED]
        lines = [f"{x};tag={tag}" if x.startswith("To:") and ";tag=" not in x and tag else x for x in lines]
        self._receive(f"SIP/2.0 {status}\r\n" + "\r\n".join(lines) + f"\r\n{more}Content-Length: 0\r\n\r\n", port)

    def confirm(self, request: str, status: str = "200 OK") -> None:
        """A reply to a request that the proxy has made, from whom it was for."""
        port = next(port for port, text in reversed(self.sent) if text == request)
        self._reply(request, status, "x", "", port)

    def within(self, method: str, todo: list[str] | tuple[str, ...] = (), **more: Any) -> list[Any]:
        """A request within the call, along its route set."""
        found = self.routes[more.get("callid", "c1")]
        routes = found if more.get("upstream") else found[::-1]
        return self.request(method, todo, routes=routes, **more)

    def call(self, todo: list[str] | tuple[str, ...] = ("KSR.dialog.dlg_manage()",), **more: Any) -> list[Any]:
        """A call up to its ACK."""
        callid = more.get("callid", "c1")
        results = self.invite(todo, **more)
        self.answer("180 Ringing", callid=callid)
        self.answer("200 OK", callid=callid)
        self.within("ACK", callid=callid)
        return results

    def out(self, method: str) -> list[str]:
        """The requests of that method that left, without retransmissions."""
        return list(dict.fromkeys(text for _, text in self.sent if text.startswith(f"{method} ")))

    def fields(self, text: str, *names: str) -> list[str]:
        return [line for line in text.split("\r\n")[1:] if line.partition(":")[0] in names]
