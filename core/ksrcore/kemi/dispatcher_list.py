"""The destination sets of dispatcher: read from the list file or the database, in Kamailio's orders.

A set has its destinations by falling priority, of equal ones the one added last first. Sets are told in the order in
which Kamailio walks its balanced tree of them, children before their parent: ``dispatcher.list`` shows it, and
``dispatcher.add`` and ``dispatcher.remove``, which build all anew in that order, depend on it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from ..net.address import AddressError, Listen, bracketed, canonical_ip, parse_listen
from ..sip.errors import SipError
from ..sip.uri import Uri, parse_uri, strip_brackets

if TYPE_CHECKING:
    from random import Random

    from ..proxy import Proxy

__all__ = [
    "ACTIVE", "DISABLED", "INACTIVE", "NO_RESOLVE", "PROBING", "STATES", "TRYING", "Destination", "ListError", "Rows",
    "Set", "Sets", "file_rows",
]  # fmt: skip

log = logging.getLogger("ksrcore.dispatcher")

ACTIVE = 0
INACTIVE = 1
TRYING = 2
DISABLED = 4
PROBING = 8
NO_RESOLVE = 16
#: The flags that are states.
STATES = INACTIVE | TRYING | DISABLED | PROBING

#: Set, URI, flags, priority, attributes.
Rows = Iterable[tuple[int, str, int, int, str]]

#: The numbers by which ``dispatcher.list full`` tells transports.
PROTO_IDS = {"": 0, "udp": 1, "tcp": 2, "tls": 3, "sctp": 4, "ws": 5, "wss": 6}


class ListError(ValueError):
    """The list cannot be used: one line that names the place."""


class Latency:
    """What ``ds_ping_latency_stats`` keeps, in ms: ``average`` and ``stdev`` of all, ``estimate`` of the last."""

    __slots__ = ("average", "count", "estimate", "m2", "max", "stdev", "timeout")

    def __init__(self) -> None:
        self.count = self.timeout = self.max = 0
        self.average = self.estimate = self.stdev = self.m2 = 0.0

    def begin(self, latency: int) -> None:
        """As if one answer had taken that long: the attribute ``latency``."""
        self.count, self.max = 1, latency
        self.average = self.estimate = float(latency)

    def add(self, latency: int, alpha: float) -> None:
        """An answer took ``latency`` ms; ``alpha`` is the weight of what was before, in the estimate from the 11th."""
        if self.count < 2097152:
            self.count += 1
        else:
            self.m2 -= self.m2 / self.count
        if self.count == 1:
            self.begin(latency)
            return
        self.max = max(self.max, latency)
        delta = latency - self.average
        self.average += delta / self.count
        self.m2 += delta * (latency - self.average)
        self.stdev = (self.m2 / (self.count - 1)) ** 0.5
        if self.count > 10:
            self.estimate = self.estimate * alpha + latency * (1 - alpha)
        else:
            self.estimate = self.average


class Destination:
    """One destination of a set. ``listen`` is the socket to send from, None for any; ``load`` its calls."""

    __slots__ = (
        "attrs", "body", "congestion", "failures", "flags", "ip", "latency", "listen", "load", "priority", "rpriority",
        "uri", "url",
    )  # fmt: skip

    def __init__(self, uri: str, url: Uri, flags: int, priority: int, body: str) -> None:
        self.uri = uri
        self.url = url
        self.flags = flags
        self.priority = priority
        self.rpriority = 0
        self.body = body
        self.attrs: dict[str, str] = {}
        for part in body.split(";"):
            name, _, value = part.partition("=")
            if name.strip():
                self.attrs[name.strip()] = value.strip()
        self.congestion = self.attrs.get("cc", "0") not in ("", "0")
        self.failures = 0
        self.load = 0
        self.ip = ""
        self.listen: Listen | None = None
        self.latency = Latency()

    def number(self, name: str) -> int:
        """An attribute as a number, 0 when it is missing or none."""
        text = self.attrs.get(name, "")
        return int(text) if text.isascii() and text.isdigit() else 0

    def weight(self, name: str) -> int:
        """``weight`` or ``rweight``: from 1 to 100, else 0."""
        value = self.number(name)
        return value if value <= 100 else 0

    @property
    def duid(self) -> str:
        return self.attrs.get("duid", "")

    @property
    def usable(self) -> bool:
        """Whether a selection may take it: neither inactive nor disabled."""
        return not self.flags & (INACTIVE | DISABLED)

    @property
    def full(self) -> bool:
        """Whether it has all the calls that ``maxload`` allows."""
        maxload = self.number("maxload")
        return bool(maxload) and self.load >= maxload

    @property
    def proto(self) -> str:
        """The transport its URI names, '' for none."""
        return self.url.transport

    @property
    def state(self) -> str:
        """Two letters: A, T, I or D, then P when it is probed, else X."""
        flags = self.flags
        first = "I" if flags & INACTIVE else "D" if flags & DISABLED else "T" if flags & TRYING else "A"
        return first + ("P" if flags & PROBING else "X")

    def copy(self) -> Destination:
        new = Destination.__new__(Destination)
        for slot in Destination.__slots__:
            setattr(new, slot, getattr(self, slot))
        new.latency = Latency()
        for slot in Latency.__slots__:
            setattr(new.latency, slot, getattr(self.latency, slot))
        return new


class Set:
    """The destinations of one set, ``last`` of round robin, and the hundred places that weights are dealt out to."""

    __slots__ = ("id", "items", "last", "relative", "relative_at", "weights", "weights_at")

    def __init__(self, number: int) -> None:
        self.id = number
        self.items: list[Destination] = []
        self.last = 0
        self.weights = [0] * 100
        self.weights_at = 0
        self.relative = [0] * 100
        self.relative_at = 0

    def add(self, new: Destination) -> None:
        at = 0
        while at < len(self.items) and self.items[at].priority > new.priority:
            at += 1
        self.items.insert(at, new)

    def deal_weights(self, random: Random) -> None:
        """Algorithm 9: each has as many places as its weight says, the last what is left; the order is by chance."""
        items = self.items
        if not items or not items[0].weight("weight"):
            return
        places = [index for index, item in enumerate(items) for _ in range(item.weight("weight"))][:100]
        places += [len(items) - 1] * (100 - len(places))
        random.shuffle(places)
        self.weights = places

    def deal_relative(self, random: Random) -> None:
        """Algorithm 11: the same for those that can be used, by their share; with none all stays as it was."""
        shares = self._shares()
        total = sum(shares)
        if not total:
            return
        places = [index for index, share in enumerate(shares) for _ in range(share * 100 // total)][:100]
        last = max(index for index, share in enumerate(shares) if share * 100 // total) if places else 0
        places += [last] * (100 - len(places))
        random.shuffle(places)
        self.relative = places

    def _shares(self) -> list[int]:
        """``rweight``; for those with congestion control less by one for each ms of congestion, by ``weight``."""
        plain = [item.weight("rweight") if item.usable else 0 for item in self.items]
        if not any(item.congestion and share for item, share in zip(self.items, plain, strict=True)):
            return plain
        late = [max(0, int(item.latency.estimate - item.latency.average)) for item in self.items]
        shares = [
            (max(0, item.weight("weight") - ms) if item.congestion else share) if share else 0
            for item, share, ms in zip(self.items, plain, late, strict=True)
        ]
        if any(shares):
            return shares
        # All are beyond their tolerance: the less congested one is, the more it gets.
        most = sum(late)
        return [most - ms if share else 0 for share, ms in zip(plain, late, strict=True)]

    def copy(self) -> Set:
        new = Set(self.id)
        new.items = [item.copy() for item in self.items]
        new.last, new.weights_at, new.relative_at = self.last, self.weights_at, self.relative_at
        new.weights, new.relative = list(self.weights), list(self.relative)
        return new


class _Node:
    __slots__ = ("height", "left", "right", "value")

    def __init__(self, value: Set) -> None:
        self.value = value
        self.height = 1
        self.left: _Node | None = None
        self.right: _Node | None = None


class Sets:
    """All sets, by number; iterated in Kamailio's order."""

    def __init__(self) -> None:
        self.by_id: dict[int, Set] = {}
        self._root: _Node | None = None

    def __len__(self) -> int:
        return len(self.by_id)

    def __iter__(self) -> Iterator[Set]:
        return iter(_walk(self._root))

    def get(self, number: int) -> Set | None:
        return self.by_id.get(number)

    def make(self, number: int) -> Set:
        """The set of that number, made when it is missing."""
        found = self.by_id.get(number)
        if found is None:
            found = self.by_id[number] = Set(number)
            self._root = _insert(self._root, found)
        return found

    def destinations(self) -> Iterator[tuple[Set, Destination]]:
        for each in self:
            for item in each.items:
                yield each, item

    def deal(self, random: Random) -> None:
        """All are in: deal out the weights."""
        for each in self:
            each.deal_weights(random)
            each.deal_relative(random)

    def copy(self) -> Sets:
        new = Sets()
        new._root = self._root
        new.by_id = {number: found.copy() for number, found in self.by_id.items()}
        new._root = _copy(self._root, new.by_id)
        return new


