"""Plays a case against one server and writes down what the server did."""

from __future__ import annotations

import json
import re
import selectors
import time
from contextlib import suppress
from typing import Any

from lab import websocket
from parity.casefile import Case, Step, message_name
from parity.endpoints import Endpoints, Heard, Stream, WebSocket
from parity.normal import Normal
from parity.servers import Target, barrier
from parity.templates import Parsed, Party, TemplateError

#: Seconds: how long a step waits for a message, unless it says; how long for a server to deal with what it got.
PATIENCE = 4.0
DEALT = 5.0
#: Silence after which a server is taken to be done where connections of TCP are in use.
TCP_QUIET = 0.04
#: A connection may not bring the barrier any more: what was sent before is no message.
STREAM_DEALT = 1.0

_REPLY = re.compile(r"(\d{3})(?: for ([A-Z]+))?(?: (.*))?$")
_REQUEST = re.compile(r"([A-Za-z][\w-]*)(?:\s+(\S+:\S*))?((?:\s+(?:over (?:tcp|udp|ws)|to \S+))*)$")
_OPTION = re.compile(r" (over|to) (tcp|udp|ws|\d+\.\d+\.\d+\.\d+:\d+)(?= |$)")
_FRAME = re.compile(r"([0-9a-f])((?: (?:nofin|unmasked|rsv))*)(?: (.*))?$", re.S)
#: A byte written as such in a raw message.
_BYTE = re.compile(rb"\\x([0-9a-fA-F]{2})")


class Broken(Exception):
    """The case itself does not work: neither server did what it waits for, or a server is gone."""


class Player:
    """One server and the sockets of the parties around it; plays cases one after another."""

    def __init__(self, server: Target) -> None:
        self.server = server
        self.endpoints = Endpoints()
        self.endpoints.selector.register(server.notes, selectors.EVENT_READ, ("notes", None))
        self.control = f"{server.network.prefix}248:5060"
        self.endpoints.open(self.control)
        self.tokens = 0
        self.number = 0
        self.stale: set[str] = set()

    def close(self) -> None:
        self.endpoints.close()

    def play(self, case: Case) -> list[str]:
        """What the server did, line by line. Raises :class:`Broken`."""
        return _Play(self, case).run()


