"""Real SIP from the prompt: the built-in user agent sends through the proxy, and the dialog comes back as a ladder."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ksrcore.net.address import canonical_ip, parse_listen
from ksrcore.sip.errors import SipError
from ksrcore.sip.uri import parse_uri

from .agent import SDP, AgentError, Dialog, UserAgent
from .errors import NotFound, UsageError
from .view import View

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .flow import Flow
    from .session import Session

#: Seconds that a request without an answer is repeated for.
TIMEOUT = 10.0
#: Seconds between the 200 of a call and its BYE.
TALK = 0.2
#: Methods a request outside of a dialog may have, and is of use with.
METHODS = ("INVITE", "REGISTER", "OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH", "NOTIFY", "INFO", "REFER")


class Sending(View):
    """A request on its way, or answered: ``status`` and ``reason`` of its final reply (None before), ``flow`` (the
    ladder so far), ``wait()`` for its end, ``error`` when it was not answered."""

    def __init__(self, session: Session, agent: UserAgent, method: str, uri: str, timeout: float) -> None:
        self._session = session
        self._agent = agent
        agent.timeout = timeout
        self.method = method
        self.uri = uri
        self.status: int | None = None
        self.reason = ""
        self.error = ""
        self._done = threading.Event()
        # A REGISTER is about the user of To, and goes to the domain (RFC 3261 10.2).
        self._dialog = Dialog(agent, uri, f"sip:{agent.domain}" if method == "REGISTER" else uri)
        self.callid = self._dialog.callid
        self._thread: threading.Thread | None = None

    @property
    def done(self) -> bool:
        return self._done.is_set()

    @property
    def flow(self) -> Flow:
        """What the proxy has of it so far. Raises :class:`NotFound` when nothing came there."""
        return self._session.flow(self.callid)

    def start(self, headers: Sequence[str], body: str) -> Sending:
        args = (list(headers), body)
        self._thread = threading.Thread(target=self._run, args=args, name="ksrshell-send", daemon=True)
        self._thread.start()
        return self

    def wait(self, timeout: float | None = None) -> Sending:
        """Until it has ended, at most so many seconds. An interrupt ends the wait and the user agent."""
        try:
            self._done.wait(timeout)
        except KeyboardInterrupt:
            self._agent.stop()
            raise
        return self

    def _run(self, headers: list[str], body: str) -> None:
        try:
            self._converse(headers, body)
        except AgentError as error:
            self.error = str(error)
        finally:
            self._agent.close()
            self._done.set()

    def _converse(self, headers: list[str], body: str) -> None:
        agent, dialog = self._agent, self._dialog
        fields = [f"Contact: {agent.contact}", *headers]
        if self.method == "INVITE" and not body:
            body = SDP.format(user=agent.user, ip=agent.ip, port=agent.port + 2)
            fields.append("Content-Type: application/sdp")
        final = dialog.request(self.method, fields, body)
        self.status, self.reason = final.status, final.reason
        if self.method == "INVITE" and final.status < 300:
            dialog.confirm(final)
            time.sleep(TALK)
            bye = dialog.request("BYE", [])
            if bye.status != 200:
                raise AgentError(f"BYE was answered {bye.status} {bye.reason}")

    def settled(self) -> Sending:
        """Once the proxy has seen the ACK of a call that was refused: nothing answers that."""
        if self.method == "INVITE" and self.status is not None and self.status >= 300:
            until = time.monotonic() + 0.3
            while time.monotonic() < until and not self._acknowledged():
                time.sleep(0.01)
        return self

    def _acknowledged(self) -> bool:
        try:
            return any(message.method == "ACK" and not message.out for message in self.flow.messages)
        except NotFound:
            return False

    @property
    def summary(self) -> tuple[str, str]:
        """(style, text): how it ended."""
        what = f"{self.method} {self.uri} as {self._agent.user}"
        if self.error:
            return "red", self.error
        if not self.done:
            return "yellow", f"{what}: no final reply yet"
        return "green" if (self.status or 0) < 300 else "yellow", f"{what}: {self.status} {self.reason}"

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        from .render.console import clean

        style, text = self.summary
        head = Text(clean(text), style)
        try:
            return Group(self.flow, head)
        except NotFound:
            return Group(head, Text("the proxy has no message of it", "bright_black"))

    def to_json(self) -> Any:
        return {"method": self.method, "uri": self.uri, "status": self.status, "reason": self.reason,
                "error": self.error, "callid": self.callid, "done": self.done}  # fmt: skip


def send(
    session: Session,
    method: str = "OPTIONS",
    uri: str = "",
    *,
    user: str = "alice",
    password: str | None = None,
    headers: Sequence[str] = (),
    body: str = "",
    wait: bool = True,
    timeout: float = TIMEOUT,
) -> Sending:
    method = str(method).upper()
    if method not in METHODS:
        raise UsageError(f"send() sends {', '.join(METHODS)}; got {method!r}")
    user_name(user)
    address = proxy_address(session)
    realm = domain(session, address)
    uri = uri or (f"sip:{user}@{realm}" if method == "REGISTER" else "sip:" + realm)
    if ":" not in uri:
        uri = "sip:" + uri
    try:
        parse_uri(_wire(uri))
    except SipError as error:
        raise UsageError(f"send() expects a SIP URI, such as sip:bob@{realm}: {error}") from None
    if any(char in uri for char in " \t\r\n<>"):
        raise UsageError(f"send() expects a SIP URI, such as sip:bob@{realm}, got {uri!r}")
    extra = [_header(header) for header in headers]
    if method == "REGISTER" and not any(header.lower().startswith("expires:") for header in extra):
        extra.append("Expires: 300")
    if body and not any(header.lower().startswith(("content-type:", "c:")) for header in extra):
        extra.append("Content-Type: text/plain")
    secret = accounts(session).get(user, "") if password is None else password
    agent = UserAgent(user, secret, realm, address)
    sending = Sending(session, agent, method, _wire(uri), timeout).start(extra, _wire(body))
    return sending.wait().settled() if wait else sending


def accounts(session: Session) -> dict[str, str]:
    """Names and passwords of subscribers that are known here: the demo's."""
    from .demo.command import SCRIPT, USERS

    return dict(USERS) if session.hello.get("script") == str(SCRIPT) else {}


def user_name(user: object) -> None:
    """Raises :class:`UsageError` when it is none."""
    if not isinstance(user, str) or not user or not user.isascii() or any(char in user for char in " <>@:;\r\n"):
        raise UsageError(f"user is the part of a SIP address before the @, got {user!r}")


def _header(text: str) -> str:
    name, colon, _ = text.partition(":")
    if not colon or not name.strip() or "\n" in text or "\r" in text:
        raise UsageError(f"a header is one line such as 'Subject: test', got {text!r}")
    return _wire(text)


def _wire(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def proxy_address(session: Session) -> tuple[str, int]:
    """Where the proxy takes UDP. Raises :class:`UsageError` when it does not."""
    for text in session.call("ksr.hello")["listens"]:
        listen = parse_listen(str(text))
        if listen.proto == "udp":
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)
            return host, listen.port
    raise UsageError(f"the built-in user agent speaks UDP, and {session.name} does not listen there")


def domain(session: Session, address: tuple[str, int]) -> str:
    """The proxy's domain: its first alias that is a name, else its address."""
    names = [alias for alias in session.hello.get("aliases") or () if not canonical_ip(str(alias).partition(":")[0])]
    if names:
        return str(names[0])
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{host}:{address[1]}"


__all__ = ["METHODS", "Sending", "accounts", "domain", "proxy_address", "send", "user_name"]
