"""Kamailio's sdpops: what an SDP has, and codecs, lines and streams removed from it.

Edits take effect when the message is sent or at ``KSR.textopsx.msg_apply_changes()``; what is asked later still sees
the message as it came. Results are Kamailio's, odd as some are: removing and keeping codecs gives 0.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Accessor, pv_class
from ..pv.registry import Value as PvValue
from ..pv.spec import Spec
from .core_log import LEVELS
from .declare import Module, Value, export
from .sdpops_body import BROKEN, NO_BODY, Line, Sdp, Stream, codec_ids, read_sdp, words
from .textops_body import content_type

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import SipMessage

__all__ = ["Sdpops"]

log = logging.getLogger("ksrcore.sdpops")

#: The most iterators a message has at a time.
MAX_ITERATORS = 4

_LOG_LEVELS = [LEVELS[name] for name in ("crit", "err", "warn", "notice", "info", "dbg")]


def _delete(msg: SipMessage, start: int, end: int) -> None:
    if not msg.lumps.deleted(start):
        msg.lumps.delete(start, end - start, "body")


def _remove_codec(msg: SipMessage, stream: Stream, codec: str) -> None:
    """Take a format off the ``m=`` line, where it first is, and its attributes away."""
    formats = stream.formats
    at = formats.find(f" {codec}")
    while at >= 0:
        after = at + 1 + len(codec)
        if after >= len(formats) or formats[after] == " ":
            _delete(msg, stream.formats_at + at, stream.formats_at + after)
            break
        at = formats.find(f" {codec}", at + 1)
    for line in stream.codec_lines(codec):
        _delete(msg, line.start, line.end)


class _Iterator:
    __slots__ = ("at", "lines")

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.at = -1

    @property
    def line(self) -> Line | None:
        return self.lines[self.at] if 0 <= self.at < len(self.lines) else None


class Sdpops(Module):
    name = "sdpops"

    # -- codecs -------------------------------------------------------------------------------------------------------

    def _codecs(self, run: Run, codecs: str, media: str, by_name: bool, keep: bool) -> int:
        msg = run.msg
        sdp = read_sdp(msg)
        if isinstance(sdp, int):
            return -1
        ids = codec_ids(sdp, codecs) if by_name else words(codecs)
        if by_name and not ids:
            return -1
        wanted = media.lower()
        for stream in sdp.streams:
            if wanted and stream.kind != wanted:
                continue
            for codec in [have for have in stream.formats.split() if have not in ids] if keep else ids:
                _remove_codec(msg, stream, codec)
        return 0

    @export
    def remove_codecs_by_id(self, run: Run, codecs: str, media: str) -> int:
        """Remove codecs by their numbers ``0,8`` from the streams of a kind ('' all): 0, -1 without an SDP."""
        return self._codecs(run, codecs, media, False, False)

    @export
    def remove_codecs_by_name(self, run: Run, codecs: str, media: str) -> int:
        """Remove codecs by names (PCMU,opus) from the streams of a kind ('' all): 0, -1 no SDP, none known."""
        return self._codecs(run, codecs, media, True, False)

    @export
    def keep_codecs_by_id(self, run: Run, codecs: str, media: str) -> int:
        """Remove all codecs but these numbers from the streams of a kind ('' all): 0, -1 without an SDP."""
        return self._codecs(run, codecs, media, False, True)

    @export
    def keep_codecs_by_name(self, run: Run, codecs: str, media: str) -> int:
        """Remove all codecs but these names from the streams of a kind ('' all): 0, -1 no SDP, none known."""
        return self._codecs(run, codecs, media, True, True)

    def _with_codecs(self, run: Run, codecs: str, by_name: bool) -> int:
        sdp = read_sdp(run.msg)
        if isinstance(sdp, int):
            return -1
        ids = codec_ids(sdp, codecs) if by_name else words(codecs)
        if by_name and not ids:
            return -1
        have = [codec in stream.formats.split() for stream in sdp.streams for codec in ids]
        if not any(have):
            return -1 if by_name else 0
        return 1 if all(have) else 2

    @export
    def sdp_with_codecs_by_id(self, run: Run, codecs: str) -> int:
        """1 when every stream has every number, 2 when one has one, 0 when none has any; -1 without an SDP."""
        return self._with_codecs(run, codecs, False)

    @export
    def sdp_with_codecs_by_name(self, run: Run, codecs: str) -> int:
        """1 when every stream has every known name, 2 when one has one, -1 when none has any or no SDP."""
        return self._with_codecs(run, codecs, True)

    # -- streams and lines --------------------------------------------------------------------------------------------

    def _with(self, run: Run, test: Callable[[Stream], bool], none: int, no_body: int) -> int:
        sdp = read_sdp(run.msg)
        if isinstance(sdp, int):
            return no_body if sdp == NO_BODY else -1
        return 1 if any(map(test, sdp.streams)) else none

    @export
    def sdp_with_media(self, run: Run, media: str) -> int:
        """1 when there is a stream of that kind (audio ...), 0 for none or no body, -1 for another body."""
        wanted = media.lower()
        return self._with(run, lambda stream: stream.kind == wanted, 0, 0)

    @export
    def sdp_with_active_media(self, run: Run, media: str) -> int:
        """``sdp_with_media`` for streams whose port is not 0 and that are not inactive."""
        wanted = media.lower()
        return self._with(run, lambda stream: stream.kind == wanted and stream.active, 0, 0)

    @export
    def sdp_with_transport(self, run: Run, transport: str) -> int:
        """1 when there is a stream of that transport (RTP/AVP ...), else -1."""
        wanted = transport.lower()
        return self._with(run, lambda stream: stream.transport.lower() == wanted, -1, -1)

    @export
    def sdp_with_transport_like(self, run: Run, transport: str) -> int:
        """1 when there is a stream whose transport has that text in it, else -1."""
        return self._with(run, lambda stream: transport in stream.transport, -1, -1)

    @export
    def remove_media(self, run: Run, media: str) -> int:
        """Remove the streams of a kind: how many, 0 without a body, -1 for another body."""
        sdp = read_sdp(run.msg)
        if isinstance(sdp, int):
            return 0 if sdp == NO_BODY else -1
        found = [stream for stream in sdp.streams if stream.kind == media.lower()]
        for stream in found:
            _delete(run.msg, stream.lines[0].start, stream.lines[-1].end)
        return len(found)

    @export
    def remove_line_by_prefix(self, run: Run, prefix: str, media: str) -> int:
        """Remove the lines that begin with ``prefix``, '' as ``media`` also the session's: how many; -1 no SDP."""
        sdp = read_sdp(run.msg)
        if isinstance(sdp, int):
            return -1
        lines = sdp.lines
        if media:
            lines = [line for stream in sdp.streams if stream.kind == media.lower() for line in stream.lines]
        found = [line for line in lines if prefix and line.text.startswith(prefix)]
        for line in found:
            _delete(run.msg, line.start, line.end)
        return len(found)

    # -- values -------------------------------------------------------------------------------------------------------

    def _put(self, run: Run, avp: str, value: str) -> int:
        """Into an AVP: 1, -1 for what is none."""
        try:
            accessor = compile_spec(avp)
            if accessor.spec.name != "avp":
                raise PvError("expected an AVP such as $avp(x)", avp)
            accessor.set(run, value)
        except PvError as error:
            log.error("sdpops: %s", error)
            return -1
        return 1

    @export
    def sdp_get(self, run: Run, avp: str) -> int:
        """Put the SDP into an AVP: 1, -2 without a body, -1 for another body or for what is no AVP."""
        sdp = read_sdp(run.msg)
        if isinstance(sdp, int):
            return -2 if sdp == NO_BODY else -1
        return self._put(run, avp, run.msg.buf[sdp.start : sdp.end])

    @export
    def sdp_get_line_startswith(self, run: Run, aname: str, sline: str) -> int:
        """Put the first line that begins with ``sline`` into an AVP: 1; -2 no body; -1 no line, no SDP, no AVP."""
        sdp = read_sdp(run.msg)
        if isinstance(sdp, int):
            return -2 if sdp == NO_BODY else -1
        line = next((line for line in sdp.lines if sline and line.text.startswith(sline)), None)
        return -1 if line is None else self._put(run, aname, line.text)

    @export
    def sdp_transport(self, run: Run, avp: str) -> int:
        """Put the transport that all streams share into an AVP: 1, also without a body; -2 they differ; -1 error."""
        sdp = read_sdp(run.msg)
        if isinstance(sdp, int):
            return 1 if sdp == NO_BODY else -1
        try:
            if compile_spec(avp).spec.name != "avp":
                raise PvError("expected an AVP such as $avp(x)", avp)
        except PvError as error:
            log.error("sdp_transport: %s", error)
            return -1
        if len({stream.transport.lower() for stream in sdp.streams}) != 1:
            return -2
        return self._put(run, avp, sdp.streams[0].transport)

    @export
    def sdp_get_address_family(self, run: Run) -> int:
        """4 or 6 by the first ``c=`` line, -1 without one (Kamailio 5.7 and later)."""
        sdp = read_sdp(run.msg)
        for line in [] if isinstance(sdp, int) else sdp.lines:
            if line.text[:2] == "c=":
                return {"IP4": 4, "IP6": 6}.get(line.text[2:].split()[1:2][0] if " " in line.text else "", -1)
        return -1

    @export
    def sdp_content(self, run: Run) -> int:
        """1 when the body or a part of it is an SDP, else -1."""
        return -1 if isinstance(read_sdp(run.msg), int) else 1

    @export
    def sdp_content_flags(self, run: Run, flags: int) -> int:
        """``sdp_content``; with ``flags`` by the Content-Type alone, without looking at the SDP itself."""
        if not flags:
            return self.sdp_content(run)
        msg = run.msg
        if msg.body_at >= len(msg.buf):
            return -1
        kind = content_type(msg)
        if kind == "application/sdp":
            return 1
        return 1 if kind == "multipart/mixed" and "application/sdp" in msg.body else -1

    @export
    def sdp_with_ice(self, run: Run) -> int:
        """1 when the body has an ICE candidate, else -1."""
        return 1 if "a=candidate" in run.msg.body else -1

    @export
    def sdp_print(self, run: Run, llevel: int) -> int:
        """Log the SDP at a level of Kamailio's (-1 error, 1 notice, 2 info, 3 debug): 1, -1 for another body."""
        sdp = read_sdp(run.msg)
        if sdp == BROKEN:
            return -1
        level = _LOG_LEVELS[max(0, min(llevel + 2, 5))]
        if isinstance(sdp, int):
            log.log(level, "no sdp body")
            return 1
        for number, stream in enumerate(sdp.streams):
            log.log(level, "stream %d: %s %s %s%s", number, stream.kind, stream.port, stream.transport, stream.formats)
            for line in stream.lines[1:]:
                log.log(level, "stream %d: %s", number, line.text)
        return 1

    # -- iterators (Kamailio 5.7 and later) ---------------------------------------------------------------------------

    def _iterators(self, msg: SipMessage) -> dict[str, _Iterator]:
        found: dict[str, _Iterator] = msg.extra.setdefault("sdpops.iterators", {})  # type: ignore[assignment]
        return found

    def _line(self, run: Run, iname: str) -> Line | None:
        iterator = self._iterators(run.msg).get(iname)
        return iterator.line if iterator is not None else None

    @export
    def sdp_iterator_start(self, run: Run, iname: str) -> int:
        """Begin a walk over the lines of the body; one of that name begins anew. 1, -1 no body or four walks."""
        msg = run.msg
        iterators = self._iterators(msg)
        if not iname or (iname not in iterators and len(iterators) >= MAX_ITERATORS):
            log.error("sdp_iterator_start: no name, or %d iterators are in use already; end one", MAX_ITERATORS)
            return -1
        if msg.body_at >= len(msg.buf):
            return -1
        iterators[iname] = _Iterator(Sdp(msg.buf, msg.body_at, len(msg.buf)).lines)
        return 1

    @export
    def sdp_iterator_next(self, run: Run, iname: str) -> int:
        """Go to the next line (first to the first): 1, -1 at the end or without such a walk."""
        iterator = self._iterators(run.msg).get(iname)
        if iterator is None:
            return -1
        iterator.at = min(iterator.at + 1, len(iterator.lines))
        return 1 if iterator.line is not None else -1

    @export
    def sdp_iterator_end(self, run: Run, iname: str) -> int:
        """End a walk: 1, -1 without one of that name."""
        return 1 if self._iterators(run.msg).pop(iname, None) is not None else -1

    @export
    def sdp_iterator_value(self, run: Run, iname: str) -> Value:
        """The line a walk is at, with its end; None without one."""
        line = self._line(run, iname)
        return None if line is None else run.msg.buf[line.start : line.end]

    @export
    def sdp_iterator_rm(self, run: Run, iname: str) -> int:
        """Remove the line a walk is at: 1, -1 without one."""
        line = self._line(run, iname)
        if line is None:
            return -1
        _delete(run.msg, line.start, line.end)
        return 1

    @export
    def sdp_iterator_append(self, run: Run, iname: str, text: str) -> int:
        """Put text after the line a walk is at: 1, -1 without one."""
        return self._insert(run, iname, text, True)

    @export
    def sdp_iterator_insert(self, run: Run, iname: str, text: str) -> int:
        """Put text before the line a walk is at: 1, -1 without one."""
        return self._insert(run, iname, text, False)

    def _insert(self, run: Run, iname: str, text: str, after: bool) -> int:
        line = self._line(run, iname)
        if line is None or not text:
            return -1
        run.msg.lumps.insert(line.end if after else line.start, text, "body")
        return 1