def _copy(node: _Node | None, sets: dict[int, Set]) -> _Node | None:
    if node is None:
        return None
    new = _Node(sets[node.value.id])
    new.height = node.height
    new.left, new.right = _copy(node.left, sets), _copy(node.right, sets)
    return new


def _walk(node: _Node | None) -> list[Set]:
    return [*_walk(node.left), *_walk(node.right), node.value] if node is not None else []


def _height(node: _Node | None) -> int:
    return node.height if node is not None else 0


def _measure(node: _Node) -> int:
    """Sets the height; how much higher the left side is."""
    left, right = _height(node.left), _height(node.right)
    node.height = max(left, right) + 1
    return left - right


def _insert(node: _Node | None, value: Set) -> _Node:
    if node is None:
        return _Node(value)
    if value.id < node.value.id:
        node.left = _insert(node.left, value)
    else:
        node.right = _insert(node.right, value)
    tilt = _measure(node)
    if tilt > 1 and node.left is not None:
        if value.id > node.left.value.id:
            node.left = _raise_right(node.left)
        return _raise_left(node)
    if tilt < -1 and node.right is not None:
        if value.id < node.right.value.id:
            node.right = _raise_left(node.right)
        return _raise_right(node)
    return node


def _raise_left(node: _Node) -> _Node:
    up = node.left
    assert up is not None
    node.left, up.right = up.right, node
    _measure(node)
    _measure(up)
    return up


