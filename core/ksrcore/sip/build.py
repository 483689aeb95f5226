"""The texts that leave: forwarded requests and replies, local replies, hop-by-hop ACK and CANCEL.

All of it as Kamailio writes it: order of fields, place of ``received`` and ``rport``, which fields a local reply
copies. Everything is latin-1 text in and out, built from slices of the message as it came.
"""

from __future__ import annotations

import os
from itertools import compress
from operator import attrgetter
from typing import TYPE_CHECKING

from ..net.address import STREAMS, Dest
from .lumps import Lump, by_offset
from .via import parse_vias

if TYPE_CHECKING:
    from ..net.address import Listen
    from .lumps import Lumps
    from .message import Header, SipMessage
    from .via import Via

__all__ = [
    "build_ack",
    "build_cancel",
    "build_forwarded_reply",
    "build_reply",
    "build_request",
    "reply_via",
    "shown_address",
    "via_line",
]

# Whether a local reply copies a field, by its key. Kamailio copies the route set into what can form a dialog.
_copied = frozenset(("via", "from", "to", "call-id", "cseq")).__contains__
_copied_dialog = frozenset(("via", "from", "to", "call-id", "cseq", "record-route")).__contains__
_key = attrgetter("key")
_raw = attrgetter("raw")


def via_line(
    listen: Listen, branch: str, conid: int = 0, advertise: tuple[str, str] | None = None, rport: bool = False
) -> str:
    """Our Via field. ``conid``: the connection the request came by, written as ``i`` so that replies find it again.

    ``advertise``: host and port set by the script for this message, '' where it set none. ``rport``: ask for it.
    """
    if advertise is None and not conid and not rport:
        return f"{listen.via_prefix}{branch}\r\n"
    where = shown_address(listen, advertise)
    params = (f";i={conid:x}" if conid else "") + (";rport" if rport else "")
    return f"Via: SIP/2.0/{listen.via_proto} {where};branch={branch}{params}\r\n"


def shown_address(listen: Listen, advertise: tuple[str, str] | None = None) -> str:
    """Host and port that others see of a socket; ``advertise`` as in :func:`via_line`."""
    where = listen.via_host_port
    if advertise is None:
        return where
    own = _bracketed(listen.advertise_host or listen.host)
    host, port = advertise[0] or own, advertise[1] or where[len(own) + 1 :]
    return f"{host}:{port}" if port else host


# -- what RFC 3261 18.2.1 and RFC 3581 add to the Via of whoever sent us the request ----------------------------------


def _plain(msg: SipMessage, via: Via) -> bool:
    """Whether the topmost Via of a request has its true source address and neither rport nor received: the usual one.

    All that may have to be added then is a forced rport.
    """
    rcv = msg.rcv
    if rcv is None or via.host != rcv.src_ip:
        return False
    params = via.params_text.lower()
    return "rport" not in params and "received" not in params


def _seen(msg: SipMessage, via: Via) -> tuple[str, str]:
    """The ``rport`` and ``received`` values to put into the topmost Via of a request, '' for none."""
    rcv = msg.rcv
    if rcv is None:
        return "", ""
    host = via.host
    rport = via.rport
    port = str(rcv.src_port) if rport is not None or msg.force_rport else ""
    if host[:1] == "[":
        host = host[1:-1].lower()
    received = rcv.src_ip if rport is not None or via.received or host != rcv.src_ip else ""
    return port, received


