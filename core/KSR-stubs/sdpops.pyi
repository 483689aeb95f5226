# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module sdpops."""

from typing import Any

def keep_codecs_by_id(codecs: str, media: str, /) -> int:
    """Remove all codecs but these numbers from the streams of a kind ('' all): 0, -1 without an SDP."""

def keep_codecs_by_name(codecs: str, media: str, /) -> int:
    """Remove all codecs but these names from the streams of a kind ('' all): 0, -1 no SDP, none known."""

def remove_codecs_by_id(codecs: str, media: str, /) -> int:
    """Remove codecs by their numbers ``0,8`` from the streams of a kind ('' all): 0, -1 without an SDP."""

def remove_codecs_by_name(codecs: str, media: str, /) -> int:
    """Remove codecs by names (PCMU,opus) from the streams of a kind ('' all): 0, -1 no SDP, none known."""

def remove_line_by_prefix(prefix: str, media: str, /) -> int:
    """Remove the lines that begin with ``prefix``, '' as ``media`` also the session's: how many; -1 no SDP."""

def remove_media(media: str, /) -> int:
    """Remove the streams of a kind: how many, 0 without a body, -1 for another body."""

def sdp_content() -> int:
    """1 when the body or a part of it is an SDP, else -1."""

def sdp_content_flags(flags: int, /) -> int:
    """``sdp_content``; with ``flags`` by the Content-Type alone, without looking at the SDP itself."""

def sdp_get(avp: str, /) -> int:
    """Put the SDP into an AVP: 1, -2 without a body, -1 for another body or for what is no AVP."""

def sdp_get_address_family() -> int:
    """4 or 6 by the first ``c=`` line, -1 without one (Kamailio 5.7 and later)."""

def sdp_get_line_startswith(aname: str, sline: str, /) -> int:
    """Put the first line that begins with ``sline`` into an AVP: 1; -2 no body; -1 no line, no SDP, no AVP."""

def sdp_iterator_append(iname: str, text: str, /) -> int:
    """Put text after the line a walk is at: 1, -1 without one."""

def sdp_iterator_end(iname: str, /) -> int:
    """End a walk: 1, -1 without one of that name."""

def sdp_iterator_insert(iname: str, text: str, /) -> int:
    """Put text before the line a walk is at: 1, -1 without one."""

def sdp_iterator_next(iname: str, /) -> int:
    """Go to the next line (first to the first): 1, -1 at the end or without such a walk."""

def sdp_iterator_rm(iname: str, /) -> int:
    """Remove the line a walk is at: 1, -1 without one."""

def sdp_iterator_start(iname: str, /) -> int:
    """Begin a walk over the lines of the body; one of that name begins anew. 1, -1 no body or four walks."""

def sdp_iterator_value(iname: str, /) -> Any | None:
    """The line a walk is at, with its end; None without one."""

def sdp_print(llevel: int, /) -> int:
    """Log the SDP at a level of Kamailio's (-1 error, 1 notice, 2 info, 3 debug): 1, -1 for another body."""

def sdp_transport(avp: str, /) -> int:
    """Put the transport that all streams share into an AVP: 1, also without a body; -2 they differ; -1 error."""

def sdp_with_active_media(media: str, /) -> int:
    """``sdp_with_media`` for streams whose port is not 0 and that are not inactive."""

def sdp_with_codecs_by_id(codecs: str, /) -> int:
    """1 when every stream has every number, 2 when one has one, 0 when none has any; -1 without an SDP."""

def sdp_with_codecs_by_name(codecs: str, /) -> int:
    """1 when every stream has every known name, 2 when one has one, -1 when none has any or no SDP."""

def sdp_with_ice() -> int:
    """1 when the body has an ICE candidate, else -1."""

def sdp_with_media(media: str, /) -> int:
    """1 when there is a stream of that kind (audio ...), 0 for none or no body, -1 for another body."""

def sdp_with_transport(transport: str, /) -> int:
    """1 when there is a stream of that transport (RTP/AVP ...), else -1."""

def sdp_with_transport_like(transport: str, /) -> int:
    """1 when there is a stream whose transport has that text in it, else -1."""
