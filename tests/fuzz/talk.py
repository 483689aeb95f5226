"""Conversations: what callers, callees and time do to a proxy, as text that a failing run can be kept in.

A conversation is a line ``script NAME`` and steps. Each step begins with a line ``--- KIND key=value ...``::

    --- datagram port=5080          the bytes below, as they are
    --- reply to=0 status=180       to the request that the proxy sent last (to=1: the one before), back from there
    --- inside method=BYE           a request inside the dialog that the last reply to a caller has opened
    --- cancel                      of the last INVITE sent to the proxy
    --- auth                        the last request again, answering the last challenge
    --- again back=2                the datagram before the last but one, once more
    --- advance by=32.5             seconds
    --- refuse on=1                 from now on the network takes nothing

``mutate=N`` (N > 0) on a step that sends breaks its bytes in a way that N decides.
"""

from __future__ import annotations

from hashlib import md5
from random import Random
from typing import Final

from fuzz.mutate import Mutator
from fuzz.world import DOMAIN, USERS, World
from ksrcore.net.address import Dest
from ksrcore.sip.digest import digest_response
from ksrcore.sip.errors import SipError
from ksrcore.sip.message import SipMessage, parse_message
from ksrcore.sip.params import split_params

Step = tuple[str, dict[str, str], bytes]

SCRIPTS: Final = ("demo", "stock", "calls")
_MARK: Final = b"\n--- "


def encode(script: str, steps: list[Step]) -> bytes:
    parts = [f"script {script}".encode()]
    for kind, options, data in steps:
        line = " ".join([kind, *(f"{name}={value}" for name, value in options.items())])
        parts.append(_MARK + line.encode() + b"\n" + data)
    return b"".join(parts)


def decode(text: bytes) -> tuple[str, list[Step]]:
    """What is no step or option is left out: any bytes are a conversation."""
    head, *parts = text.split(_MARK)
    script = head.removeprefix(b"script ").decode("latin-1").strip()
    steps: list[Step] = []
    for part in parts[:200]:
        line, _, data = part.partition(b"\n")
        kind, *words = line.decode("latin-1").split() or [""]
        options = dict(word.split("=", 1) for word in words if "=" in word)
        steps.append((kind, options, data))
    return script if script in SCRIPTS else "calls", steps


def _number(options: dict[str, str], name: str, default: float, most: float) -> float:
    try:
        return min(max(float(options.get(name, default)), 0.0), most)
    except ValueError:
        return default


