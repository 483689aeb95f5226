"""The message as a whole: ``$rm $rs $rr $rv $mb $ml $mt $rb $bs $msg(...) $msgbuf(n)`` ..."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..net.address import Dest
from .errors import PvError
from .registry import Accessor, Value, pv, pv_class
from .spec import Spec
from .transformations.registry import int_param

if TYPE_CHECKING:
    from ..run import Run

#: Kamailio's numbers of the methods: bits, the last for any other.
METHOD_IDS = {
    "INVITE": 1, "CANCEL": 2, "ACK": 4, "BYE": 8, "INFO": 16, "REGISTER": 32, "SUBSCRIBE": 64, "NOTIFY": 128,
    "MESSAGE": 256, "OPTIONS": 512, "PRACK": 1024, "UPDATE": 2048, "REFER": 4096, "PUBLISH": 8192,
}  # fmt: skip
OTHER_METHOD = 1 << 20


@pv("rm")
def method(run: Run) -> Value:
    """The method, of a reply the one of its CSeq."""
    return run.msg.method or None


@pv("rmid")
def method_id(run: Run) -> Value:
    name = run.msg.method
    return METHOD_IDS.get(name, OTHER_METHOD) if name else None


@pv("rs")
def status(run: Run) -> Value:
    return None if run.msg.is_request else run.msg.status


@pv("rsi")
def status_number(run: Run) -> Value:
    """The status, 0 for a request."""
    return run.msg.status


@pv("rr")
def reason(run: Run) -> Value:
    return None if run.msg.is_request else run.msg.reason


@pv("rv")
def version(run: Run) -> Value:
    return run.msg.version


@pv("mb")
def buffer(run: Run) -> Value:
    return run.msg.buf


@pv("mbu")
def updated_buffer(run: Run) -> Value:
    """The message with the edits made so far."""
    msg = run.msg
    rcv = msg.rcv
    listen = msg.force_socket or (rcv.listen if rcv is not None else None)
    dest = Dest(listen.proto if listen else "udp", rcv.src_ip if rcv else "", rcv.src_port if rcv else 0, listen)
    first = msg.buf[: msg.head_at]
    if msg.new_uri:
        first = first.replace(msg.ruri, msg.new_uri, 1)
    return first + msg.lumps.apply(msg.buf, msg.head_at, len(msg.buf), dest)


@pv("ml")
def length(run: Run) -> Value:
    return len(run.msg.buf)


@pv("mbul")
def updated_length(run: Run) -> Value:
    return len(str(updated_buffer(run)))


@pv("mi")
def message_id(run: Run) -> Value:
    return run.msg.id


@pv("mt")
def message_type(run: Run) -> Value:
    """1 for a request, 2 for a reply."""
    return 1 if run.msg.is_request else 2


@pv("mts")
def message_type_name(run: Run) -> Value:
    return "rq" if run.msg.is_request else "rp"


@pv("rb")
def body(run: Run) -> Value:
    return run.msg.body


@pv("bs")
def body_size(run: Run) -> Value:
    return len(run.msg.buf) - run.msg.body_at


def header_lines(run: Run) -> Value:
    """The header fields, without the line end of the last."""
    msg = run.msg
    return msg.buf[msg.head_at : msg.headers_end].removesuffix("\n").removesuffix("\r")


@pv_class("msg")
def _msg(spec: Spec) -> Accessor:
    """``$msg(key)``: buf, len, body, body_len, hdrs (the fields), fline (the first line), lpart (all after it)."""
    getter = _PARTS.get(spec.inner or "")
    if getter is None:
        raise PvError(f"expected one of {', '.join(_PARTS)} in the parentheses, got {spec.inner!r}", str(spec))
    return Accessor(spec, getter)


_PARTS = {
    "buf": buffer,
    "len": length,
    "body": body,
    "body_len": body_size,
    "hdrs": header_lines,
    "fline": lambda run: run.msg.buf[: run.msg.head_at].strip("\r\n"),
    "lpart": lambda run: run.msg.buf[run.msg.head_at :],
}


@pv_class("msgbuf")
def _msgbuf(spec: Spec) -> Accessor:
    """``$msgbuf(n)``: the character at offset n. (Kamailio lets a script overwrite it; here it is read-only.)"""
    index_of = int_param("$msgbuf", spec.inner or "")

    def get(run: Run) -> Value:
        index = index_of(run)
        return run.msg.buf[index] if index is not None and 0 <= index < len(run.msg.buf) else None

    return Accessor(spec, get)
