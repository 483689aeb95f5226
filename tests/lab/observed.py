"""What a real Kamailio answered to KSR calls on messages, recorded in tests/kemi/observed, and the same calls on ours.

A file has groups of cases run with the same ``modparams``. A case is a message, where it came in (``to`` and
``proto``), the callback (``where``), ``steps`` (an expression of Python over ``KSR``, its result) and the messages
``sent``. Texts are lists of lines; ``[a, b]`` stands for lines a to b of the file's common ``message`` (in a case's
message) or of the case's message (in what was sent).
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from ksrcore.assemble import make_proxy
from ksrcore.kemi.facade import KsrModule
from ksrcore.net.address import Dest, Listen, Rcv
from ksrcore.proxy import Proxy
from ksrcore.run import CORE_ONREPLY_ROUTE, REQUEST_ROUTE, Run
from ksrcore.sip.message import parse_message

FOLDER = Path(__file__).parent.parent / "kemi" / "observed"

#: The recorded server's sockets and aliases, the port of the recorded client, and the time of the recording.
PORT = 27310
CLIENT = 27317
UDP = Listen("udp", "127.0.0.1", PORT)
SECOND = Listen("udp", "127.0.0.2", PORT, "127.0.0.9", 5099, name="second")
TCP = Listen("tcp", "127.0.0.1", PORT)
# In Kamailio's order: it sends UDP from the second when nothing says otherwise.
LISTENS = [SECOND, UDP, TCP, Listen("udp", "::1", PORT)]
ALIASES = ["example.com", "udp:ported.example.com:5070", "tcp:tcponly.example.com:5060"]
WALL = 1_795_404_000.0

Case = dict[str, Any]


def load(name: str) -> list[Case]:
    """The cases of a file, each with its ``modparams``, its ``text`` and the ``sent`` texts as received."""
    data = json.loads((FOLDER / f"{name}.json").read_text())
    cases = []
    for group in data["groups"]:
        for case in group["cases"]:
            text = _text(case.get("message", [[0, len(data["message"])]]), data["message"])
            sent = [_text(items, text.split("\r\n")) for items in case.get("sent", ())]
            name = case["name"]
            cases.append({**case, "name": name, "modparams": group["modparams"], "text": text, "sent": sent})
    return cases


def _text(items: list[Any], base: list[str]) -> str:
    lines: list[str] = []
    for item in items:
        lines.extend(base[item[0] : item[1]] if isinstance(item, list) else [item])
    return "\r\n".join(lines)


@cache
def _proxy(modparams: tuple[str, ...]) -> tuple[Proxy, KsrModule]:
    # Kept between cases: building a proxy takes longer than all that a case does.
    return make_proxy(transmit=_refuse, listens=LISTENS, aliases=ALIASES, modparams=modparams, now=10.0, wall=WALL)


def _refuse(data: bytes, dest: Dest) -> bool:
    raise AssertionError("sent outside of a case")


def replay(case: Case) -> tuple[list[tuple[str, Any]], list[str]]:
    """The steps of a case on our core: (expression, result or ``!`` and the exception), and the texts sent."""
    sent: list[str] = []

    def transmit(data: bytes, dest: Dest) -> bool:
        sent.append(data.decode("latin-1"))
        return True

    proxy, ksr = _proxy(tuple(case["modparams"]))
    proxy.transmit = transmit
    tcp = case.get("proto") == "tcp"
    listen = TCP if tcp else SECOND if case.get("to") == SECOND.host else UDP
    port = CLIENT
    if tcp:
        seen = re.search(r"rport=(\d+)", "".join(case["sent"]))
        port = int(seen[1]) if seen is not None else 40000
    rcv = Rcv(listen.proto, "127.0.0.1", port, listen.host, listen.port, listen, 1 if tcp else 0)
    fake = proxy.fake_run()
    route = CORE_ONREPLY_ROUTE if case.get("where") == "reply" else REQUEST_ROUTE
    msg = parse_message(case["text"].encode("latin-1"), rcv)
    msg.id = 1
    proxy.env.run = Run(proxy, msg, route, fake.record, fake.avps)
    results: list[tuple[str, Any]] = []
    scope = {"KSR": ksr}
    for step, _ in case["steps"]:
        try:
            result = eval(step, scope)
        except Exception as error:
            result = f"!{type(error).__name__}: {error}"
        results.append((step, result))
    if route == CORE_ONREPLY_ROUTE and case["sent"]:
        proxy.modules.sl.forward_reply(proxy.env.run)
    return results, sent


def masked(text: str) -> str:
    """``text`` without what a server chooses for itself: branch and connection in its Via, To tag, Server."""
    lines = text.split("\r\n")
    for n, line in enumerate(lines):
        if line.startswith("Via: SIP/2.0/") and "rport=" not in line:
            lines[n] = re.sub(r"branch=[^;]*", "branch=*", re.sub(r";i=\w+", ";i=*", line))
        elif line.startswith("To:") and text.startswith("SIP/2.0"):
            lines[n] = re.sub(r";tag=[0-9a-f.]{20,}", ";tag=*", line)
        elif "Server: " in line:
            lines[n] = line.partition("Server: ")[0] + "Server: *"
    return "\r\n".join(lines)


def check(case: Case, differs: dict[str, dict[str, str]]) -> None:
    """Replay a case: what differs from Kamailio must be exactly what ``differs`` says of it.

    ``differs``: case name -> step (or "sent") -> why ours is another.
    """
    results, sent = replay(case)
    # Functions without a result give 0 in app_python3.
    unlike = {
        step: (wanted, got)
        for (step, wanted), (_, got) in zip(case["steps"], results, strict=True)
        if (got != wanted or type(got) is not type(wanted)) and not (got is None and wanted == 0)
    }
    wanted_sent, got_sent = [masked(text) for text in case["sent"]], [masked(text) for text in sent]
    if wanted_sent != got_sent:
        unlike["sent"] = (wanted_sent, got_sent)
    expected = differs.get(case["name"], {})
    assert {step: why for step, why in unlike.items() if step not in expected} == {}
    assert [step for step in expected if step not in unlike] == [], "no longer different"
