"""Values inside header fields for textopsx: ``Name[index].param``.

The values of all fields of a name count as one list, from 1; negative from the end. ``*`` means all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sip.params import WS, iter_params, split_outside
from .declare import export
from .hdr import header_key

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import Header, SipMessage

#: The index of ``Name[*]``.
ALL = "*"


class Spec:
    """``Name[index].param``: ``index`` is None when absent, ``*`` or a number; ``param`` is '' when absent."""

    __slots__ = ("index", "key", "name", "param")

    def __init__(self, text: str) -> None:
        head, _, self.param = text.partition(".")
        self.name, bracket, rest = head.partition("[")
        self.index: int | str | None = None
        self.name = self.name.strip()
        if not self.name:
            raise ValueError(f"expected Name[index].param, got {text!r}")
        self.key = header_key(self.name)
        if bracket:
            number, closing, after = rest.partition("]")
            if not closing or after.strip():
                raise ValueError(f"expected Name[index].param, got {text!r}")
            self.index = ALL if number.strip() == ALL else int(number)


class Item:
    """One value: its field, its offset in the message, its text, its number in the field and how many there are."""

    __slots__ = ("at", "count", "field_at", "header", "number", "text")

    def __init__(self, header: Header, field_at: int, at: int, text: str, number: int, count: int) -> None:
        self.header = header
        self.field_at = field_at
        self.at = at
        self.text = text
        self.number = number
        self.count = count


def _outside_brackets(body: str) -> list[tuple[int, int]]:
    """Spans between commas outside quotes and angle brackets."""
    spans: list[tuple[int, int]] = []
    for start, end in split_outside(body, ","):
        if spans and body.count("<", spans[-1][0], spans[-1][1]) > body.count(">", spans[-1][0], spans[-1][1]):
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def items_of(msg: SipMessage, key: str) -> list[Item]:
    """All values of the fields of that key."""
    found = []
    offsets = msg.offsets
    for n, header in enumerate(msg.headers):
        if header.key != key:
            continue
        spans = _outside_brackets(header.body)
        for number, (start, end) in enumerate(spans):
            raw = header.body[start:end]
            text = raw.strip(WS)
            at = offsets[n] + header.body_start + start + len(raw) - len(raw.lstrip(WS))
            found.append(Item(header, offsets[n], at, text, number, len(spans)))
    return found


def _pick(items: list[Item], index: int | str | None) -> list[Item]:
    """The values an index means; none and 0 are the first."""
    if index == ALL:
        return items
    number = index if isinstance(index, int) else 1
    if number == 0:
        number = 1
    at = number - 1 if number > 0 else len(items) + number
    return [items[at]] if 0 <= at < len(items) else []


def _remove(msg: SipMessage, items: list[Item]) -> None:
    """Remove values: whole fields when all theirs go."""
    by_field: dict[int, list[Item]] = {}
    for item in items:
        by_field.setdefault(item.field_at, []).append(item)
    for field_at, gone in by_field.items():
        header = gone[0].header
        if len(gone) == gone[0].count:
            if not msg.lumps.deleted(field_at):
                msg.lumps.delete(field_at, len(header.raw), header.key)
            continue
        body_at = field_at + header.body_start
        for item in gone:
            start, end = _outside_brackets(header.body)[item.number]
            if item.number == 0:
                msg.lumps.delete(body_at + start, end + 1 - start, header.key)
            else:
                msg.lumps.delete(body_at + start - 1, end + 1 - start, header.key)


def _params(item: Item) -> list[tuple[str, int, int]]:
    """Name, begin and end (offsets in the message) of the parameters after the value's URI or first word."""
    closing = item.text.rfind(">")
    begin = item.text.find(";", closing + 1)
    if begin < 0:
        return []
    return [(name.lower(), item.at + at, item.at + end) for name, _, at, end in iter_params(item.text[begin:], begin)]


