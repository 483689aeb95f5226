"""A proxy that is none: speaks the control channel in-process with recorded answers, for tests of the client side."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

CALLID = "a84b4c76e66710@pc33.atlanta.example"

INVITE = (
    "INVITE sip:bob@biloxi.example SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bK776asdhds\r\n"
    "Max-Forwards: 70\r\n"
    'To: "Bob" <sip:bob@biloxi.example>\r\n'
    "From: Alice <sip:alice@atlanta.example>;tag=1928301774\r\n"
    f"Call-ID: {CALLID}\r\n"
    "CSeq: 314159 INVITE\r\n"
    "Contact: <sip:alice@127.0.0.1:5071>\r\n"
    "Subject: caf\u00c3\u00a9 \x1b[31m\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 33\r\n\r\n"
    "v=0\r\no=alice 1 1 IN IP4 127.0.0.1\r\n"
)

SOURCE = "def ksr_request_route(self, msg):\n    if KSR.is_INVITE():\n        self.ksr_route_relay(msg)\n    return 1\n"

#: id, out, src, dst, method, status, reason, cause: one call from alice over the proxy to bob.
CALL: list[tuple[int, bool, str, str, str, int, str, int]] = [
    (1, False, "127.0.0.1:5071", "127.0.0.1:5060", "INVITE", 0, "", 0),
    (2, True, "127.0.0.1:5060", "127.0.0.1:5071", "INVITE", 100, "trying", 1),
    (3, True, "127.0.0.1:5060", "127.0.0.1:5072", "INVITE", 0, "", 1),
    (4, False, "127.0.0.1:5072", "127.0.0.1:5060", "INVITE", 180, "Ringing", 0),
    (5, True, "127.0.0.1:5060", "127.0.0.1:5071", "INVITE", 180, "Ringing", 4),
    (6, False, "127.0.0.1:5072", "127.0.0.1:5060", "INVITE", 200, "OK", 0),
    (7, True, "127.0.0.1:5060", "127.0.0.1:5071", "INVITE", 200, "OK", 6),
    (8, False, "127.0.0.1:5071", "127.0.0.1:5060", "ACK", 0, "", 0),
    (9, True, "127.0.0.1:5060", "127.0.0.1:5072", "ACK", 0, "", 8),
    (10, False, "127.0.0.1:5071", "127.0.0.1:5060", "BYE", 0, "", 0),
    (11, True, "127.0.0.1:5060", "127.0.0.1:5072", "BYE", 0, "", 10),
    (12, False, "127.0.0.1:5072", "127.0.0.1:5060", "BYE", 200, "OK", 0),
    (13, True, "127.0.0.1:5060", "127.0.0.1:5071", "BYE", 200, "OK", 12),
]


class Refused(Exception):
    """What a fake method raises to be answered with an error."""

    def __init__(self, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, **({"data": data} if data else {})}


def summary(
    id: int, out: bool, src: str, dst: str, method: str, status: int, reason: str, cause: int
) -> dict[str, Any]:
    return {
        "id": id, "time": 1_700_000_000.0 + id * 0.0125, "out": out, "proto": "udp", "src": src, "dst": dst,
        "is_request": not status, "method": method, "status": status, "reason": reason,
        "ruri": "" if status else "sip:bob@biloxi.example", "callid": CALLID, "cseq": f"1 {method}",
        "from": "sip:alice@atlanta.example", "to": "sip:bob@biloxi.example", "size": 400, "error": "",
        "cause": cause, "sent": [each[0] for each in CALL if each[7] == id], "callbacks": [], "calls": 0,
        "exception": None,
    }  # fmt: skip


class FakeProxy:
    """Listens at ``path``. ``methods`` may be changed by a test; ``asked`` are the calls that came, in order."""

    def __init__(self, path: Path, name: str = "fake", *, started: float = 1_700_000_000.0) -> None:
        self.path = path
        self.name = name
        self.started = started
        self.asked: list[tuple[str, Any]] = []
        self.records = [summary(*row) for row in CALL]
        self.gone = 0
        self.versions = {"ksr_route_relay": [1]}
        self.sandbox = 0
        self.done: list[tuple[str, list[Any]]] = []
        self.line = 2
        self.methods: dict[str, Callable[[Any], Any]] = {
            "ksr.hello": lambda p: {
                "name": self.name, "pid": 4711, "version": "0.1.0", "script": "/srv/routing.py",
                "listens": ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"], "aliases": [], "started": self.started,
                "engine": "embedded", "python": "3.11.2",
            },
            "ksr.stats": lambda p: {
                "messages_per_s": 12.5, "transactions": 3, "captured": len(self.records), "gone": self.gone, "held": 0,
                "received": 6, "sent": 7, "uptime": 75.0,
            },
            "ksr.messages": self._messages,
            "ksr.message": self._message,
            "ksr.pv": lambda p: {name: {"$ru": "sip:bob@biloxi.example"}.get(name) for name in p["names"]},
            "ksr.flow": self._flow,
            "ksr.api": lambda p: [
                {
                    "module": "sl", "name": "send_reply", "params": [["code", "int"], ["reason", "str"]], "ret": "int",
                    "doc": "Send a stateless reply.\n\nMore.", "status": "implemented",
                    "signature": "KSR.sl.send_reply(code: int, reason: str) -> int",
                },
                {
                    "module": "pv", "name": "get", "params": [["name", "str"]], "ret": "xval",
                    "doc": "The value of a pseudo-variable.", "status": "implemented",
                    "signature": "KSR.pv.get(name: str) -> str | int | None",
                },
                {
                    "module": "", "name": "is_INVITE", "params": [], "ret": "bool", "doc": "", "status": "implemented",
                    "signature": "KSR.is_INVITE() -> bool",
                },
                {
                    "module": "dialog", "name": "dlg_manage", "params": [], "ret": "int", "doc": "", "status": "known",
                    "signature": "KSR.dialog.dlg_manage() -> int",
                },
            ],
            "ksr.pvs": lambda p: [
                {"name": "$ru", "doc": "the request URI", "writable": True},
                {"name": "$rU", "doc": "its user", "writable": True},
                {"name": "$si", "doc": "source address", "writable": False},
            ],
            "ksr.routes": lambda p: [
                self._route("ksr_request_route", True, 1), self._route("ksr_route_relay", False, 10),
            ],
            "ksr.versions": self._versions,
            "ksr.swap": self._swap,
            "ksr.rollback": self._rollback,
            "ksr.try": self._try,
            "ksr.save": lambda p: {
                "path": "/srv/routing.py", "saved": ["ksr_route_relay"], "written": not p["diff"],
                "diff": "--- routing.py\n+++ routing.py, as it runs\n@@ -1 +1 @@\n-a\n+b",
            },
            "ksr.sandbox.open": self._open,
            "ksr.sandbox.call": self._call,
            "ksr.sandbox.effects": self._effects,
            "ksr.sandbox.close": lambda p: {},
            "ksr.step.start": self._step_start,
            "ksr.step.do": self._step_do,
            "ksr.step.eval": lambda p: {"repr": repr(p["expr"])},
            "ksr.step.pv": lambda p: {"value": "sip:bob@biloxi.example"},
            "ksr.step.close": lambda p: {},
            "ksr.subscribe": lambda p: {},
            "system.listMethods": lambda p: ["core.uptime", "ul.dump", "ksr.hello"],
            "core.uptime": lambda p: {"uptime": 75},
            "core.echo": lambda p: p,
        }  # fmt: skip
        self._connections: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self._threads = [threading.Thread(target=self._accept, name="fake-proxy", daemon=True)]
        self._threads[0].start()

    # -- answers --------------------------------------------------------------------------------------------------

    def _messages(self, p: dict[str, Any]) -> dict[str, Any]:
        found = [r for r in self.records if r["id"] > p.get("after", 0) and r["id"] < p.get("before", 1 << 60)]
        if "where" in p:
            try:
                found = [r for r in found if eval(p["where"], {}, {**r, "fU": "alice"})]
            except SyntaxError as error:
                raise Refused(1, f"where: {error.msg}", {"type": "WhereError"}) from None
        limit = p.get("limit", 100)
        found = found[-limit:] if p.get("newest", True) else found[:limit]
        ids = [r["id"] for r in self.records]
        return {"messages": found, "gone": self.gone, "first": min(ids, default=0), "last": max(ids, default=0)}

    def _message(self, p: dict[str, Any]) -> dict[str, Any]:
        record = next(r for r in self.records if r["id"] == p["id"])
        run = {
            "callback": "ksr_request_route", "route": "request", "result": 1, "version": 1, "duration": 0.00031,
            "exited": False, "dropped": False, "exception": None, "traceback": "",
            "calls": [
                {"name": "KSR.is_INVITE", "args": [], "result": True, "error": None},
                {"name": "KSR.pv.get", "args": ["$ru"], "result": "sip:bob@biloxi.example", "error": None},
                {"name": "KSR.sl.send_reply", "args": [404], "result": None, "error": "KsrArgumentError: two"},
            ],
        }  # fmt: skip
        headers = [line.split(": ", 1) for line in INVITE.partition("\r\n\r\n")[0].split("\r\n")[1:]]
        runs = [run] if record["is_request"] and not record["out"] else []
        return {**record, "data": INVITE, "runs": runs, "headers": headers}

    def _flow(self, p: dict[str, Any]) -> dict[str, Any]:
        return {"callid": CALLID, "messages": self.records if p.get("callid", CALLID) == CALLID else []}

    def _route(self, name: str, callback: bool, line: int) -> dict[str, Any]:
        numbers = self.versions.get(name, [1])
        return {
            "name": name, "callback": callback, "version": numbers[-1], "versions": len(numbers), "hits": 6,
            "average": 0.00031 if callback else None, "longest": 0.0012 if callback else None,
            "exceptions": 1 if callback else 0, "file": "/srv/routing.py", "line": line, "source": SOURCE,
        }  # fmt: skip

    def _versions(self, p: dict[str, Any]) -> list[dict[str, Any]]:
        if p["name"] not in self.versions:
            raise Refused(1, f"the script has no function {p['name']!r}", {"type": "ScriptError"})
        numbers = self.versions[p["name"]]
        return [
            {
                "number": n, "current": n == numbers[-1], "time": 1_700_000_000.0 + n, "who": "ann", "source": SOURCE,
                "diff_to_previous": "--- version 1\n+++ version 2\n@@ -1 +1,2 @@\n-a\n+b\n+c" if n > 1 else "",
            }
            for n in numbers
        ]  # fmt: skip

    def _swap(self, p: dict[str, Any]) -> dict[str, Any]:
        if "def " not in p["source"]:
            data = {"type": "ScriptError", "line": 1, "traceback": 'File "/srv/routing.py", line 1\n  boom'}
            raise Refused(1, "line 1: no function to swap", data)
        numbers = self.versions["ksr_route_relay"]
        numbers.append(numbers[-1] + 1)
        return {"swapped": [{"name": "ksr_route_relay", "version": numbers[-1]}], "warnings": ["it returns nothing"]}

    def _rollback(self, p: dict[str, Any]) -> dict[str, Any]:
        name = p.get("name", "ksr_route_relay")
        return {"swapped": [{"name": name, "version": p.get("number", 1), "new": False, "removed": False}]}

    def _try(self, p: dict[str, Any]) -> dict[str, Any]:
        parts = [
            {"what": "raises", "old": "", "new": "ksr_request_route: ZeroDivisionError: division by zero"},
            {"what": "sends", "old": "SIP/2.0 404 Not Found", "new": ""},
        ]
        differ = [{**r, "raises": True, "differences": parts} for r in self.records if r["id"] in p["ids"][:1]]
        skipped = [{"id": 9, "why": "message 9 cannot be routed: no Via"}]
        return {"tried": len(p["ids"]), "same": len(p["ids"]) - 1, "skipped": skipped, "differ": differ}

    def _open(self, p: dict[str, Any]) -> dict[str, Any]:
        self.sandbox += 1
        self.done = []
        return {"sandbox": self.sandbox, "id": p["id"]}

    def _call(self, p: dict[str, Any]) -> dict[str, Any]:
        self.done.append((p["name"], p["args"]))
        if p["name"] == "sl.send_reply" and len(p["args"]) != 2:
            message = "KSR.sl.send_reply(code: int, reason: str) -> int: got (); it takes 2 arguments"
            raise Refused(1, message, {"type": "KsrArgumentError"})
        return {"result": {"pv.get": "sip:bob@biloxi.example", "sl.send_reply": 1}.get(p["name"], True)}

    def _effects(self, p: dict[str, Any]) -> dict[str, Any]:
        if not any(name == "sl.send_reply" for name, _ in self.done):
            return {"sent": [], "diff": "", "state": {}, "writes": []}
        return {
            "sent": [{"proto": "udp", "dst": "127.0.0.1:5071", "data": "SIP/2.0 404 No\r\nCSeq: 1 INVITE\r\n\r\n"}],
            "diff": "--- as it came\n+++ as it would leave\n@@ -1 +1 @@\n-a\n+b", "state": {"$du": "sip:x"},
            "writes": ["insert into location"],
        }  # fmt: skip

    def _state(self, **more: Any) -> dict[str, Any]:
        return {
            "step": 1, "done": False, "event": "line", "function": "ksr_request_route", "file": "/srv/routing.py",
            "line": self.line, "source": SOURCE.splitlines(), "first_line": 1,
            "locals": {"self": "<Router>", "msg": "<Message>", "n": "1"},
            "stack": [{"function": "ksr_request_route", "line": self.line}],
            "calls": [{"name": "KSR.is_INVITE", "args": [], "result": True, "error": None, "duration": 2e-6}],
            "effects": {"sent": [], "diff": "", "state": {}, "writes": []}, "result": None, "exception": None, **more,
        }  # fmt: skip

    def _step_start(self, p: dict[str, Any]) -> dict[str, Any]:
        self.line = 2
        return self._state()

    def _step_do(self, p: dict[str, Any]) -> dict[str, Any]:
        if p["op"] == "finish":
            return self._state(done=True, event="end", result="1")
        self.line = p.get("line", self.line + 1)
        return self._state()

    # -- the wire -------------------------------------------------------------------------------------------------

    def event(self, **params: Any) -> None:
        """Send an event to every client."""
        line = json.dumps({"jsonrpc": "2.0", "method": "ksr.event", "params": params}).encode() + b"\n"
        for connection in self._connections:
            connection.sendall(line)

    def drop(self) -> None:
        """End the connections and go on listening."""
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        self.path.unlink(missing_ok=True)
        for thread in self._threads:
            thread.join(2.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), name="fake-connection", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            try:
                for line in lines:
                    request = json.loads(line)
                    answer = json.dumps({"jsonrpc": "2.0", "id": request["id"], **self._answer(request)}) + "\n"
                    connection.sendall(answer.encode())
            except OSError:
                return

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        name, params = request["method"], request["params"]
        self.asked.append((name, params))
        if name not in self.methods:
            return {"error": {"code": -32601, "message": f"unknown method {name!r}"}}
        try:
            return {"result": self.methods[name](params)}
        except Refused as refused:
            return {"error": refused.error}
