"""Who: ``$fu $fU $fd $fn $ft``, ``$tu ...``, ``$ai $pu $re $rt $di``.

From and To can be written; the edit shows in the message that leaves, not in later reads, as in Kamailio.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..sip.errors import SipError
from ..sip.nameaddr import NameAddr, parse_nameaddr, parse_nameaddrs
from ..sip.uri import parse_uri
from .errors import PvError
from .parts import only_text, uri_domain, uri_or_none, uri_user
from .registry import Value, pv, setter

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import Header, SipMessage


def _party(key: str, letter: str) -> None:
    """The variables of From (f) and To (t)."""

    def value_of(run: Run) -> NameAddr | None:
        try:
            return run.msg.index[key].parsed(parse_nameaddr)
        except (KeyError, SipError):
            return None

    @pv(letter + "u", key)
    def uri(run: Run) -> Value:
        party = value_of(run)
        return party.uri if party is not None else None

    @pv(letter + "U", key + ".user")
    def user(run: Run) -> Value:
        try:
            uri = parse_uri(run.msg.index[key].parsed(parse_nameaddr).uri)
        except (KeyError, SipError):
            return None
        user = uri.user
        return uri_user(uri) if ";" in user else user or None

    @pv(letter + "d", key + ".domain")
    def domain(run: Run) -> Value:
        try:
            return parse_uri(run.msg.index[key].parsed(parse_nameaddr).uri).host or None
        except (KeyError, SipError):
            return None

    @pv(letter + "n")
    def name(run: Run) -> Value:
        party = value_of(run)
        return party.display or None if party is not None else None

    @pv(letter + "t")
    def tag(run: Run) -> Value:
        party = value_of(run)
        return party.tag or None if party is not None else None

    @pv(letter + "Ul")
    def user_length(run: Run) -> Value:
        party = value_of(run)
        return len(str(uri_user(uri_or_none(party.uri)) or "")) if party is not None else None

    @pv(letter + "ul")
    def uri_length(run: Run) -> Value:
        party = value_of(run)
        return len(party.uri) if party is not None else None

    def field(run: Run, name: str) -> tuple[Header, NameAddr]:
        party = value_of(run)
        if party is None:
            raise PvError(f"the message has no readable {key.capitalize()}", name)
        return run.msg.index[key], party

    def edit_uri(run: Run, name: str, change: Callable[[str], str]) -> None:
        """Replace the URI by what ``change`` makes of it, edits made before included."""
        header, party = field(run, name)
        msg = run.msg
        offset = msg.offset_of(header) + header.body_start + party.uri_start
        length = party.uri_end - party.uri_start
        current = _take(msg, offset, length, key)
        msg.lumps.replace(offset, length, change(party.uri if current is None else current), key)

    @setter(letter + "u", key)
    def set_uri(run: Run, value: Value) -> None:
        """Null changes nothing."""
        if value is not None:
            text = only_text(f"${letter}u", value)
            edit_uri(run, f"${letter}u", lambda current: text)

    @setter(letter + "U", key + ".user")
    def set_user(run: Run, value: Value) -> None:
        if value is not None:
            text = only_text(f"${letter}U", value)
            edit_uri(run, f"${letter}U", lambda current: _changed(current, user=text))

    @setter(letter + "d", key + ".domain")
    def set_domain(run: Run, value: Value) -> None:
        if value is not None:
            text = only_text(f"${letter}d", value)
            edit_uri(run, f"${letter}d", lambda current: _changed(current, host=text))

    @setter(letter + "n")
    def set_name(run: Run, value: Value) -> None:
        """The display name as it is to be written, quotes included; null removes it."""
        name = f"${letter}n"
        text = "" if value is None else only_text(name, value)
        header, party = field(run, name)
        msg = run.msg
        base = msg.offset_of(header) + header.body_start
        offset = base + party.start
        length = party.uri_start - (1 if party.brackets else 0) - party.start
        _take(msg, offset, length, key)
        if party.brackets:
            msg.lumps.replace(offset, length, text + " " if text else "", key)
        elif text:
            # A display name needs angle brackets (RFC 3261 20.10); parameters stay outside.
            _take(msg, base + party.uri_end, 0, key)
            msg.lumps.insert(offset, text + " <", key)
            msg.lumps.insert(base + party.uri_end, ">", key)


def _take(msg: SipMessage, offset: int, length: int, kind: str) -> str | None:
    """Remove the earlier edit at that very place; its text, None when there was none."""
    for lump in msg.lumps.items:
        if lump.offset == offset and lump.length == length and lump.kind == kind and isinstance(lump.text, str):
            msg.lumps.items.remove(lump)
            return lump.text
    return None


def _changed(text: str, **parts: str) -> str:
    uri = uri_or_none(text)
    if uri is None:
        raise PvError("expected a URI to change", text)
    return uri.with_(**parts)


_party("from", "f")
_party("to", "t")


@pv("tts")
def to_tag_state(run: Run) -> Value:
    """1 when To has a tag, else 0 (Kamailio 5.8 and later)."""
    return int(bool(run.msg.to_tag))


def _first(run: Run, key: str) -> NameAddr | None:
    header = run.msg.index.get(key)
    if header is None:
        return None
    try:
        return header.parsed(parse_nameaddrs)[0]
    except SipError:
        return None


def _other(name: str, key: str, read: Callable[[NameAddr], Value]) -> None:
    @pv(name)
    def get(run: Run) -> Value:
        value = _first(run, key)
        return read(value) if value is not None else None


_other("ai", "p-asserted-identity", lambda value: value.uri)
_other("pu", "p-preferred-identity", lambda value: value.uri)
_other("pU", "p-preferred-identity", lambda value: uri_user(uri_or_none(value.uri)))
_other("pd", "p-preferred-identity", lambda value: uri_domain(uri_or_none(value.uri)))
_other("pn", "p-preferred-identity", lambda value: value.display or None)
_other("re", "remote-party-id", lambda value: value.uri)
_other("rt", "refer-to", lambda value: value.uri)
_other("di", "diversion", lambda value: value.uri)
_other("dir", "diversion", lambda value: value.param("reason"))
_other("dip", "diversion", lambda value: value.param("privacy"))
_other("dic", "diversion", lambda value: value.param("counter"))
