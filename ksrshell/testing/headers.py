"""Header fields of a message, in order; names in any case and in their compact form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ksrcore.kemi.facade import from_wire
from ksrcore.sip.header import COMPACT

__all__ = ["Headers", "header_name", "split_message"]

__tracebackhide__ = True


def header_name(name: str) -> str:
    """The lower-case long name."""
    lower = name.strip().lower()
    return COMPACT.get(lower, lower)


class Headers(Mapping[str, str]):
    """``headers["To"]`` is the value of the first To; ``all`` gives every one. Iteration gives names as written."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self.fields = fields

    def all(self, name: str) -> list[str]:
        """The values of all fields of that name, in order."""
        wanted = header_name(name)
        return [value for found, value in self.fields if header_name(found) == wanted]

    def __getitem__(self, name: str) -> str:
        found = self.all(name)
        if not found:
            there = ", ".join(dict.fromkeys(name for name, _ in self.fields)) or "none"
            raise KeyError(f"no header field {name!r}; there are: {there}")
        return found[0]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self.fields))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.all(name))

    def __eq__(self, other: object) -> bool:
        """Equal to a mapping with the same fields, each once; names in any case."""
        if isinstance(other, Headers):
            return self.fields == other.fields
        if isinstance(other, Mapping):
            mine = [(header_name(name), value) for name, value in self.fields]
            return sorted(mine) == sorted((header_name(str(name)), value) for name, value in other.items())
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name!r}: {value!r}" for name, value in self.fields) + "}"


def split_message(text: str) -> tuple[str, list[tuple[str, str]], str]:
    """First line, header fields and body of a message on the wire (latin-1 text), as the script's Unicode text."""
    head, _, body = text.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    fields: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and fields:
            name, value = fields[-1]
            fields[-1] = name, f"{value} {from_wire(line.strip())}"
            continue
        name, _, value = line.partition(":")
        fields.append((from_wire(name.strip()), from_wire(value.strip())))
    return from_wire(first), fields, from_wire(body)
