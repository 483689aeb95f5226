"""A capture of one call through a proxy, and scripts to replay it to."""

from __future__ import annotations

from pathlib import Path

from capture.samples import PROXY, UAC, UAS
from ksrcore.capture.captured import Captured
from ksrcore.capture.writer import save

RELAY = """\
import KSR


def ksr_request_route(msg):
    if KSR.is_OPTIONS():
        KSR.sl.send_reply(200, "Keepalive")
        return 1
    if KSR.pv.get("$rU") == "boom":
        return {}["key"]
    if KSR.pv.get("$rU") == "nobody":
        KSR.sl.send_reply(404, "Not Here")
        return 1
    if KSR.pv.get("$rU") == "silent":
        KSR.set_drop()
        return 1
    if KSR.pv.get("$rU") == "endless":
        while True:
            pass
    KSR.pv.sets("$du", "sip:10.0.0.2:5063")
    KSR.tm.t_on_failure("ksr_failure_route_busy")
    KSR.tm.t_relay()
    return 1


def ksr_failure_route_busy(msg):
    if KSR.tm.t_check_status("486"):
        KSR.pv.sets("$ru", "sip:voicemail@10.0.0.2:5063")
        KSR.tm.t_relay()
    return 1
"""

#: What the captured proxy made up.
BRANCH, TAG, NONCE = "z9hG4bKtheirs", "theirtag", "theirnonce"


def request(
    method: str,
    user: str = "bob",
    callid: str = "c1",
    *,
    via: str = "",
    tag: str = "",
    extra: str = "",
    number: int = 1,
) -> bytes:
    top = f"Via: SIP/2.0/UDP 10.0.0.9:5060;branch={via}\r\n" if via else ""
    cseq = "INVITE" if method == "ACK" else method
    branch = f"z9hG4bK{callid}{cseq}{number}"
    return (
        f"{method} sip:{user}@10.0.0.9 SIP/2.0\r\n{top}Via: SIP/2.0/UDP 10.0.0.1:5062;branch={branch}\r\n"
        f"From: <sip:alice@10.0.0.9>;tag=1\r\nTo: <sip:{user}@10.0.0.9>{f';tag={tag}' if tag else ''}\r\n"
        f"Call-ID: {callid}\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n"
        f"Contact: <sip:alice@10.0.0.1:5062>\r\n{extra}Content-Length: 0\r\n\r\n"
    ).encode()


def reply(
    status: str,
    method: str,
    user: str = "bob",
    callid: str = "c1",
    *,
    via: str = "",
    tag: str = "uas",
    extra: str = "",
    number: int = 1,
) -> bytes:
    lines = request(method, user, callid, via=via, tag=tag, number=number).decode().split("\r\n")
    kept = [line for line in lines[1:] if not line.startswith(("Max-", "Contact"))]
    return f"SIP/2.0 {status}\r\n{extra}".encode() + "\r\n".join(kept).encode()


def timed(
    messages: list[tuple[bytes, tuple[str, int], tuple[str, int]]], start: float = 1_700_000_000.0
) -> list[Captured]:
    """The messages, a hundredth of a second apart."""
    return [Captured(start + at / 100, "udp", *src, *dst, data) for at, (data, src, dst) in enumerate(messages)]


def call(callid: str = "c1", branch: str = BRANCH) -> list[tuple[bytes, tuple[str, int], tuple[str, int]]]:
    """INVITE, 180, 200, ACK through the proxy."""
    trying = "100 trying -- your call is important to us"
    return [
        (request("INVITE", callid=callid), UAC, PROXY),
        (reply(trying, "INVITE", callid=callid, tag=""), PROXY, UAC),
        (request("INVITE", callid=callid, via=branch), PROXY, UAS),
        (reply("180 Ringing", "INVITE", callid=callid, via=branch), UAS, PROXY),
        (reply("180 Ringing", "INVITE", callid=callid), PROXY, UAC),
        (reply("200 OK", "INVITE", callid=callid, via=branch), UAS, PROXY),
        (reply("200 OK", "INVITE", callid=callid), PROXY, UAC),
        (request("ACK", callid=callid, tag="uas"), UAC, PROXY),
        (request("ACK", callid=callid, tag="uas", via=branch + "2"), PROXY, UAS),
    ]


def scene(folder: Path, messages: list[Captured], script: str = RELAY) -> tuple[Path, str]:
    """A capture file and a script."""
    save(folder / "x.pcap", messages)
    (folder / "routes.py").write_text(script)
    return folder / "x.pcap", str(folder / "routes.py")
