"""The first look at a capture."""

from __future__ import annotations

from capture.samples import PROXY, UAC, UAS
from ksrcore.capture.parties import Parties
from ksrcore.replay.survey import survey
from replay.scene import call, reply, request, timed


def test_nonces_of_the_proxy_alone() -> None:
    def challenge(nonce: str) -> bytes:
        return reply("407 Auth", "INVITE", extra=f'Proxy-Authenticate: Digest realm="a, b", nonce="{nonce}"\r\n')

    found = survey(timed([*call(), (challenge("ours"), PROXY, UAC), (challenge("theirs"), UAS, PROXY)]), Parties())
    assert found.nonces() == {"ours"}
    assert (found.messages, found.begin) == (11, 1_700_000_000.0)


def test_names() -> None:
    invite = request("INVITE", via="z9hG4bKx").replace(b"bob@10.0.0.9", b"bob@Callee.test:5066", 1)
    resolve = survey(timed([*call(), (invite, PROXY, UAS)]), Parties()).resolver()
    answers: list[list[tuple[str, str, int]]] = []
    for name in ("callee.TEST", "other.test"):
        resolve(name, 0, "", answers.append)
    assert answers == [[("udp", "10.0.0.2", 5063)], []]
