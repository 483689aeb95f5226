"""A small SIP user agent: registers with digest, calls, answers, hangs up. For demonstrations and tests.

It is a real client on a real UDP socket; it knows nothing of the proxy but its address.
"""

from __future__ import annotations

import math
import queue
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from ksrcore.sip.digest import digest_response, parse_credentials
from ksrcore.sip.errors import SipError
from ksrcore.sip.message import SipMessage
from ksrcore.sip.reasons import reason_for

SDP = (
    "v=0\r\no={user} 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 8\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
)

#: RFC 3261 17.1.1.2: T1, and 64 times that to give up.
_T1 = 0.5
_TIMEOUT = 32.0

#: What a phone may answer, and with which reason phrase.
REASONS = {code: reason_for(code) for code in (302, 403, 404, 408, 480, 486, 488, 500, 503, 600, 603)}


class AgentError(Exception):
    """A request was not answered as it should have been: one line."""


class UserAgent:
    """``user`` at ``domain`` behind the proxy at ``proxy`` (ip, port). Use as a context manager, or ``close()`` it.

    Calls are answered with 180 and, ``ring`` seconds later, ``answer``: 200, another final status such as 486, or 0 for
    none at all, until the caller gives up.
    """

    def __init__(
        self, user: str, password: str, domain: str, proxy: tuple[str, int], *, ring: float = 0.1, answer: int = 200
    ) -> None:
        self.user = user
        self.password = password
        self.domain = domain
        self.proxy = proxy
        self.ring = ring
        self.answer = answer
        #: Seconds for which a request that is not answered is repeated.
        self.timeout = _TIMEOUT
        self.sock = socket.socket(socket.AF_INET6 if ":" in proxy[0] else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(proxy)
        self.ip, self.port = self.sock.getsockname()[:2]
        self.sock.settimeout(0.2)
        self._waiting: dict[str, queue.Queue[SipMessage]] = {}
        self._answers: dict[str, str] = {}
        #: Calls that ring, by branch: when they are answered, the INVITE, the tag.
        self._ringing: dict[str, tuple[float, SipMessage, str]] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._receive, name=f"agent-{user}", daemon=True)
        self._thread.start()

    def __enter__(self) -> UserAgent:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def stop(self) -> None:
        """End what it does; whoever waits for a reply is told that there is none."""
        self._closed.set()

    def close(self) -> None:
        self.stop()
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)  # the thread need not wait for its next look
        self._thread.join(2.0)
        self.sock.close()

    @property
    def host(self) -> str:
        return f"[{self.ip}]" if ":" in self.ip else self.ip

    @property
    def aor(self) -> str:
        return f"sip:{self.user}@{self.domain}"

    @property
    def contact(self) -> str:
        return f"<sip:{self.user}@{self.host}:{self.port}>"

    # -- what a person does with a phone --------------------------------------------------------------------------

    def register(self, expires: int = 300) -> int:
        """REGISTER; the final status."""
        dialog = Dialog(self, self.aor, f"sip:{self.domain}")
        return dialog.request("REGISTER", [f"Contact: {self.contact}", f"Expires: {expires}"]).status

    def call(self, target: str, talk: float = 0.5) -> int:
        """INVITE ``target``, ACK, talk, BYE; the INVITE's final status. Raises :class:`AgentError` on silence."""
        dialog = Dialog(self, target, target)
        sdp = SDP.format(user=self.user, ip=self.ip, port=self.port + 2)
        final = dialog.request("INVITE", [f"Contact: {self.contact}", "Content-Type: application/sdp"], sdp)
        if final.status >= 300:
            return final.status
        dialog.confirm(final)
        self._closed.wait(talk)
        bye = dialog.request("BYE", [])
        if bye.status != 200:
            raise AgentError(f"{self.user}: BYE was answered {bye.status} {bye.reason}")
        return final.status

    # -- the wire -------------------------------------------------------------------------------------------------

    def send(self, text: str) -> None:
        try:
            self.sock.send(text.encode("latin-1"))
        except OSError:
            pass  # the proxy is away: retransmission or the time limit deals with it

    def _receive(self) -> None:
        while not self._closed.is_set():
            self._pick_up()
            due = min((when for when, _, _ in self._ringing.values()), default=math.inf) - time.monotonic()
            self.sock.settimeout(min(0.2, max(0.001, due)))
            try:
                data = self.sock.recv(65535)
            except OSError:
                continue
            try:
                msg = SipMessage(data.decode("latin-1"))
                if msg.is_request:
                    self._answer(msg)
                elif (waiting := self._waiting.get(msg.via.branch if msg.via is not None else "")) is not None:
                    waiting.put(msg)
            except SipError:
                continue

    def _answer(self, msg: SipMessage) -> None:
        if msg.method == "ACK":
            return
        branch = (msg.via.branch if msg.via is not None else "") + msg.method
        again = self._answers.get(branch)
        if again is not None:
            self.send(again)
            return
        if msg.method == "INVITE":
            tag = secrets.token_hex(4)
            self._ringing[branch] = (time.monotonic() + self.ring if self.answer else math.inf), msg, tag
            self._keep(branch, self._reply(msg, 180, "Ringing", tag))
        elif msg.method == "CANCEL":
            self._keep(branch, self._reply(msg, 200, "OK", ""))
            called = branch.removesuffix("CANCEL") + "INVITE"
            _, invite, tag = self._ringing.pop(called, (0.0, None, ""))
            if invite is not None:
                self._keep(called, self._reply(invite, 487, "Request Terminated", tag))
        elif msg.method in ("BYE", "OPTIONS", "MESSAGE"):
            self._keep(branch, self._reply(msg, 200, "OK", ""))
        else:
            self._keep(branch, self._reply(msg, 405, "Method Not Allowed", secrets.token_hex(4)))

    def _pick_up(self) -> None:
        """Answer the calls that have rung long enough."""
        now = time.monotonic()
        for branch in [branch for branch, (when, _, _) in self._ringing.items() if when <= now]:
            _, invite, tag = self._ringing.pop(branch)
            if self.answer < 300:
                sdp = SDP.format(user=self.user, ip=self.ip, port=self.port + 2)
                self._keep(branch, self._reply(invite, 200, "OK", tag, sdp))
            else:
                self._keep(branch, self._reply(invite, self.answer, REASONS.get(self.answer, "Refused"), tag))

    def _keep(self, branch: str, answer: str) -> None:
        if len(self._answers) > 100:
            self._answers.pop(next(iter(self._answers)))
        self._answers[branch] = answer
        self.send(answer)

    def _reply(self, msg: SipMessage, code: int, reason: str, tag: str, body: str = "") -> str:
        lines = [f"SIP/2.0 {code} {reason}"]
        for header in msg.headers:
            if header.key in ("via", "record-route", "from", "call-id", "cseq"):
                lines.append(header.raw.rstrip("\r\n"))
            elif header.key == "to":
                lines.append(header.raw.rstrip("\r\n") + (f";tag={tag}" if tag and not msg.to_tag else ""))
        if code < 300:
            lines.append(f"Contact: {self.contact}")
        if body:
            lines.append("Content-Type: application/sdp")
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])


