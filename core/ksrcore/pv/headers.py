"""Header fields: ``$hdr(X) $hdrc(X) $hfl(X) $hflc(X) $ua $ct $cT $ci $cs $cl $expires(min)`` ... All are read-only.

Edits (``KSR.hdr.append`` ...) are not seen here before they are applied, as in Kamailio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sip.errors import SipError
from ..sip.nameaddr import parse_nameaddrs
from ..sip.params import WS, split_outside
from .errors import PvError
from .format import compile_format, is_static
from .parts import body_of, first_body, header_key
from .registry import Accessor, Getter, Value, pv, pv_class
from .spec import Spec
from .transformations.registry import int_param

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..run import Run
    from ..sip.message import Header

#: The fields whose values $hfl and $hflc tell apart; of others they see whole fields.
_LISTS = ("contact", "record-route", "route", "via")


def _fields(spec: Spec) -> Callable[[Run], list[Header]]:
    """All header fields that the inner name selects; ``*`` is any."""
    if not spec.inner or "," in spec.inner:
        raise PvError(f"expected the name of a header field in the parentheses, got {spec.inner!r}", str(spec))
    if not is_static(spec.inner):
        name = compile_format(spec.inner)

        def dynamic(run: Run) -> list[Header]:
            key = header_key(name(run))
            return run.msg.headers if key == "*" else run.msg.all(key)

        return dynamic
    key = header_key(spec.inner)
    if key == "*":
        return lambda run: run.msg.headers
    return lambda run: run.msg.all(key)


def _index(spec: Spec) -> Callable[[Run], int | None]:
    return int_param(str(spec), spec.index or "0")


@pv_class("hdr")
def _hdr(spec: Spec) -> Accessor:
    """``$hdr(X)`` the first, ``$(hdr(X)[n])`` the n-th (negative from the last), ``$(hdr(X)[*])`` all with commas."""
    fields = _fields(spec)
    if spec.index == "*":

        def every(run: Run) -> Value:
            found = fields(run)
            return ",".join([body_of(h) for h in found]) if found else None

        return Accessor(spec, every)
    if spec.index is None and spec.inner and is_static(spec.inner) and spec.inner != "*":
        key = header_key(spec.inner)

        def first(run: Run) -> Value:
            header = run.msg.index.get(key)
            return None if header is None else body_of(header)

        return Accessor(spec, first)
    index_of = _index(spec)

    def nth(run: Run) -> Value:
        found = fields(run)
        index = index_of(run)
        return body_of(found[index]) if index is not None and -len(found) <= index < len(found) else None

    return Accessor(spec, nth)


@pv_class("hdrc")
def _hdrc(spec: Spec) -> Accessor:
    """The number of fields of that name. ``*`` is a name here, as in Kamailio: 0."""
    if spec.inner == "*":
        return Accessor(spec, lambda run: 0)
    fields = _fields(spec)
    return Accessor(spec, lambda run: len(fields(run)))


def _values(fields: list[Header]) -> list[str]:
    """The single values of fields that hold lists; of a star Contact none."""
    found: list[str] = []
    for header in fields:
        if header.key == "via":
            body = header.body
            found += [body[a:b].strip(WS) for a, b in split_outside(body, ",")]
        else:
            try:
                found += [value.text for value in header.parsed(parse_nameaddrs) if value.uri != "*"]
            except SipError:
                continue
    return found


@pv_class("hfl")
def _hfl(spec: Spec) -> Accessor:
    """Like $hdr, but of Contact, Record-Route, Route and Via the single values of their lists (no negative index).

    Kamailio 5.6.3 hands the contacts of one field out in reverse, and a Via with the comma after it: here they come in
    order and without.
    """
    if spec.index == "*" or spec.inner is None or (is_static(spec.inner) and header_key(spec.inner) not in _LISTS):
        return _hdr(spec)
    fields = _fields(spec)
    index_of = _index(spec)
    plain = _hdr(spec).get

    def get(run: Run) -> Value:
        found = fields(run)
        if found and found[0].key not in _LISTS:
            return plain(run)
        index = index_of(run)
        if index is None or index < 0:
            return None
        values = _values(found)
        return values[index] if index < len(values) else None

    return Accessor(spec, get)


@pv_class("hflc")
def _hflc(spec: Spec) -> Accessor:
    """The number of values: of Contact, Record-Route, Route and Via those in their lists, else of fields."""
    if spec.inner == "*":
        return Accessor(spec, lambda run: 0)
    fields = _fields(spec)

    def get(run: Run) -> Value:
        found = fields(run)
        return len(_values(found)) if found and found[0].key in _LISTS else len(found)

    return Accessor(spec, get)


def _body(name: str, key: str) -> None:
    @pv(name)
    def get(run: Run) -> Value:
        return first_body(run.msg, key)


_body("ct", "contact")
_body("cT", "content-type")
_body("ci", "call-id")
_body("csb", "cseq")
_body("ua", "user-agent")


@pv("ctu")
def contact_uri(run: Run) -> Value:
    """The URI of the first contact; null for a star."""
    header = run.msg.index.get("contact")
    if header is None:
        return None
    try:
        uri = header.parsed(parse_nameaddrs)[0].uri
    except SipError:
        return None
    return None if uri == "*" else uri


@pv("cts")
def contact_star(run: Run) -> Value:
    """1 when the Contact is ``*``, else 0 (Kamailio 5.8 and later)."""
    return int(first_body(run.msg, "contact") == "*")


@pv("cs")
def cseq_number(run: Run) -> Value:
    """The number as text."""
    body = first_body(run.msg, "cseq")
    return str(body).split(None, 1)[0] if body else None


def _unsigned(text: str) -> int | None:
    """An unsigned number of at most ten digits, or None."""
    return int(text) if len(text) <= 10 and text.isascii() and text.isdigit() else None


@pv("cl")
def content_length(run: Run) -> Value:
    return _unsigned(str(first_body(run.msg, "content-length") or "").strip())


def _expires(run: Run) -> list[int]:
    """The lifetimes of the contacts: their own, else that of the Expires field."""
    common = _unsigned(str(first_body(run.msg, "expires") or "").strip())
    found: list[int] = []
    contacts = False
    for field in run.msg.all("contact"):
        try:
            values = field.parsed(parse_nameaddrs)
        except SipError:
            continue
        for value in values:
            contacts = True
            own = _unsigned(value.param("expires") or "")
            lifetime = common if own is None else own
            if lifetime is not None:
                found.append(lifetime)
    return found if contacts or common is None else [common]


def _lifetime(pick: Callable[[list[int]], int]) -> Getter:
    def get(run: Run) -> Value:
        found = _expires(run)
        return pick(found) if found else None

    return get


_PICK = {"min": min, "max": max}


@pv_class("expires")
def _expires_class(spec: Spec) -> Accessor:
    """``$expires(min)`` and ``$expires(max)`` of the message's contacts, in seconds."""
    pick = _PICK.get(spec.inner or "")
    if pick is None:
        raise PvError(f"expected min or max in the parentheses, got {spec.inner!r}", str(spec))
    return Accessor(spec, _lifetime(pick))