class Talk:
    """One conversation being played in a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.sent.clear()
        self.said: list[tuple[bytes, int, str]] = []

    def step(self, step: Step) -> None:
        kind, options, data = step
        world = self.world
        if kind == "advance":
            seconds = _number(options, "by", 1.0, 400.0)
            world.advance(seconds if seconds == seconds else 1.0)
        elif kind == "refuse":
            world.refuse = options.get("on") == "1"
        elif kind == "datagram":
            self.say(data, options)
        elif kind == "again" and self.said:
            again, port, proto = self.said[-1 - int(_number(options, "back", 0, len(self.said) - 1))]
            world.receive(again, port, proto)
        elif kind == "reply":
            self.reply(options)
        elif kind in ("inside", "cancel", "auth"):
            made: bytes = getattr(self, kind)(options)
            if made:
                self.say(made, options)

    def say(self, data: bytes, options: dict[str, str]) -> None:
        port = int(_number(options, "port", 5080, 65535))
        proto = "tcp" if options.get("proto") == "tcp" else "udp"
        data = broken(data, options)
        self.said = [*self.said[-20:], (data, port, proto)]
        self.world.receive(data, port, proto)

    def requests(self) -> list[tuple[SipMessage, Dest]]:
        """The requests the proxy has sent, last first."""
        found = [(parse_message(data), dest) for data, dest in reversed(self.world.sent)]
        return [(msg, dest) for msg, dest in found if msg.is_request]

    def reply(self, options: dict[str, str]) -> None:
        requests = self.requests()
        if not requests:
            return
        msg, dest = requests[int(_number(options, "to", 0, len(requests) - 1))]
        status = int(_number(options, "status", 200, 699))
        tag = options.get("tag", "callee")
        lines = [f"SIP/2.0 {status:03} Reason"]
        for header in msg.headers:
            if header.key in ("via", "from", "call-id", "cseq", "record-route"):
                lines.append(f"{header.name}: {header.body}")
            elif header.key == "to":
                lines.append(f"To: {header.body}{f';tag={tag}' if status > 100 and not msg.to_tag else ''}")
        lines.append(f"Contact: <sip:callee@{dest.ip}:{dest.port}>")
        if status in (401, 407):
            lines.append('WWW-Authenticate: Digest realm="r", nonce="n"')
        text = "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode("latin-1", "replace")
        self.world.receive(broken(text, options), dest.port, dest.proto if dest.proto == "tcp" else "udp", dest.ip)

    def _last(self, want_request: bool, *methods: str) -> SipMessage | None:
        for data, _, _ in reversed(self.said):
            try:
                msg = parse_message(data)
            except SipError:
                continue
            if msg.is_request == want_request and (not methods or msg.method in methods):
                return msg
        return None

    def _answer(self, *codes: int) -> SipMessage | None:
        for data, _ in reversed(self.world.sent):
            msg = parse_message(data)
            if not msg.is_request and (not codes or msg.status in codes):
                return msg
        return None

    def cancel(self, options: dict[str, str]) -> bytes:
        msg = self._last(True, "INVITE")
        if msg is None:
            return b""
        lines = [f"CANCEL {msg.ruri} SIP/2.0"]
        lines += [f"{h.name}: {h.body}" for h in msg.headers if h.key in ("via", "from", "to", "call-id", "route")]
        cseq = msg.index.get("cseq")
        lines.append(f"CSeq: {cseq.body.split()[0] if cseq is not None and cseq.body else 1} CANCEL")
        return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode("latin-1", "replace")

    def inside(self, options: dict[str, str]) -> bytes:
        answer = self._answer()
        if answer is None:
            return b""
        method = options.get("method", "ACK")
        get = {h.key: h.body for h in answer.headers}
        number = 1 if method == "ACK" else int(_number(options, "cseq", 2, 99999))
        lines = [
            f"{method} sip:callee@10.2.0.1 SIP/2.0",
            f"Via: SIP/2.0/UDP 10.0.0.1:5080;rport;branch=z9hG4bK{method}{number}",
            f"From: {get.get('from', '<sip:a@b>')}",
            f"To: {get.get('to', '<sip:b@b>;tag=x')}",
            f"Call-ID: {get.get('call-id', 'x')}",
            f"CSeq: {number} {method}",
            "Max-Forwards: 70",
            *(f"Route: {h.body}" for h in reversed(answer.headers) if h.key == "record-route"),
        ]
        return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode("latin-1", "replace")

    def auth(self, options: dict[str, str]) -> bytes:
        msg = self._last(True)
        answer = self._answer(401, 407)
        if msg is None or answer is None:
            return b""
        name = "www-authenticate" if answer.status == 401 else "proxy-authenticate"
        header = answer.index.get(name)
        if header is None:
            return b""
        challenge = dict(split_params(header.body.partition(" ")[2], ","))
        realm, nonce = challenge.get("realm") or "", challenge.get("nonce") or ""
        user = options.get("user", "alice")
        qop, nc, cnonce = ("auth", "00000001", "c") if challenge.get("qop") else ("", "", "")
        response = digest_response(
            username=user, realm=realm, secret=USERS.get(user, ""), method=msg.method, uri=msg.ruri, nonce=nonce,
            qop=qop, nc=nc, cnonce=cnonce,
        )  # fmt: skip
        field = "Authorization" if answer.status == 401 else "Proxy-Authorization"
        extra = f', qop=auth, nc={nc}, cnonce="{cnonce}"' if qop else ""
        line = (
            f'{field}: Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{msg.ruri}", '
            f'response="{response}"{extra}\r\n'
        )
        text = msg.buf[: msg.head_at] + line + msg.buf[msg.head_at :]
        try:
            old = f"branch={msg.via.branch}" if msg.via is not None else ""
        except SipError:
            old = ""
        new = md5(text.encode("latin-1")).hexdigest()[:9]
        return (text.replace(old, f"branch=z9hG4bK{new}", 1) if old else text).encode("latin-1")


def broken(data: bytes, options: dict[str, str]) -> bytes:
    seed = int(_number(options, "mutate", 0, 1e9))
    return Mutator("message", [data or b"x"], seed).next() if seed else data


def play(world: World, steps: list[Step]) -> None:
    world.refuse = False
    talk = Talk(world)
    for step in steps:
        talk.step(step)
    world.refuse = False


# -- making conversations ---------------------------------------------------------------------------------------------

_STATUS = (100, 180, 183, 200, 200, 202, 302, 401, 404, 407, 408, 480, 486, 487, 500, 503, 600, 603, 699)
_TIMES = (0.0, 0.3, 0.5, 1.1, 4.0, 6.0, 31.0, 33.0, 121.0, 181.0)


def request(random: Random, method: str, serial: int, user: str, callee: str) -> bytes:
    """A request of a caller; ``serial`` makes its Call-ID and branch."""
    target = f"sip:{callee}@{DOMAIN}" if method != "REGISTER" else f"sip:{DOMAIN}"
    if callee == "dns":
        target = random.choice(
            ("sip:x@later.test", "sip:x@none.test", "sip:x@here.test;transport=tcp", "sips:x@s.test")
        )
    elif callee == "ip":
        target = random.choice(("sip:x@10.4.0.1", "sip:x@[2001:db8::1]", "sip:x@10.4.0.1;transport=tls", "tel:+1"))
    contact = random.choice(("", ";ob", ";transport=tcp"))
    params = random.choice(("", ";expires=0", ";q=0.5"))
    lines = [
        f"{method} {target} SIP/2.0",
        f"Via: SIP/2.0/UDP 10.0.0.1:5080{random.choice(('', ';rport', ';alias'))};branch=z9hG4bKc{serial}",
        f"From: <sip:{user}@{DOMAIN}>;tag=f{serial}",
        f"To: <{target if method != 'REGISTER' else f'sip:{user}@{DOMAIN}'}>",
        f"Call-ID: call-{serial // 3}",
        f"CSeq: {serial} {method}",
        f"Max-Forwards: {random.choice((70, 70, 70, 1, 0))}",
        f"Contact: <sip:{user}@10.0.0.1:5080{contact}>{params}",
    ]
    if method == "INVITE" and random.random() < 0.5:
        body = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
        return "\r\n".join([*lines, "Content-Type: application/sdp", f"Content-Length: {len(body)}", "", body]).encode()
    return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()


def generate(random: Random) -> bytes:
    """A conversation of a few to some dozen steps."""
    script = random.choice(SCRIPTS)
    steps: list[Step] = []
    serial = random.randrange(10**6)
    if random.random() < 0.7:
        for user in ("bob", "alice"):
            serial += 3
            steps.append(("datagram", {}, request(random, "REGISTER", serial, user, user)))
            if script != "calls":
                steps.append(("auth", {"user": user}, b""))
    for _ in range(random.randint(1, 25)):
        broke = {"mutate": str(random.randrange(1, 10**6))} if random.random() < 0.1 else {}
        match random.choices(range(8), (4, 8, 3, 1, 2, 2, 3, 0.3))[0]:
            case 0:
                serial += random.choice((0, 1, 3))
                method = random.choice(
                    ("INVITE", "INVITE", "INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE", "BYE", "ACK", "PRACK")
                )
                callee = random.choice(("bob", "bob", "alice", "nobody", "dns", "ip"))
                proto = {"proto": "tcp"} if random.random() < 0.15 else {}
                steps.append(("datagram", {**proto, **broke}, request(random, method, serial, "alice", callee)))
                if script != "calls" and random.random() < 0.9:
                    steps.append(("auth", {"user": "alice", **proto}, b""))
            case 1:
                to = str(random.choice((0, 0, 0, 1, 2, 5)))
                status = str(random.choice(_STATUS))
                tag = random.choice(("callee", "callee", "other", ""))
                steps.append(("reply", {"to": to, "status": status, "tag": tag, **broke}, b""))
            case 2:
                method = random.choice(("ACK", "ACK", "BYE", "INVITE", "UPDATE", "CANCEL"))
                steps.append(("inside", {"method": method, "cseq": str(random.randint(2, 9)), **broke}, b""))
            case 3:
                steps.append(("auth", {"user": random.choice((*USERS, "nobody")), **broke}, b""))
            case 4:
                steps.append(("cancel", broke, b""))
            case 5:
                steps.append(("again", {"back": str(random.choice((0, 0, 1, 3)))}, b""))
            case 6:
                steps.append(("advance", {"by": str(random.choice(_TIMES))}, b""))
            case 7:
                steps.append(("refuse", {"on": str(random.randrange(2))}, b""))
    return encode(script, steps)
