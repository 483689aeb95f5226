"""The best reply of a forked request (RFC 3261 16.7 step 6), with Kamailio's order of preference.

A code has a priority, the lowest wins, the first branch of equals:

==============================  ===========
6xx                             code - 600
3xx                             1000 + xx
401, 407, 415, 420, 484         2000 + xx
other 4xx                       3000 + xx
5xx                             4000 + xx
below 300                       30000 + code
==============================  ===========

``faked_reply_prio`` is added for replies that we made up (408 of a timeout).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .transaction import Client, Transaction

__all__ = ["pick", "priority"]

_PREFERRED: Final = frozenset((401, 407, 415, 420, 484))


def priority(code: int, faked: bool = False, faked_prio: int = 0) -> int:
    """How good a final reply is to be passed on: lower is better."""
    extra = faked_prio if faked else 0
    if code < 300:
        return 30000 + code + extra
    kind, xx = divmod(code, 100)
    if kind == 6:
        return xx + extra
    if kind == 3:
        return 1000 + xx + extra
    if kind == 4:
        return (2000 if code in _PREFERRED else 3000) + xx + extra
    if kind == 5:
        return 4000 + xx + extra
    return 10000 + xx + extra


def pick(t: Transaction, faked_prio: int = 0) -> Client | None:
    """The branch whose reply is the best, None while one of them may still get a better one (or none has any)."""
    best = None
    lowest = 0
    for client in t.branches:
        if client.blind:
            continue
        if client.status < 200:
            return None
        if client.index < t.drop_replies:
            continue
        value = priority(client.status, client.faked, faked_prio)
        if best is None or value < lowest:
            best, lowest = client, value
    return best