# -- variables --------------------------------------------------------------------------------------------------------


def _session_version(sdp: Sdp) -> tuple[int, str] | None:
    """(offset, text) of the version in the ``o=`` line."""
    for line in sdp.lines:
        if line.text[:2] == "o=":
            parts = line.text.split(" ")
            if len(parts) >= 3:
                return line.start + len(parts[0]) + len(parts[1]) + 2, parts[2]
            return None
    return None


@pv_class("sdp")
def _sdp(spec: Spec) -> Accessor:
    """``$sdp(body)``, ``$sdp(sess_version)``: the latter may be written, -1 adds 1 to what it was."""
    inner = (spec.inner or "").strip()
    if inner == "body":

        def body(run: Run) -> PvValue:
            sdp = read_sdp(run.msg)
            return None if isinstance(sdp, int) else run.msg.buf[sdp.start : sdp.end]

        def refuse(run: Run, value: PvValue) -> None:
            raise PvError("read-only: the functions of KSR.textops replace a body", str(spec))

        return Accessor(spec, body, refuse)
    if inner != "sess_version":
        raise PvError(f"expected $sdp(body) or $sdp(sess_version), got ({spec.inner})", str(spec))

    def get(run: Run) -> PvValue:
        sdp = read_sdp(run.msg)
        found = None if isinstance(sdp, int) else _session_version(sdp)
        if found is None:
            return None
        return int(found[1]) if found[1].isascii() and found[1].isdigit() else None

    def put(run: Run, value: PvValue) -> None:
        if not isinstance(value, int):
            raise PvError(f"expected a number, got {value!r}", str(spec))
        sdp = read_sdp(run.msg)
        found = None if isinstance(sdp, int) else _session_version(sdp)
        if found is None:
            raise PvError("the message has no SDP with an o= line", str(spec))
        at, old = found
        if value == -1:
            if not (old.isascii() and old.isdigit()):
                raise PvError(f"the version {old!r} is no number to add 1 to", str(spec))
            value = int(old) + 1
        run.msg.lumps.replace(at, len(old), str(value), "body")

    return Accessor(spec, get, put)


@pv_class("sdpitval")
def _sdpitval(spec: Spec) -> Accessor:
    """``$sdpitval(name)``: the line that walk is at."""
    name = (spec.inner or "").strip()
    if not name:
        raise PvError("expected the name of an iterator: $sdpitval(name)", str(spec))

    def get(run: Run) -> PvValue:
        module: Sdpops = run.proxy.modules["sdpops"]  # type: ignore[assignment]
        return module.sdp_iterator_value(run, name)

    return Accessor(spec, get)