def _bracketed(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


def _forwarded_via(msg: SipMessage, header: Header) -> str:
    """The field with the topmost Via as it is passed on: ``received`` behind the sent-by, ``rport`` in its place."""
    via = msg.via or header.parsed(parse_vias)[0]
    raw = header.raw
    if _plain(msg, via):
        if not msg.force_rport:
            return raw
        end = header.body_start + via.sent_by_end
        return f"{raw[:end]};rport={msg.rcv.src_port}{raw[end:]}"  # type: ignore[union-attr]
    port, received = _seen(msg, via)
    if not port and not received:
        return raw
    at = header.body_start
    insert = f";received={_bracketed(received)}" if received else ""
    sent_by_end = via.sent_by_end
    end = at + sent_by_end
    out = raw[:end]
    if via.received:
        # Ours replaces what the sender claims; both would contradict each other.
        span = via.param_span("received")
        if span is not None:
            raw = raw[: at + span[0]] + f"received={_bracketed(received)}" + raw[at + span[1] :]
            insert = ""
            via = parse_vias(raw[at:])[0]
            out = raw[:end]
    if port:
        span = via.param_span("rport")
        if span is None:
            return f"{out};rport={port}{insert}{raw[end:]}"
        return f"{out}{insert}{raw[end : at + span[0]]}rport={port}{raw[at + span[1] :]}"
    return f"{out}{insert}{raw[end:]}"


def reply_via(msg: SipMessage, header: Header) -> str:
    """The field with the topmost Via as a reply to ``msg`` has it."""
    via = msg.via or header.parsed(parse_vias)[0]
    raw = header.raw
    at = header.body_start
    end = at + via.end
    if _plain(msg, via) and raw[-2:] == "\r\n":
        return f"{raw[:end]};rport={msg.rcv.src_port}{raw[end:]}" if msg.force_rport else raw  # type: ignore[union-attr]
    port, received = _seen(msg, via)
    if not port and not received:
        return raw if raw[-2:] == "\r\n" else raw.rstrip("\r\n") + "\r\n"
    text, rest = raw[:end], raw[end:].rstrip("\r\n")
    if received and via.received:
        span = via.param_span("received")
        if span is not None:
            cut = at + span[0]
            text = text[:cut].rstrip().removesuffix(";") + text[at + span[1] :]
            return reply_via_text(text, at, port, received) + rest + "\r\n"
    return reply_via_text(text, at, port, received) + rest + "\r\n"


def reply_via_text(text: str, at: int, port: str, received: str) -> str:
    """``text`` (a field whose body begins at ``at`` and ends with the first value) with rport and received."""
    if port:
        via = parse_vias(text[at:])[0]
        span = via.param_span("rport")
        if span is None:
            text += f";rport={port}"
        else:
            text = f"{text[: at + span[0]]}rport={port}{text[at + span[1] :]}"
    return f"{text};received={_bracketed(received)}" if received else text


# -- forwarding -------------------------------------------------------------------------------------------------------


def build_request(
    msg: SipMessage, uri: str, via: str, dest: Dest, path: str = "", lumps: Lumps | None = None, *, alone: bool = False
) -> str:
    """``msg`` as it leaves for ``dest``: Request-URI, our Via (a whole field) on top, the script's edits.

    ``path``: the value of a Route field to add before the others, or below our Via. ``lumps``: the edits, when they
    are not the message's own. ``alone``: without the Vias that it came with. Content-Length follows the body when an
    edit changed it, and is added on streams where it is missing.
    """
    buf = msg.buf
    header = msg.index["via"]
    head_at = msg.head_at
    at = head_at if msg.headers[0] is header else msg.offset_of(header)
    raw = header.raw
    fixed = _forwarded_via(msg, header)
    if lumps is None:
        lumps = msg.lumps
    if alone:
        fixed = ""
        lumps = lumps.copy()
        for offset, other in zip(msg.offsets, msg.headers, strict=False):
            if other.key == "via" and other is not header:
                lumps.delete(offset, len(other.raw), "via")
    items = lumps.items
    first = f"{msg.method} {uri} {msg.version}\r\n"
    stream = dest.proto in STREAMS and "content-length" not in msg.index
    if not path and not stream:
        if not items:
            return f"{first}{buf[head_at:at]}{via}{fixed}{buf[at + len(raw) :]}"
        if max(map(by_offset, items)) < msg.body_at:
            ours = Lump(at, 0, via, "via") if fixed is raw else Lump(at, len(raw), via + fixed, "via")
            return first + lumps.apply(buf, head_at, len(buf), dest, [ours])
    extra = []
    if path:
        route = msg.index.get("route")
        if route is None:
            via += f"Route: {path}\r\n"
        else:
            extra.append(Lump(msg.offset_of(route), 0, f"Route: {path}\r\n", "route"))
    extra.append(Lump(at, 0, via, "via") if fixed is raw else Lump(at, len(raw), via + fixed, "via"))
    return first + _apply(msg, head_at, dest, extra, stream, lumps)


def _apply(msg: SipMessage, start: int, dest: Dest, extra: list[Lump], stream: bool, lumps: Lumps) -> str:
    """The message from ``start`` with its edits and ``extra`` done, Content-Length right."""
    buf = msg.buf
    body_at = msg.body_at
    if not stream and max(map(by_offset, lumps.items), default=-1) < body_at:
        return lumps.apply(buf, start, len(buf), dest, extra)
    stop = msg.headers_end
    body = lumps.apply(buf, body_at, len(buf), dest)
    length = msg.index.get("content-length")
    if length is None:
        extra.append(Lump(stop, 0, f"Content-Length: {len(body)}\r\n", "content-length"))
    elif length.body != str(len(body)):
        offset = msg.offset_of(length)
        if not any(lump.offset <= offset < lump.offset + lump.length for lump in lumps.items):
            extra.append(Lump(offset + length.body_start, len(length.body), str(len(body)), "content-length"))
    head = lumps.apply(buf, start, stop, dest, extra)
    return head + (buf[stop:body_at] or "\r\n") + body


def edited(msg: SipMessage) -> str:
    """Header fields and body with the script's edits done and Content-Length right, nothing else added."""
    return _apply(msg, msg.head_at, Dest("udp", "", 0), [], False, msg.lumps)


def build_forwarded_reply(msg: SipMessage, dest: Dest, status_line: str = "", extra: list[Lump] | None = None) -> str:
    """A reply as it is passed on to ``dest``: without the topmost Via, with the script's edits.

    ``status_line`` (with its line end) replaces the reply's own; ``extra`` are further edits.
    """
    buf = msg.buf
    header = msg.index["via"]
    head_at = msg.head_at
    at = head_at if msg.headers[0] is header else msg.offset_of(header)
    raw = header.raw
    stream = dest.proto in STREAMS and "content-length" not in msg.index
    if "," in raw and len(vias := header.parsed(parse_vias)) > 1:
        cut_at, cut = at + header.body_start, vias[1].start
    else:
        cut_at, cut = at, len(raw)
    if not msg.lumps.items and not extra and not stream and not status_line:
        return buf[:cut_at].lstrip("\r\n") + buf[cut_at + cut :]
    first = status_line or buf[:head_at].lstrip("\r\n")
    return first + _apply(msg, head_at, dest, [Lump(cut_at, cut, "", "via"), *(extra or ())], stream, msg.lumps)


# -- local replies ----------------------------------------------------------------------------------------------------


def build_reply(
    msg: SipMessage,
    code: int,
    reason: str,
    to_tag: str,
    server: str,
    extra: str = "",
    body: tuple[str, str] | None = None,
    warning: bool = False,
) -> str:
    """A local reply to a request, field by field in the request's order, as Kamailio builds it.

    ``to_tag`` goes into To when it has none; ``server``: the Server field without line end, '' for none; ``extra``:
    header text (with line ends) besides ``msg.reply_lumps``; ``body``: (content type, text); ``warning``: with the
    Warning field of Kamailio's ``sip_warning``.
    """
    headers = msg.headers
    copied = _copied_dialog if 180 <= code < 300 else _copied
    kept = list(compress(headers, map(copied, map(_key, headers))))
    parts = list(map(_raw, kept))
    top = msg.index.get("via")
    if top is not None:
        parts[kept.index(top)] = reply_via(msg, top)
    if to_tag and not msg.to_tag:
        for n, header in enumerate(kept):
            if header.key == "to":
                parts[n] = f"{header.raw[: header.body_start + len(header.body)]};tag={to_tag}\r\n"
    if msg.reply_lumps:
        parts.extend(msg.reply_lumps)
    if body is None:
        body = msg.reply_body
    if server:
        server += "\r\n"
    last = _warning(msg) if warning else ""
    if body is None:
        return f"SIP/2.0 {code} {reason}\r\n{''.join(parts)}{extra}{server}Content-Length: 0\r\n{last}\r\n"
    kind, text = body
    if kind:
        kind = f"Content-Type: {kind}\r\n"
    return (
        f"SIP/2.0 {code} {reason}\r\n{''.join(parts)}{extra}{kind}{server}"
        f"Content-Length: {len(text)}\r\n{last}\r\n{text}"
    )


def _warning(msg: SipMessage) -> str:
    """What a reply tells of its request, in Kamailio's words."""
    rcv = msg.rcv
    if rcv is None or rcv.listen is None:
        return ""
    vias = sum(1 for header in msg.headers if header.key == "via")
    return (
        f'Warning: 392 {rcv.listen.uri_host}:{rcv.listen.port} "Noisy feedback tells:  pid={os.getpid()} '
        f"req_src_ip={rcv.src_ip} req_src_port={rcv.src_port} in_uri={msg.ruri} out_uri={msg.uri} "
        f'via_cnt{"==" if vias == 1 else ">="}1"\r\n'
    )


# -- hop-by-hop requests from the INVITE that was sent (RFC 3261 9.1, 17.1.1.3) ---------------------------------------

_LOCAL = frozenset(("from", "f", "call-id", "i", "max-forwards", "route"))


def _local_request(sent: str, method: str, to: str, keep: str, extra: str) -> str:
    head = sent.partition("\r\n\r\n")[0]
    lines = head.split("\r\n")
    uri = lines[0].split(" ", 2)[1]
    parts = [f"{method} {uri} SIP/2.0\r\n"]
    via = copying = False
    for line in lines[1:]:
        if line[:1] in " \t":
            if copying:
                parts.append(line + "\r\n")
            continue
        name, _, value = line.partition(":")
        name = name.rstrip().lower()
        copying = False
        if name == "via" or name == "v":
            if not via:
                via = copying = True
                parts.append(line + "\r\n")
        elif name == "to" or name == "t":
            if to:
                parts.append(f"To: {to}\r\n")
            else:
                copying = True
                parts.append(line + "\r\n")
        elif name == "cseq":
            parts.append(f"CSeq: {value.split()[0]} {method}\r\n")
        elif name == "content-length" or name == "l":
            parts.append("Content-Length: 0\r\n")
        elif name in _LOCAL or (keep and name.startswith(keep)):
            copying = True
            parts.append(line + "\r\n")
    return f"{''.join(parts)}{extra}\r\n"


def build_ack(sent: str, to: str, keep: str = "") -> str:
    """The ACK for a negative reply to the INVITE ``sent``; ``to``: the reply's To value.

    ``keep``: prefix (lower case) of names of further fields that are copied (tm's ``ac_extra_hdrs``).
    """
    return _local_request(sent, "ACK", to, keep, "")


def build_cancel(sent: str, reasons: str = "", keep: str = "") -> str:
    """The CANCEL for the INVITE ``sent``; ``reasons``: Reason fields with their line ends."""
    return _local_request(sent, "CANCEL", "", keep, reasons)