def _raise_right(node: _Node) -> _Node:
    up = node.right
    assert up is not None
    node.right, up.left = up.left, node
    _measure(node)
    _measure(up)
    return up


# -- reading ----------------------------------------------------------------------------------------------------------


def file_rows(text: str) -> Iterator[tuple[int, str, int, int, str]]:
    """The lines of a list file: set, URI, then, all optional, flags, priority, attributes. Raises :class:`ListError`.

    As in Kamailio a number that is missing is 0, a comment ends no attribute but a line may begin with ``#``, and the
    attributes end at the first white space.
    """
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip(" \t\r")
        if not line or line[0] == "#":
            continue
        setid, rest = _number(line)
        words = rest.split(None, 1)
        if not words:
            raise ListError(f"line {number}: expected 'SET URI [FLAGS [PRIORITY [ATTRIBUTES]]]', got {line!r}")
        uri, rest = words[0], words[1] if len(words) > 1 else ""
        flags, rest = _number(rest)
        priority, rest = _number(rest)
        words = rest.split(None, 1)
        yield setid, uri, flags, priority, words[0] if words and words[0][0] != "#" else ""


def _number(text: str) -> tuple[int, str]:
    """The number that ``text`` begins with, else 0, and what follows. A sign makes it none."""
    text = text.lstrip()
    end = next((n for n, char in enumerate(text) if char not in "0123456789"), len(text))
    return (int(text[:end]), text[end:].lstrip()) if end else (0, text)