class Dialog:
    """Requests of one Call-ID, from the caller's side."""

    def __init__(self, agent: UserAgent, to: str, ruri: str) -> None:
        self.agent = agent
        self.to = f"<{to}>"
        self.ruri = ruri
        self.callid = secrets.token_hex(8)
        self.tag = secrets.token_hex(4)
        self.cseq = 0
        self.routes: list[str] = []

    def request(self, method: str, headers: list[str], body: str = "") -> SipMessage:
        """Send, answer a challenge once, return the final reply; negative replies to INVITE get their ACK."""
        final = self._transaction(method, headers, body)
        if final.status in (401, 407) and self.agent.password:
            final = self._transaction(method, [*headers, self._credentials(final, method)], body)
        return final

    def confirm(self, final: SipMessage) -> None:
        """The dialog is set up: take its route set and remote target (RFC 3261 12.1.2), and send the ACK."""
        to = final.index.get("to")
        self.to = to.body if to is not None else self.to
        self.routes = [
            value.strip() for h in reversed(final.all("record-route")) for value in reversed(h.body.split(","))
        ]
        contacts = final.nameaddrs("contact")
        if contacts:
            self.ruri = contacts[0].uri
        self.agent.send(self._text("ACK", _branch(), []))

    def _transaction(self, method: str, headers: list[str], body: str) -> SipMessage:
        self.cseq += 1
        branch = _branch()
        text = self._text(method, branch, headers, body)
        replies: queue.Queue[SipMessage] = queue.Queue()
        self.agent._waiting[branch] = replies
        try:
            return self._final(method, text, branch, replies)
        finally:
            del self.agent._waiting[branch]

    def _final(self, method: str, text: str, branch: str, replies: queue.Queue[SipMessage]) -> SipMessage:
        deadline = time.monotonic() + self.agent.timeout
        interval = _T1
        self.agent.send(text)
        provisional = False
        while (left := deadline - time.monotonic()) > 0 and not self.agent._closed.is_set():
            try:
                msg = replies.get(timeout=min(interval, left))
            except queue.Empty:
                if not (provisional and method == "INVITE"):
                    self.agent.send(text)
                interval = min(interval * 2, 4.0)
                continue
            if msg.status < 200:
                provisional = True
                continue
            if method == "INVITE" and msg.status >= 300:
                to = msg.index.get("to")
                self.agent.send(self._text("ACK", branch, [], to=to.body if to is not None else self.to))
            return msg
        raise AgentError(f"{self.agent.user}: no answer to {method} {self.ruri}")

    def _text(self, method: str, branch: str, headers: list[str], body: str = "", to: str = "") -> str:
        agent = self.agent
        lines = [
            f"{method} {self.ruri} SIP/2.0",
            f"Via: SIP/2.0/UDP {agent.host}:{agent.port};rport;branch={branch}",
            *(f"Route: {route}" for route in self.routes),
            "Max-Forwards: 70",
            f"From: <{agent.aor}>;tag={self.tag}",
            f"To: {to or self.to}",
            f"Call-ID: {self.callid}",
            f"CSeq: {self.cseq} {method}",
            "User-Agent: ksrshell demo",
            *headers,
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*lines, "", body])

    def _credentials(self, challenged: SipMessage, method: str) -> str:
        agent = self.agent
        name = "www-authenticate" if challenged.status == 401 else "proxy-authenticate"
        header = challenged.get(name)
        if header is None:
            raise AgentError(f"{agent.user}: {challenged.status} without a challenge")
        challenge = parse_credentials(header.body)
        response = digest_response(
            username=agent.user,
            realm=challenge.realm,
            secret=agent.password,
            method=method,
            uri=self.ruri,
            nonce=challenge.nonce,
        )
        field = "Authorization" if challenged.status == 401 else "Proxy-Authorization"
        return (
            f'{field}: Digest username="{agent.user}", realm="{challenge.realm}", nonce="{challenge.nonce}", '
            f'uri="{self.ruri}", response="{response}", algorithm=MD5'
        )


