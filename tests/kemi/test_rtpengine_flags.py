"""The words of rtpengine's flags; the whole table is in tests/parity/cases/rtpengine/flags_*.case."""

from __future__ import annotations

import pytest

from ksrcore.kemi.rtpengine_flags import BadFlag, read_flags
from ksrcore.net.ng import Dictionary, bencode


def sent(text: str, is_request: bool = True) -> str:
    message = Dictionary()
    read_flags(text, is_request).add_to(message)
    return bencode(message)


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("", "de"),
        ("force  symmetric ", "d5:flagsl5:force9:symmetricee"),
        ("a=b=c", "d1:a3:b=ce"),
        ("a =b c", "d5:flagsl1:aee"),
        ("SRTP AVPF", "d18:transport-protocol9:RTP/SAVPFe"),
        ("SRTP DTLS", "de"),
        ("SDES-off rtcp-mux=offer", "d8:rtcp-muxl5:offere4:SDESl3:offee"),
        ("codec-strip-all transcode=x", "d5:codecd5:stripl3:alle9:transcodel1:xeee"),
        ("TOS=5 repacketize=20x", "d3:TOSi5e11:repacketizei20ee"),
        ("TOS=99999999999", "d3:TOSi1215752191ee"),
        ("delete-delay=-3", "d12:delete delayi-3e12:delete-delay2:-3e"),
        ("internal direction=x", "d9:directionl8:internal1:xee"),
    ],
)
def test_words(text: str, encoded: str) -> None:
    assert sent(text) == encoded


@pytest.mark.parametrize("text", ["repacketize", "repacketize=0", "via-branch", "via-branch=4", "call-id", "direction"])
def test_words_that_are_refused(text: str) -> None:
    with pytest.raises(BadFlag, match="expects"):
        sent(text)


def test_which_branch() -> None:
    assert read_flags("via-branch=auto", True).branch == "1"
    assert read_flags("via-branch=auto", False).branch == "2"
    assert read_flags("via-branch=next-auto", True).branch == "next"
    assert read_flags("via-branch=extra-auto", False).branch == "1"


def test_what_identifies_the_call_is_not_in_the_dictionary() -> None:
    flags = read_flags("call-id=a from-tag=b to-tag=c to-tag directional", True)
    assert (flags.callid, flags.from_tag, flags.to_tag, flags.with_to, flags.directional) == ("a", "b", "c", True, True)
    assert sent("call-id=a from-tag=b to-tag=c directional force-answer") == "de"