class ValueFunctions:
    """``append_hf_value`` and its kin: 1, or -1 when the field, value or parameter is not there."""

    @staticmethod
    def _spec(text: str) -> Spec | None:
        try:
            return Spec(text)
        except ValueError:
            return None

    @export
    def append_hf_value(self, run: Run, field: str, value: str) -> int:
        """Add a value after the one that ``field`` names (index 0: the last); a new last field without index."""
        spec = self._spec(field)
        if spec is None or spec.index == ALL:
            return -1
        msg = run.msg
        items = items_of(msg, spec.key)
        found = items[-1:] if spec.index == 0 else _pick(items, spec.index) if spec.index is not None else []
        if found:
            msg.lumps.insert(found[0].at + len(found[0].text), f",{value}", spec.key)
        else:
            msg.lumps.insert(msg.headers_end, f"{spec.name}: {value}\r\n", spec.key)
        return 1

    @export
    def insert_hf_value(self, run: Run, field: str, value: str) -> int:
        """Add a value before the one that ``field`` names; without index a new field before the first of that name."""
        spec = self._spec(field)
        if spec is None or spec.index == ALL:
            return -1
        msg = run.msg
        items = items_of(msg, spec.key)
        if not items or spec.index is None:
            place = items[0].field_at if items else msg.headers_end
            msg.lumps.insert(place, f"{spec.name}: {value}\r\n", spec.key)
            return 1
        found = _pick(items, spec.index)
        if not found:
            return -1
        item = found[0]
        if item.number == 0:
            msg.lumps.insert(item.at, f"{value},", spec.key)
        else:
            start = _outside_brackets(item.header.body)[item.number][0]
            msg.lumps.insert(item.field_at + item.header.body_start + start - 1, f",{value}", spec.key)
        return 1

    @export
    def remove_hf_value(self, run: Run, field: str) -> int:
        """Remove the value, or the parameter of the value, that ``field`` names."""
        spec = self._spec(field)
        if spec is None:
            return -1
        msg = run.msg
        found = _pick(items_of(msg, spec.key), spec.index)
        if not spec.param:
            _remove(msg, found)
            return 1 if found else -1
        done = -1
        for item in found:
            for name, at, end in _params(item):
                if name == spec.param.lower():
                    msg.lumps.delete(at - 1, end - at + 1, spec.key)
                    done = 1
                    break
        return done

    @export
    def assign_hf_value(self, run: Run, field: str, value: str) -> int:
        """Replace the value, or set the parameter of the value, that ``field`` names; '' removes the parameter."""
        spec = self._spec(field)
        if spec is None or spec.index == ALL:
            return -1
        msg = run.msg
        found = _pick(items_of(msg, spec.key), spec.index)
        if not found:
            return -1
        item = found[0]
        if not spec.param:
            msg.lumps.replace(item.at, len(item.text), value, spec.key)
            return 1
        if not value:
            return self.remove_hf_value(run, field)
        for name, at, end in _params(item):
            if name == spec.param.lower():
                msg.lumps.replace(at, end - at, f"{spec.param}={value}", spec.key)
                return 1
        msg.lumps.insert(item.at + len(item.text), f";{spec.param}={value}", spec.key)
        return 1

    # -- fields of the form of Authorization: commas part parameters, not values ------------------------------------

    @staticmethod
    def _fields(msg: SipMessage, spec: Spec) -> list[tuple[int, Header]]:
        offsets = msg.offsets
        found = [(offsets[n], header) for n, header in enumerate(msg.headers) if header.key == spec.key]
        if spec.index == ALL:
            return found
        number = spec.index if isinstance(spec.index, int) and spec.index else 1
        at = number - 1 if number > 0 else len(found) + number
        return [found[at]] if 0 <= at < len(found) else []

    @export
    def remove_hf_value2(self, run: Run, field: str, value: str) -> int:
        """Remove the whole field that ``field`` names, one of the form of Authorization.

        With a parameter: ``value`` is assigned to it, as Kamailio's KEMI function does; '' removes the parameter.
        """
        spec = self._spec(field)
        if spec is None:
            return -1
        if spec.param:
            return self.assign_hf_value2(run, field, value)
        found = self._fields(run.msg, spec)
        for at, header in found:
            if not run.msg.lumps.deleted(at):
                run.msg.lumps.delete(at, len(header.raw), header.key)
        return 1 if found else -1

    @export
    def assign_hf_value2(self, run: Run, field: str, value: str) -> int:
        """Replace the body, or set the parameter, of the field that ``field`` names, of the form of Authorization."""
        spec = self._spec(field)
        if spec is None:
            return -1
        msg = run.msg
        found = self._fields(msg, spec)
        for at, header in found:
            body_at = at + header.body_start
            if not spec.param:
                msg.lumps.replace(body_at, len(header.body), value, spec.key)
                continue
            first = header.body.find(" ") + 1
            for name, _, begin, end in iter_params(header.body[first:], first, ","):
                if name.lower() == spec.param.lower():
                    if value:
                        msg.lumps.replace(body_at + begin, end - begin, f"{spec.param}={value}", spec.key)
                    else:
                        comma = header.body.rfind(",", 0, begin)
                        start = comma if comma >= first else begin
                        msg.lumps.delete(body_at + start, end - start, spec.key)
                    break
            else:
                if value:
                    msg.lumps.insert(body_at + len(header.body), f",{spec.param}={value}", spec.key)
        return 1 if found else -1

    # -- sets of values -----------------------------------------------------------------------------------------------

    @export
    def hf_value_exists(self, run: Run, field: str, value: str) -> int:
        """1 when a field called ``field`` has the value, else -1."""
        return 1 if any(item.text == value for item in items_of(run.msg, header_key(field))) else -1

    @export
    def include_hf_value(self, run: Run, field: str, value: str) -> int:
        """Add the value to the first field called ``field`` unless one has it; a new field without any: 1."""
        msg = run.msg
        items = items_of(msg, header_key(field))
        if any(item.text == value for item in items):
            return 1
        if not items:
            msg.lumps.insert(msg.headers_end, f"{field}: {value}\r\n", header_key(field))
            return 1
        last = [item for item in items if item.field_at == items[0].field_at][-1]
        msg.lumps.insert(last.at + len(last.text), f",{value}", header_key(field))
        return 1

    @export
    def exclude_hf_value(self, run: Run, field: str, value: str) -> int:
        """Remove the value from the fields called ``field``: 1, also when none has it."""
        msg = run.msg
        _remove(msg, [item for item in items_of(msg, header_key(field)) if item.text == value])
        return 1