def _branch() -> str:
    return "z9hG4bK" + secrets.token_hex(8)


class Traffic:
    """Agents that call each other every few seconds, in a thread, until closed. ``on_error`` gets one line each."""

    def __init__(
        self, agents: list[UserAgent], every: float = 3.0, on_error: Callable[[str], None] | None = None
    ) -> None:
        self.agents = agents
        self.every = every
        self.on_error = on_error
        self.calls = 0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-traffic", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def once(self) -> int:
        """The next call of the round; the INVITE's final status."""
        caller = self.agents[self.calls % len(self.agents)]
        callee = self.agents[(self.calls + 1) % len(self.agents)]
        self.calls += 1
        return caller.call(callee.aor)

    def _run(self) -> None:
        registered = time.monotonic()
        while not self._closed.wait(self.every):
            try:
                if time.monotonic() - registered > 120:
                    registered = time.monotonic()
                    for agent in self.agents:
                        agent.register()
                self.once()
            except AgentError as error:
                if self.on_error is not None and not self._closed.is_set():
                    self.on_error(str(error))

    def close(self) -> None:
        self._closed.set()
        for agent in self.agents:
            agent._closed.set()
        if self._thread.is_alive():
            self._thread.join(3.0)
        for agent in self.agents:
            agent.close()
