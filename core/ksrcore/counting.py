"""Kamailio's statistics on messages by method and status, counted for a few dictionary lookups a message."""

from __future__ import annotations

from collections import defaultdict

__all__ = ["count_reply", "count_request"]

_REQUESTS = {
    method.upper(): f"core:rcv_requests_{method}"
    for method in "ack bye cancel info invite message notify options prack publish refer register subscribe "
    "update".split()
}
_REPLY_METHODS = {
    "BYE": "bye", "CANCEL": "cancel", "INVITE": "invite", "MESSAGE": "message", "PRACK": "prack", "REFER": "refer",
    "REGISTER": "reg", "UPDATE": "update",
}  # fmt: skip
_CLASSES = {kind: f"core:rcv_replies_{kind}xx" for kind in range(1, 7)}
_BY_METHOD = {
    (kind, method): f"core:rcv_replies_{kind}xx_{name}"
    for kind in range(1, 7)
    for method, name in _REPLY_METHODS.items()
}
_CODES = {code: f"core:rcv_replies_{code}" for code in (401, 404, 407, 480, 486)}
_CODES |= dict.fromkeys(range(180, 190), "core:rcv_replies_18x")


def count_request(counters: defaultdict[str, int], method: str) -> None:
    """A request has come."""
    name = _REQUESTS.get(method)
    counters["core:rcv_requests"] += 1
    if name is not None:
        counters[name] += 1
    else:
        counters["core:unsupported_methods"] += 1


def count_reply(counters: defaultdict[str, int], status: int, method: str) -> None:
    """A reply has come; ``method`` is that of its CSeq."""
    kind = status // 100
    counters["core:rcv_replies"] += 1
    if kind in _CLASSES:
        counters[_CLASSES[kind]] += 1
        name = _BY_METHOD.get((kind, method))
        if name is not None:
            counters[name] += 1
        name = _CODES.get(status)
        if name is not None:
            counters[name] += 1
