"""The rtpengines: sets of nodes, which of them is asked for a call, and which call has which.

As in Kamailio: a call's node is remembered by Call-ID and branch; another call's is found by a hash of its Call-ID
among those that answer, by weight.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from zlib import crc32

from ..net.ng import NgSocket

__all__ = ["Calls", "Node", "Sets", "hash_of"]


class Node:
    """One rtpengine of a set. ``recheck``: when it may be asked again (monotonic seconds), inf: not before an operator
    says so. ``shown``: False once a reload did not find it any more."""

    __slots__ = ("disabled", "index", "number", "recheck", "shown", "socket", "url", "weight")

    def __init__(self, number: int, index: int, url: str, weight: int, socket: NgSocket, disabled: bool) -> None:
        self.number = number
        self.index = index
        self.url = url
        self.weight = weight
        self.socket = socket
        self.disabled = disabled
        self.recheck = math.inf if disabled else 0.0
        self.shown = True

    @property
    def off(self) -> bool:
        """Whether an operator has disabled it."""
        return self.disabled and self.recheck == math.inf

    def leave_out(self, until: float) -> None:
        """Ask it no more until then (monotonic seconds)."""
        self.disabled, self.recheck = True, until

    def switch_off(self) -> None:
        """Leave it out until an operator or the database says otherwise."""
        self.leave_out(math.inf)

    def copy(self) -> Node:
        new = Node(self.number, self.index, self.url, self.weight, self.socket, False)
        new.disabled, new.recheck, new.shown = self.disabled, self.recheck, self.shown
        return new


class Sets:
    """The nodes by the number of their set, in the order of their definition."""

    def __init__(self, tos: int = -1, interface: str = "") -> None:
        self.sets: dict[int, list[Node]] = {}
        self.tos = tos
        self.interface = interface
        self.count = 0

    def __contains__(self, number: int) -> bool:
        return number in self.sets

    def __iter__(self) -> Iterator[Node]:
        """Every node, by the order of sets."""
        for nodes in self.sets.values():
            yield from nodes

    def add(self, number: int, url: str, weight: int = 1, disabled: bool = False) -> Node:
        """Raises ValueError for what is no URL."""
        socket = NgSocket(url, tos=self.tos, interface=self.interface)
        node = Node(number, self.count, url, weight, socket, disabled)
        self.count += 1
        self.sets.setdefault(number, []).append(node)
        return node

    def add_text(self, text: str, default: int = 0) -> list[Node]:
        """``[SET ==] udp:HOST:PORT[=WEIGHT] ...``, ``default`` without SET. Raises ValueError: what was expected."""
        number, equals, rest = text.partition("==")
        if not equals:
            number, rest = str(default), text
        if not number.strip().isdecimal() or not number.isascii():
            raise ValueError(f"a set is a number, got {number.strip()!r}")
        if equals and not rest.strip():
            raise ValueError("the set has no rtpengines")
        nodes = []
        for word in rest.split():
            url, equals, weight = word.partition("=")
            if equals and not (weight.isascii() and weight.isdigit()):
                raise ValueError(f"the weight of {url} is a number, got {weight!r}")
            nodes.append(self.add(int(number), url, int(weight) if equals else 1))
        return nodes

    def close(self) -> None:
        for node in self:
            node.socket.close()

    def fork(self) -> tuple[Sets, dict[int, Node]]:
        """A copy, and its nodes by the ``id()`` of the originals."""
        new = Sets(self.tos, self.interface)
        new.count = self.count
        copies: dict[int, Node] = {}
        for number, nodes in self.sets.items():
            new.sets[number] = [copies.setdefault(id(node), node.copy()) for node in nodes]
        return new, copies


def hash_of(callid: str, algorithm: int) -> int:
    """Kamailio's ``hash_algo``: 0 sum of the bytes, 1 sum of the SHA-1 digest's bytes with sign, 2 CRC-32."""
    data = callid.encode("latin-1")
    if algorithm == 1:
        digest = hashlib.sha1(data, usedforsecurity=False).digest()
        return sum(byte - 256 if byte > 127 else byte for byte in digest) & 0xFFFFFFFF
    if algorithm == 2:
        return crc32(data)
    return sum(data) & 0xFF


class Calls:
    """Which node a call has, by Call-ID and branch, in ``size`` rows. What is too old goes when its row is used."""

    __slots__ = ("_rows", "lifetime")

    def __init__(self, size: int, lifetime: float) -> None:
        self._rows: list[dict[tuple[str, str], tuple[Node, float]]] = [{} for _ in range(max(1, size))]
        #: Seconds.
        self.lifetime = lifetime

    def __len__(self) -> int:
        return sum(map(len, self._rows))

    def _row(self, callid: str) -> dict[tuple[str, str], tuple[Node, float]]:
        return self._rows[crc32(callid.encode("latin-1")) % len(self._rows)]

    @staticmethod
    def _clean(row: dict[tuple[str, str], tuple[Node, float]], now: float, but: tuple[str, str]) -> None:
        for key in [key for key, (_, until) in row.items() if until < now and key != but]:
            del row[key]

    def find(self, callid: str, branch: str, now: float) -> Node | None:
        row = self._row(callid)
        key = callid, branch
        self._clean(row, now, key)
        found = row.get(key)
        return found[0] if found is not None else None

    def insert(self, callid: str, branch: str, node: Node, now: float) -> None:
        """Remember it, unless that call has a node."""
        row = self._row(callid)
        key = callid, branch
        self._clean(row, now, key)
        if callid and key not in row:
            row[key] = node, now + self.lifetime

    def remove(self, callid: str, branch: str) -> bool:
        """Forget a call, with '' all of its branches. False when nothing was known of it."""
        row = self._row(callid)
        found = [key for key in row if key[0] == callid and (not branch or key[1] == branch)]
        for key in found:
            del row[key]
        return bool(found)

    def fork(self, copies: dict[int, Node]) -> Calls:
        new = Calls(len(self._rows), self.lifetime)
        new._rows = [
            {key: (copies.get(id(node), node), until) for key, (node, until) in row.items()} for row in self._rows
        ]
        return new
