# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module rtpengine."""

from typing import Any

def block_dtmf(text1: str, /) -> int:
    """Have rtpengine drop DTMF of the side that the flags name."""

def block_dtmf0() -> int:
    """Have rtpengine drop DTMF of the call."""

def block_dtmf2(text1: str, text2: str, /) -> int:
    """Like block_dtmf, for the call of this Via branch."""

def block_media(text1: str, /) -> int:
    """Have rtpengine drop the media of the side that the flags name."""

def block_media0() -> int:
    """Have rtpengine drop the media of the call."""

def block_media2(text1: str, text2: str, /) -> int:
    """Like block_media, for the call of this Via branch."""

def play_dtmf(text1: str, /) -> int:
    """Have rtpengine put a DTMF event into the media, as the flags say."""

def play_media(text1: str, /) -> int:
    """Have rtpengine play a sound to a side, as the flags say."""

def play_media2(text1: str, text2: str, /) -> int:
    """Like play_media, for the call of this Via branch."""

def rtpengine_answer(text1: str, /) -> int:
    """Give the SDP answer to rtpengine and put its own into the message."""

def rtpengine_answer0() -> int:
    """Like rtpengine_answer, without flags."""

def rtpengine_answer2(text1: str, text2: str, /) -> int:
    """Like rtpengine_answer, for the call of this Via branch."""

def rtpengine_connect(text1: str, /) -> int:
    """Have rtpengine connect the media of two parties without offer and answer."""

def rtpengine_connect0() -> int:
    """Like rtpengine_connect, without flags."""

def rtpengine_connect2(text1: str, text2: str, /) -> int:
    """Like rtpengine_connect, for the call of this Via branch."""

def rtpengine_delete(text1: str, /) -> int:
    """Have rtpengine end the call's media."""

def rtpengine_delete0() -> int:
    """Like rtpengine_delete, without flags."""

def rtpengine_delete2(text1: str, text2: str, /) -> int:
    """Like rtpengine_delete, for the call of this Via branch."""

def rtpengine_manage(text1: str, /) -> int:
    """Offer, answer or delete at rtpengine, whichever suits the message."""

def rtpengine_manage0() -> int:
    """Like rtpengine_manage, without flags."""

def rtpengine_manage2(text1: str, text2: str, /) -> int:
    """Like rtpengine_manage, for the call of this Via branch."""

def rtpengine_offer(text1: str, /) -> int:
    """Give the SDP offer to rtpengine and put its own into the message."""

def rtpengine_offer0() -> int:
    """Like rtpengine_offer, without flags."""

def rtpengine_offer2(text1: str, text2: str, /) -> int:
    """Like rtpengine_offer, for the call of this Via branch."""

def rtpengine_query(text1: str, /) -> int:
    """Ask rtpengine about the call, for $rtpstat and its kin."""

def rtpengine_query0() -> int:
    """Like rtpengine_query, without flags."""

def rtpengine_query2(text1: str, text2: str, /) -> int:
    """Like rtpengine_query, for the call of this Via branch."""

def rtpengine_query_v(text1: str, text2: str, /) -> int:
    """Ask rtpengine about the call, the answer as text of a format into a variable."""

def rtpengine_subscribe_answer(text1: str, /) -> int:
    """Give rtpengine the answer of a subscriber to media."""

def rtpengine_subscribe_request(text1: str, text2: str, text3: str, text4: str, /) -> int:
    """Have rtpengine offer the media of a call to a subscriber."""

def rtpengine_unsubscribe(text1: str, /) -> int:
    """End a subscription to media."""

def set_rtpengine_set(code1: int, /) -> int:
    """Take the rtpengines of this set from now on."""

def set_rtpengine_set2(code1: int, code2: int, /) -> int:
    """Take the rtpengines of these two sets, one behind the other."""

def silence_media(text1: str, /) -> int:
    """Have rtpengine replace the media of the side that the flags name by silence."""

def silence_media0() -> int:
    """Have rtpengine replace the media of the call by silence."""

def silence_media2(text1: str, text2: str, /) -> int:
    """Like silence_media, for the call of this Via branch."""

def start_forwarding(text1: str, /) -> int:
    """Have the recording daemon forward PCM of the side that the flags name."""

def start_forwarding0() -> int:
    """Have the recording daemon forward PCM of the call."""

def start_forwarding2(text1: str, text2: str, /) -> int:
    """Like start_forwarding, for the call of this Via branch."""

def start_recording() -> int:
    """Have rtpengine record the call."""

def stop_forwarding(text1: str, /) -> int:
    """End what start_forwarding began, for the side that the flags name."""

def stop_forwarding0() -> int:
    """End what start_forwarding began."""

def stop_forwarding2(text1: str, text2: str, /) -> int:
    """Like stop_forwarding, for the call of this Via branch."""

def stop_media(text1: str, /) -> int:
    """Have rtpengine end the sound that plays, for the side that the flags name."""

def stop_media0() -> int:
    """Have rtpengine end the sound that plays."""

def stop_media2(text1: str, text2: str, /) -> int:
    """Like stop_media, for the call of this Via branch."""

def stop_recording() -> int:
    """Have rtpengine record the call no more."""

def unblock_dtmf(text1: str, /) -> int:
    """End what block_dtmf began, for the side that the flags name."""

def unblock_dtmf0() -> int:
    """End what block_dtmf began."""

def unblock_dtmf2(text1: str, text2: str, /) -> int:
    """Like unblock_dtmf, for the call of this Via branch."""

def unblock_media(text1: str, /) -> int:
    """End what block_media began, for the side that the flags name."""

def unblock_media0() -> int:
    """End what block_media began."""

def unblock_media2(text1: str, text2: str, /) -> int:
    """Like unblock_media, for the call of this Via branch."""

def unsilence_media(text1: str, /) -> int:
    """End what silence_media began, for the side that the flags name."""

def unsilence_media0() -> int:
    """End what silence_media began."""

def unsilence_media2(text1: str, text2: str, /) -> int:
    """Like unsilence_media, for the call of this Via branch."""
