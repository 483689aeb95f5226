"""SDP reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ksrcore.sip.errors import ParseError
from ksrcore.sip.sdp import Sdp, iter_lines, parse_sdp


def body_of(message: bytes) -> str:
    return message.decode("latin-1").partition("\r\n\r\n")[2]


def check_offsets(sdp: Sdp) -> None:
    body = sdp.body
    for offset, line in [*sdp.lines, *(pair for media in sdp.media for pair in media.lines)]:
        assert body[offset : offset + len(line)] == line
    for item in sdp.all_connections() + ([sdp.origin] if sdp.origin else []):
        assert body[item.address_start : item.address_end] == item.address
        assert body[item.offset : item.offset + 2] in ("c=", "o=")
    for media in sdp.media:
        assert body[media.offset : media.offset + 2] == "m="
        assert body[media.port_start : media.port_end] == media.port_text
        assert media.end == media.lines[-1][0] + len(media.lines[-1][1])


def test_iter_lines() -> None:
    assert list(iter_lines("a\r\nb\nc\rd\r\n\r\ne")) == [(0, "a"), (3, "b"), (5, "c"), (7, "d"), (10, ""), (12, "e")]
    assert list(iter_lines("")) == []
    assert list(iter_lines("a\r\n")) == [(0, "a")]
    assert list(iter_lines("a\r\nb", 3)) == [(3, "b")]


def test_simple_offer(corpus: dict[str, bytes]) -> None:
    sdp = parse_sdp(body_of(corpus["invite"]))
    check_offsets(sdp)
    (media,) = sdp.media
    assert sdp.version == "0"
    assert repr(media) == "Media(audio 49172 RTP/AVP 0 8 101)"
    assert (media.kind, media.port, media.count, media.transport) == ("audio", 49172, 1, "RTP/AVP")
    assert media.payloads == ["0", "8", "101"]
    assert media.attribute("rtpmap") == "0 PCMU/8000"
    assert media.attribute("sendrecv") == "" and media.attribute("none") is None
    assert repr(sdp.connections[0]) == "Connection(IN IP4 192.0.2.10)"
    assert sdp.connection_of(media) is sdp.connections[0]
    assert sdp.origin and sdp.origin.address == "192.0.2.10"
    assert sdp.direction_of(media) == "sendrecv"


def test_media_level_parts(corpus: dict[str, bytes]) -> None:
    sdp = parse_sdp(body_of(corpus["natted-sdp"]))
    check_offsets(sdp)
    audio, video, data = sdp.media
    assert (audio.port, audio.count, video.port) == (4000, 2, 0)
    assert [media.direction for media in sdp.media] == ["sendonly", "", ""]
    assert [sdp.direction_of(media) for media in sdp.media] == ["sendonly", "sendrecv", "sendrecv"]
    assert [item.address for item in sdp.all_connections()] == ["10.0.0.9", "224.2.1.1"]
    assert sdp.connection_of(data) is None
    assert data.payloads == ["webrtc-datachannel"]


def test_session_level_attributes() -> None:
    sdp = parse_sdp("v=0\no=broken\nc=IN IP6 ::1\na=inactive\na=group:BUNDLE 0\nm=audio 1 RTP/AVP\n")
    assert sdp.direction == "inactive"
    assert sdp.direction_of(sdp.media[0]) == "inactive"
    assert sdp.attribute("group") == "BUNDLE 0"
    assert sdp.origin is None
    assert sdp.media[0].payloads == []


@pytest.mark.parametrize(
    "body",
    [
        *[
            "",
            "x",
            "m=audio 1 RTP/AVP 0",
            "v=",
            "v=0\nm=audio",
            "v=0\nm=audio x RTP/AVP 0",
            "v=0\nm=audio 65536 RTP/AVP 0",
        ],
        *["v=0\nm=audio 1/ RTP/AVP 0", "v=0\nm=audio -1 RTP/AVP 0", "v=0\nc=IN IP4", "v=0\nc=", "v=0\nc=a b c d"],
    ],
)
def test_errors(body: str) -> None:
    with pytest.raises(ParseError):
        parse_sdp(body)


@given(st.text(st.characters(max_codepoint=255)) | st.builds("v=0\r\n{}".format, st.text("mcoa=1/ \r\nI:")))
def test_only_parse_errors_and_offsets_agree(body: str) -> None:
    assert "".join(line for _, line in iter_lines(body)) == body.replace("\r", "").replace("\n", "")
    try:
        check_offsets(parse_sdp(body))
    except ParseError:
        pass