class _Play:
    def __init__(self, player: Player, case: Case) -> None:
        self.player = player
        self.server = player.server
        self.endpoints = player.endpoints
        self.case = case
        self.parties = {name: Party(name, self.to(address), case.id) for name, address in case.parties.items()}
        self.names = {party.address: name for name, party in self.parties.items()}
        self.lines: list[str] = []
        self.notes: list[list[Any]] = []
        #: What the script did that no step has waited for yet; callbacks that are running.
        self.said: list[str] = []
        self.running = 0
        self.heard: list[Heard] = []
        self.seen: set[tuple[str, bytes]] = set()
        self.unread: dict[str, list[Parsed]] = {}
        self.barriers: set[str] = set()
        self.callids: set[str] = set()
        self.tcp = bool({"tcp", "ws"} & set(case.transports.values())) or any(
            " over tcp" in step.what or " over ws" in step.what for step in case.steps
        )
        known = [case.script, *case.messages.values(), *(f"{s.what}\n{s.block}" for s in case.steps)]
        known += [line for lines in case.evals.values() for line in lines]
        self.normal = Normal(self.fill("\n".join(known)), case.id, case.ignore)

    def fill(self, text: str) -> str:
        return text.replace("{id}", self.case.id)

    def to(self, text: str) -> str:
        return self.server.to(self.fill(text))

    def run(self) -> list[str]:
        player = self.player
        player.number += 1
        evals = {step: [self.to(line) for line in lines] for step, lines in self.case.evals.items()}
        script = self.to(self.case.script)
        if evals:
            script += f"\nEVALS = {evals!r}\n"
        (self.server.directory / f"case-{player.number}.py").write_text(script)
        for party in self.parties.values():
            self.endpoints.open(party.address)
        for address, peer in self.server.ngs.items():
            answers = self.case.ng.get(address, {})
            peer.reset({command: [self.to(line) for line in lines] for command, lines in answers.items()})
        self._collect(0)
        self.notes.clear()
        self.heard.clear()
        try:
            for number, step in enumerate(self.case.steps):
                self.server.at(player.number, number)
                if not step.line:  # messages that have nothing to do with each other
                    self.normal.restart()
                    self.seen.clear()
                self._step(step)
                # What several waits in a row are for may come in any order, from several processes.
                following = self.case.steps[number + 1 : number + 2]
                if step.verb != "wait-for" or not following or following[0].verb != "wait-for":
                    self._write()
            self._settle()
            self._write()
        finally:
            self.endpoints.close_streams()
            player.stale |= self.callids
        return self.lines

    # -- steps ----------------------------------------------------------------------------------------------------

    def _step(self, step: Step) -> None:
        if step.verb != "wait-for":
            self.lines.append(f"[{step.text}]")
        if step.verb == "send":
            try:
                self._send(step)
            except TemplateError as error:
                self.lines.append(f"  cannot: {error}")
                return
            self._settle()
        elif step.verb == "wait":
            self._until(time.monotonic() + step.args[0])
            self._settle()
        elif step.verb == "wait-for":
            self._wait_for(step)
        elif step.verb == "rpc":
            params = [self.to(p) if isinstance(p, str) else p for p in step.args]
            answer = self.server.rpc(step.what, params)
            self._settle()
            self._write()
            text = json.dumps(answer, indent=1)
            self.lines += ["  " + self.normal.text(self.server.back(line)) for line in text.splitlines()]
            return
        elif step.verb == "forget":
            self._settle()
            for told in (self.lines, self.notes, self.said, self.heard, self.unread, self.seen):
                told.clear()
            self.normal.restart()
        elif step.verb == "close":
            self.endpoints.close_streams(self.parties[step.party].address)
            self._until(time.monotonic() + TCP_QUIET)
            self._settle()

    def _send(self, step: Step) -> None:
        party = self.parties[step.party]
        block = self.to(step.block)
        what = self.to(step.what)
        proto = self.case.transports.get(step.party, "udp")
        if what == "again":
            if party.last is None:
                raise TemplateError(f"{party.name} has sent nothing yet")
            self._out(party, *party.last)
            return
        if found := _REPLY.match(what):
            text, source = party.reply(int(found[1]), found[3] or "", found[2] or "", block)
            assert isinstance(source, Heard)
            data = text.encode()
            if source.stream is not None and source.stream in self.endpoints.streams:
                party.last = data, source.stream.proto, source.source
                self._stream(source.stream, data)
            else:
                self._out(party, data, "udp", source.source)
            return
        words = what.split()
        to = f"{self.server.host}:5060"
        for word, value in _OPTION.findall(what):
            proto, to = (value, to) if word == "over" else (proto, value)
        if words[0] == "frame":
            self._frame(party, step.what.split(" ", 1)[1], to)
            return
        if words[0] in ("raw", "message"):
            text = block if words[0] == "raw" else self.to(self.case.messages[message_name(step.what)])
            text = _raw(text)
        elif found := _REQUEST.match(what):
            text = party.request(found[1], found[2] or "", block, proto)
        else:
            raise TemplateError(f"not a message: {what!r}")
        party.sent.append(Parsed.of(text))
        self._out(party, _BYTE.sub(lambda m: bytes([int(m[1], 16)]), text.encode()), proto, to)

    def _out(self, party: Party, data: bytes, proto: str, to: str) -> None:
        party.last = data, proto, to
        callid = Parsed.of(data.decode("latin-1")).get("Call-ID")
        if callid:
            self.callids.add(callid)
            self.player.stale.discard(callid)
        if proto in ("tcp", "ws"):
            self._stream(self.endpoints.connect(party.address, to, proto), data)
        else:
            self.endpoints.send_udp(party.address, data, to)

    def _frame(self, party: Party, what: str, to: str) -> None:
        """``OPCODE [nofin] [unmasked] [rsv] TEXT``: a frame over WebSocket."""
        found = _FRAME.match(what)
        if found is None:
            raise TemplateError(f"expected: frame OPCODE [nofin] [unmasked] [rsv] TEXT, got {what!r}")
        payload = _BYTE.sub(lambda m: bytes([int(m[1], 16)]), self.to(found[3] or "").encode())
        data = websocket.frame(
            int(found[1], 16),
            payload,
            fin="nofin" not in found[2],
            masked="unmasked" not in found[2],
            reserved=4 if "rsv" in found[2] else 0,
        )
        stream = self.endpoints.connect(party.address, to, "ws")
        self._stream(stream, data, framed=True)

    def _stream(self, stream: Stream, data: bytes, framed: bool = False) -> None:
        """Send over a connection, and wait for the server to have dealt with it: a barrier follows."""
        self.player.tokens += 1
        token = str(self.player.tokens)
        if isinstance(stream, WebSocket) and not stream.reader.answer:
            end = time.monotonic() + STREAM_DEALT
            while not stream.reader.answer and stream in self.endpoints.streams and time.monotonic() < end:
                self._collect(0.05)
            if stream not in self.endpoints.streams:
                return
        after = barrier(self.player.control, token).replace(b"SIP/2.0/UDP", f"SIP/2.0/{stream.proto.upper()}".encode())
        with suppress(OSError):  # closed at the same moment
            stream.sock.send((data if framed else stream.wrap(data)) + stream.wrap(after))
        end = time.monotonic() + STREAM_DEALT
        while token not in self.barriers and stream in self.endpoints.streams and time.monotonic() < end:
            self._collect(0.05)

    def _wait_for(self, step: Step) -> None:
        wanted, _, within = step.what.partition(" within ")
        end = time.monotonic() + (float(within) if within else PATIENCE)
        while True:
            if self._has_come(step.party, wanted):
                self._settle()
                return
            left = end - time.monotonic()
            if left <= 0:
                break
            self._collect(left)
        self._settle()
        self._write()
        self.lines.append(f"[{step.text}: nothing came]")

    def _has_come(self, party: str, wanted: str) -> bool:
        """Whether that message came to the party, or the script did that and is done: takes all up to it."""
        if party == "script":
            matching = (n for n, text in enumerate(self.said) if wanted in text)
            if self.running or (found := next(matching, None)) is None:
                return False
            del self.said[: found + 1]
            return True
        waiting = self.unread.setdefault(party, [])
        for n, message in enumerate(waiting):
            if _matches(message, wanted):
                del waiting[: n + 1]
                return True
        return False

    # -- what the server does -------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Until the server has dealt with all it got: a barrier at each of its sockets, again while things happen."""
        quiet = 0
        while quiet < 2:
            before = len(self.notes), len(self.heard)
            for address in self.server.udp_addresses():
                self.player.tokens += 1
                token = str(self.player.tokens)
                self.endpoints.send_udp(self.player.control, barrier(self.player.control, token), address)
                end = time.monotonic() + DEALT
                while token not in self.barriers:
                    if time.monotonic() > end:
                        raise Broken(f"{self.server.kind} does not answer any more at {address}")
                    self._collect(0.2)
            if self.tcp or self.endpoints.streams:
                self._until(time.monotonic() + TCP_QUIET)
            else:
                self._collect(0)
            quiet = 0 if (len(self.notes), len(self.heard)) != before else quiet + 1

    def _until(self, end: float) -> None:
        while (left := end - time.monotonic()) > 0:
            self._collect(left)

    def _collect(self, timeout: float) -> None:
        heard, others = self.endpoints.read(timeout)
        for message in heard:
            self._take(message)
        if others:
            with suppress(BlockingIOError):
                while True:
                    note = json.loads(self.server.notes.recv(1 << 20))
                    if note[0] == "barrier":
                        self.barriers.add(str(note[1]).partition(":")[2])
                    else:
                        self.notes.append(note)
                        self.said.append(self.server.back(" ".join(map(str, note))))
                        self.running += (note[0] == "enter") - (note[0] == "leave")

    def _take(self, message: Heard) -> None:
        if not message.data.strip():
            return
        text = message.data.decode("latin-1")
        parsed = Parsed.of(text, message)
        callid = parsed.get("Call-ID")
        if callid in self.player.stale:
            return
        self.callids.add(callid)
        name = self.names.get(message.address)
        if name is None:
            return
        party = self.parties[name]
        known = (message.address, message.data)
        if known in self.seen and not self.case.keep_retransmissions and message.data[:1] != b"[":
            return
        self.seen.add(known)
        self.heard.append(message)
        with suppress(ValueError, IndexError):
            (party.requests if parsed.is_request else party.replies).append(parsed)
            self.unread.setdefault(name, []).append(parsed)

    # -- the transcript -------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """What happened since the last time: callbacks and results, then messages in the order they left."""
        for note in self.notes:
            self.lines += [f"  {line}" for line in self._told(note)]
        self.notes.clear()
        for address, peer in self.server.ngs.items():
            for data in peer.take():
                text = self.normal.text(self.server.back(data.decode("latin-1")))
                self.lines.append(f"  -> rtpengine {address}: {_visible(text)}")
        # Reads of TCP have no time of the kernel's: after UDP, by party.
        order = sorted(self.heard, key=lambda m: (m.proto != "udp", m.at if m.proto == "udp" else m.address))
        for message in order:
            source = f" from {self.server.back(message.source)}" if message.proto == "udp" else ""
            self.lines.append(f"  -> {self.names[message.address]} {message.proto}{source}")
            text = self.normal.text(self.server.back(message.data.decode("latin-1")).replace("\r\n", "\n"))
            self.lines += [f"     {_visible(line)}" for line in text.split("\n")]
            while not self.lines[-1].strip():
                self.lines.pop()
        self.heard.clear()

    def _told(self, note: list[Any]) -> list[str]:
        kind, *values = note
        if kind == "call":
            text, value = values
            shown = self._shown(value)
            return [f"{self.normal.text(self.server.back(text))} = {shown}"]
        if kind == "enter":
            return [f"{values[0]}({', '.join(map(repr, values[1:]))}):"]
        if kind == "leave":
            return [f"{values[0]} returned {self._shown(values[1])}"]
        return ["note " + ", ".join(map(self._shown, values))]

    def _shown(self, value: Any) -> str:
        if isinstance(value, str):
            if value.startswith("!"):
                return value
            return repr(self.normal.text(self.server.back(value).replace("\r\n", "\n")))
        return self.normal.text(self.server.back(repr(value)))


def _raw(text: str) -> str:
    head, blank, body = text.partition("\n\n")
    if not blank:
        return "\r\n".join(text.rstrip("\n").split("\n")) + "\r\n\r\n"
    body = body.replace("\n", "\r\n") + ("\r\n" if body else "")
    head = head.replace("Content-Length: auto", f"Content-Length: {len(body.encode())}")
    return head.replace("\n", "\r\n") + "\r\n\r\n" + body


def _matches(message: Parsed, wanted: str) -> bool:
    """``180``, ``INVITE``, or ``200 for BYE``."""
    first, _, method = wanted.partition(" for ")
    word = message.first.split()[0] if message.is_request else message.first.split()[1]
    return word == first.strip() and (not method or message.method == method.strip())


def _visible(line: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