class Loader:
    """Makes destinations: checks URIs, finds sockets and addresses.

    ``resolve(name)`` gives an address or ''. ``default`` is the socket of those that name none.
    """

    def __init__(
        self, proxy: Proxy, resolve: Callable[[str], str], default: Listen | None, attrs_none: bool, strict: bool
    ) -> None:
        self.proxy = proxy
        self.resolve = resolve
        self.default = default
        self.attrs_none = attrs_none
        self.strict = strict
        #: Whether something was left out.
        self.skipped = False

    def load(self, rows: Rows) -> Sets:
        """The sets of these rows; a bad one is left out with a warning, or raises :class:`ListError` when strict."""
        sets = Sets()
        for row in rows:
            try:
                self.add(sets, *row)
            except ListError as error:
                if self.strict:
                    raise
                self.skipped = True
                log.warning("%s: left out of set %d", error, row[0])
        sets.deal(self.proxy.random)
        return sets

    def add(self, sets: Sets, setid: int, uri: str, flags: int, priority: int, attrs: str) -> None:
        """Add one destination. Raises :class:`ListError`."""
        new = self.make(uri, flags, priority, attrs)
        sets.make(setid).add(new)

    def make(self, uri: str, flags: int, priority: int, attrs: str) -> Destination:
        try:
            url = parse_uri(uri)
        except SipError as error:
            raise ListError(f"destination {uri}: {error}") from None
        if not url.host or not url.is_sip:
            raise ListError(f"destination {uri}: expected a SIP URI with a host")
        if not attrs and self.attrs_none:
            attrs = "none=yes"
        new = Destination(uri, url, flags, priority, attrs)
        for name in ("weight", "rweight"):
            if name in new.attrs and not new.weight(name):
                log.warning("destination %s: %s %s is not from 1 to 100", uri, name, new.attrs[name])
        new.listen = self._socket(new)
        if "latency" in new.attrs:
            new.latency.begin(new.number("latency"))
        if not flags & NO_RESOLVE:
            host = strip_brackets(url.host)
            new.ip = canonical_ip(host) or self.resolve(host)
            if not new.ip:
                raise ListError(f"destination {uri}: {url.host} cannot be resolved (flag 16: do not ask)")
            if ":" in new.ip and not any(":" in listen.host for listen in self.proxy.listens):
                raise ListError(f"destination {uri}: there is no listen socket for IPv6")
        return new

    def _socket(self, new: Destination) -> Listen | None:
        name = new.attrs.get("sockname", "")
        if name:
            found = next((listen for listen in self.proxy.listens if listen.name == name), None)
            if found is None:
                raise ListError(f"destination {new.uri}: no listen socket is named {name}")
            return found
        text = new.attrs.get("socket", "")
        if not text:
            return self.default
        found = find_socket(self.proxy, text)
        if found is None:
            raise ListError(f"destination {new.uri}: {text} is none of the listen sockets")
        return found


def find_socket(proxy: Proxy, text: str) -> Listen | None:
    """The listen socket ``proto:host:port``, the transport optional."""
    try:
        wanted = parse_listen(text if text.partition(":")[0].lower() in ("udp", "tcp", "tls") else f"udp:{text}")
    except AddressError:
        return None
    return next((listen for listen in proxy.listens if listen == wanted), None)


def shown_ip(item: Destination) -> str:
    """The address as ``dispatcher.list`` shows it."""
    return bracketed(item.ip)
