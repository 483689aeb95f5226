"""How dispatcher selects: Kamailio's algorithms over the destinations of a set."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..pv.auth import credentials_of
from ..sip.errors import SipError
from ..sip.uri import parse_uri
from .dispatcher_list import Destination, Set

if TYPE_CHECKING:
    from ..run import Run
    from .dispatcher_routes import DispatcherRoutes

__all__ = ["PARALLEL", "CALL_LOAD", "Selection", "ds_hash", "select"]

log = logging.getLogger("ksrcore.dispatcher")

CALL_LOAD = 10
PARALLEL = 12
_LATENCY = 13


def ds_hash(*texts: str) -> int:
    """The hash of one or two texts by which algorithms 0 to 3, 5 and 7 choose; never 0."""
    total = 0
    for text in texts:
        data = text.encode("latin-1")
        whole = len(data) & ~3
        for at in range(0, len(data), 4):
            value = int.from_bytes(data[at : at + 4] if at < whole else data[whole:], "big")
            total += value ^ value >> 3
    total &= 0xFFFFFFFF
    total = (total + (total >> 11) + (total >> 13) + (total >> 23)) & 0xFFFFFFFF
    return total or 1


def uri_hash(text: str, user_only: bool) -> int:
    """The hash of a URI: user, host, and the port unless it is 5060 (5061 for sips). Raises SipError."""
    uri = parse_uri(text)
    if user_only:
        return ds_hash(uri.user)
    usual = 5061 if uri.scheme == "sips" else 5060
    host = f"{uri.host}:{uri.port_no}" if uri.port_no and uri.port_no != usual else uri.host
    return ds_hash(uri.user, "" if uri.scheme == "tel" else host)


class Selection:
    """What was selected: ``items`` in the order to try them, at most ``limit`` (0: no limit) when they are kept.

    ``first`` is the first of all; ``parallel`` are further branches, those of ``first``'s set or of a later one
    (``parallel_first``).
    """

    __slots__ = ("first", "items", "limit", "parallel", "parallel_first")

    def __init__(self, limit: int) -> None:
        self.limit = limit if limit > 0 else 0
        self.first: tuple[int, Destination] | None = None
        self.items: list[tuple[int, Destination, bool]] = []
        self.parallel: list[Destination] = []
        self.parallel_first = False

    def add(self, number: int, item: Destination, by_load: bool, always: bool = False) -> None:
        """Keep one when there is room, or ``always``."""
        if always or not self.limit or len(self.items) < self.limit:
            self.items.append((number, item, by_load))


def _start(module: DispatcherRoutes, run: Run, found: Set, algorithm: int) -> int | None:
    """Where in the set to begin: an index or a hash; None when the message lacks what it needs. Raises SipError."""
    msg = run.msg
    count = len(found.items)
    user_only = bool(module.flags & 1)
    if algorithm == 0:
        return ds_hash(msg.callid) if msg.callid else None
    if algorithm in (1, 2):
        value = msg.from_ if algorithm == 1 else msg.to
        return uri_hash(value.uri, user_only) if value is not None else None
    if algorithm == 3:
        return uri_hash(msg.new_uri or msg.ruri, user_only)
    if algorithm == 4:
        return found.last
    if algorithm == 5:
        credentials = credentials_of(run)
        if credentials is not None and credentials.user:
            return ds_hash(credentials.user)
        at = found.last
        found.last = (at + 1) % count
        return at
    if algorithm == 6:
        return run.proxy.random.randrange(0x7FFFFFFF)
    if algorithm == 7:
        if module.hash_format is None:
            log.error("algorithm 7 needs modparam dispatcher:hash_pvar")
            return None
        text = module.hash_format(run)
        return ds_hash(text) if text else None
    if algorithm == 9:
        at = found.weights[found.weights_at]
        found.weights_at = (found.weights_at + 1) % 100
        return at
    if algorithm == 11:
        at = found.relative[found.relative_at]
        found.relative_at = (found.relative_at + 1) % 100
        return at
    if algorithm not in (8, PARALLEL):
        log.warning("there is no algorithm %d: the first of the set is taken", algorithm)
    return 0


def _least_loaded(found: Set) -> int | None:
    best = None
    for index, item in enumerate(found.items):
        if item.usable and not item.full and (best is None or item.load < found.items[best].load):
            best = index
    return best


def _by_latency(module: DispatcherRoutes, found: Set, selection: Selection) -> int | None:
    """Algorithm 13: by priority, which latency lowers; of equal ones in turn. Fills ``selection``."""
    items = found.items
    count = len(items)
    ring = count - 1 if module.use_default and count > 1 else count
    best = None
    highest = -1
    order: list[tuple[int, int]] = []
    at = found.last
    for _ in range(count):
        item = items[at]
        if item.usable:
            stats = item.latency
            ms = int(stats.estimate - stats.average) if item.congestion else int(stats.estimate)
            priority = item.priority
            if 0 < priority < ms:
                priority = max(1, priority - ms // priority)
            item.rpriority = priority
            if priority > highest:
                best, highest = at, priority
            order.append((priority, at))
        at = (at + 1) % ring
    if best is None:
        return None
    found.last = (best + 1) % count
    if module.failover:
        for _, index in sorted(order, key=lambda pair: -pair[0]):
            if not (module.use_default and count > 1 and index == count - 1):
                selection.add(found.id, items[index], False)
        if module.use_default and best != count - 1:
            selection.add(found.id, items[-1], False)
    return best


def select(module: DispatcherRoutes, run: Run, found: Set, algorithm: int, selection: Selection) -> bool:
    """Add what ``algorithm`` selects of a set. False when it selects nothing."""
    items = found.items
    count = len(items)
    if not count:
        return False
    default = bool(module.use_default) and count > 1
    at: int | None
    if algorithm == CALL_LOAD:
        if run.msg.method != "INVITE" or not run.msg.is_request:
            log.error("algorithm 10 is for INVITE only: the first of the set is taken")
            at, algorithm = 0, 0
        else:
            at = _least_loaded(found)
            if at is None:
                return False
            if not module.loads.add(found.id, items[at], run.msg.callid):
                log.error("set %d: %s has no duid: its calls are not counted", found.id, items[at].uri)
                algorithm = 0
    elif algorithm == _LATENCY:
        at = _by_latency(module, found, selection)
        if at is None:
            return False
    else:
        try:
            at = _start(module, run, found, algorithm)
        except SipError as error:
            log.error("algorithm %d: %s", algorithm, error)
            return False
        if at is None:
            return False
    ring = count - 1 if default else count
    at %= ring
    begun = at
    while not items[at].usable:
        at = (at + 1) % ring
        if at == begun:
            if not module.use_default or not items[-1].usable:
                return False
            at = count - 1
            break
    if algorithm == 4:
        found.last = (at + 1) % count
    if selection.first is None:
        selection.first = (found.id, items[at])
        if algorithm == PARALLEL:
            selection.parallel += items[at + 1 :]
            selection.parallel_first = True
            return True
    elif algorithm == PARALLEL:
        selection.parallel += items[at:]
        return True
    if not module.failover or algorithm == _LATENCY:
        return True
    counted = algorithm == CALL_LOAD
    selection.add(found.id, items[at], counted, always=True)
    for index in (*range(at + 1, count), *range(at)):
        item = items[index]
        if item.usable and not (default and index == count - 1) and not (counted and item.full):
            selection.add(found.id, item, counted)
    if module.use_default and at != count - 1:
        selection.add(found.id, items[-1], counted)
    return True
