# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module rtpengine."""

from typing import Any

def block_dtmf(flags: str, /) -> int:
    """Stop the DTMF events of the party with the From tag (directional), or of all: 1, -1."""

def block_dtmf0() -> int:
    """``block_dtmf`` without flags."""

def block_dtmf2(flags: str, viabranch: str, /) -> int:
    """``block_dtmf`` for a branch."""

def block_media(flags: str, /) -> int:
    """Stop what the party with the From tag sends (directional), or all do; DTMF still passes: 1, -1."""

def block_media0() -> int:
    """``block_media`` without flags."""

def block_media2(flags: str, viabranch: str, /) -> int:
    """``block_media`` for a branch."""

def play_dtmf(flags: str, /) -> int:
    """Put a DTMF event into what the party sends: code=, duration= and pause= in ms, volume=. 1, -1."""

def play_media(flags: str, /) -> int:
    """Play to the party with the From tag, or of other flags: file=, db-id=, blob=, repeat-times=. 1, -1."""

def play_media2(flags: str, viabranch: str, /) -> int:
    """``play_media`` for a branch."""

def rtpengine_answer(flags: str, /) -> int:
    """Have the SDP of an answer rewritten: 1, -1."""

def rtpengine_answer0() -> int:
    """``rtpengine_answer`` without flags."""

def rtpengine_answer2(flags: str, viabranch: str, /) -> int:
    """``rtpengine_answer``; ``viabranch`` is a value of the flag via-branch, none or '' for without."""

def rtpengine_connect(flags: str, /) -> int:
    """Connect the media of the parties with the From and the To tag; flag to-call-id=: of two calls. 1, -1."""

def rtpengine_connect0() -> int:
    """``rtpengine_connect`` without flags."""

def rtpengine_connect2(flags: str, viabranch: str, /) -> int:
    """``rtpengine_connect``; ``viabranch`` is a value of the flag via-branch, none or '' for without."""

def rtpengine_delete(flags: str, /) -> int:
    """End the call's media: 1, -1. The variables of the modparams mos_... are set."""

def rtpengine_delete0() -> int:
    """``rtpengine_delete`` without flags."""

def rtpengine_delete2(flags: str, viabranch: str, /) -> int:
    """``rtpengine_delete``; ``viabranch`` is a value of the flag via-branch, none or '' for without."""

def rtpengine_manage(flags: str, /) -> int:
    """Offer, answer or delete, as suits the message: what it gives, -1 where nothing is to be done."""

def rtpengine_manage0() -> int:
    """``rtpengine_manage`` without flags."""

def rtpengine_manage2(flags: str, viabranch: str, /) -> int:
    """``rtpengine_manage``; ``viabranch`` is a value of the flag via-branch, none or '' for without."""

def rtpengine_offer(flags: str, /) -> int:
    """Have the SDP of an offer rewritten: 1, -1 for an error or when no rtpengine is available."""

def rtpengine_offer0() -> int:
    """``rtpengine_offer`` without flags."""

def rtpengine_offer2(flags: str, viabranch: str, /) -> int:
    """``rtpengine_offer``; ``viabranch`` is a value of the flag via-branch, none or '' for without."""

def rtpengine_query(flags: str, /) -> int:
    """Ask about the call: 1, -1. The variables of the modparams mos_... are set."""

def rtpengine_query0() -> int:
    """``rtpengine_query`` without flags."""

def rtpengine_query2(flags: str, viabranch: str, /) -> int:
    """``rtpengine_query``; ``viabranch`` is a value of the flag via-branch, none or '' for without."""

def rtpengine_query_v(fmt: str, dvar: str, /) -> int:
    """Put what rtpengine knows of the call into the variable ``dvar``: 1, -1. Format j: JSON, jp: in lines."""

def rtpengine_subscribe_answer(text1: str, /) -> int:
    """Give rtpengine the answer of a subscriber to media."""

def rtpengine_subscribe_request(text1: str, text2: str, text3: str, text4: str, /) -> int:
    """Have rtpengine offer the media of a call to a subscriber."""

def rtpengine_unsubscribe(text1: str, /) -> int:
    """End a subscription to media."""

def set_rtpengine_set(r1: int, /) -> int:
    """Use this set of rtpengines for the message: 1, -1 when there is none."""

def set_rtpengine_set2(r1: int, r2: int, /) -> int:
    """Use two sets, the second for what the first gives: 1, -1 when one does not exist."""

def silence_media(flags: str, /) -> int:
    """Replace by silence what the party with the From tag sends (directional), or all do: 1, -1."""

def silence_media0() -> int:
    """``silence_media`` without flags."""

def silence_media2(flags: str, viabranch: str, /) -> int:
    """``silence_media`` for a branch."""

def start_forwarding(flags: str, /) -> int:
    """Have the recording daemon forward the audio, directional: of one party: 1, -1."""

def start_forwarding0() -> int:
    """``start_forwarding`` without flags."""

def start_forwarding2(flags: str, viabranch: str, /) -> int:
    """``start_forwarding`` for a branch."""

def start_recording() -> int:
    """Record the call: 1, -1."""

def stop_forwarding(flags: str, /) -> int:
    """End what ``start_forwarding`` began: 1, -1."""

def stop_forwarding0() -> int:
    """``stop_forwarding`` without flags."""

def stop_forwarding2(flags: str, viabranch: str, /) -> int:
    """``stop_forwarding`` for a branch."""

def stop_media(flags: str, /) -> int:
    """End what ``play_media`` plays: 1, -1."""

def stop_media0() -> int:
    """``stop_media`` without flags."""

def stop_media2(flags: str, viabranch: str, /) -> int:
    """``stop_media`` for a branch."""

def stop_recording() -> int:
    """End the recording of the call: 1, -1."""

def unblock_dtmf(flags: str, /) -> int:
    """Let DTMF events pass again: 1, -1."""

def unblock_dtmf0() -> int:
    """``unblock_dtmf`` without flags."""

def unblock_dtmf2(flags: str, viabranch: str, /) -> int:
    """``unblock_dtmf`` for a branch."""

def unblock_media(flags: str, /) -> int:
    """Let pass again what ``block_media`` stopped: 1, -1."""

def unblock_media0() -> int:
    """``unblock_media`` without flags."""

def unblock_media2(flags: str, viabranch: str, /) -> int:
    """``unblock_media`` for a branch."""

def unsilence_media(flags: str, /) -> int:
    """Let pass again what ``silence_media`` replaced: 1, -1."""

def unsilence_media0() -> int:
    """``unsilence_media`` without flags."""

def unsilence_media2(flags: str, viabranch: str, /) -> int:
    """``unsilence_media`` for a branch."""
