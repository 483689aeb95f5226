"""What belongs to a held message: 64-bit keys that every worker finds in the state page (facts of SIP, not of tm).

While a worker holds a message, the other workers must not route what belongs to it: a repetition would overtake it,
and what meets its transaction in a route of tm waits for the transaction's lock, one worker after the other.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from .hold_names import read

if TYPE_CHECKING:
    from collections.abc import Callable

    Get = Callable[[str], Any]


def key_of(kind: str, *parts: Any) -> int:
    """A number from 1 to 2^64 - 1; 0 is an empty slot."""
    text = "\0".join([kind, *map(str, parts)])
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1


def request_key(get: Get) -> int:
    """Of a request, its repetitions, its CANCEL and its ACK: Call-ID, number of CSeq, branch of the topmost Via."""
    return _request_key(get, "%s", "$hdr(Via)")


def reply_key(get: Get) -> int:
    """Of all replies to a request as it left here: Call-ID and CSeq."""
    return key_of("reply", read(get, "$ci"), read(get, "$cs"), read(get, "$rm"))


def reply_keys(get: Get, tmx: bool) -> list[int]:
    """Of a held reply: all replies to its request, and the request, which would wait for its transaction."""
    found = [reply_key(get)]
    if tmx and read(get, "$T_req($ci)") is not None:
        found.append(_request_key(get, "$T_req(%s)", "$hdr(Via)"))
    return found


def request_keys(get: Get, in_transaction: bool) -> list[int]:
    """Of a held request: itself, and in a route of its transaction the replies to it."""
    found = [request_key(get)]
    if in_transaction:
        found.append(reply_key(get))
    return found


def _request_key(get: Get, form: str, via: str) -> int:
    return key_of("request", read(get, form % "$ci"), read(get, form % "$cs"), branch_of(read(get, form % via) or ""))


def branch_of(via: str) -> str:
    """The branch of a Via's body, the whole of it where there is none (RFC 2543)."""
    first = via.partition(",")[0]
    _, found, rest = first.partition(";branch=")
    if not found:
        at = first.lower().replace(" ", "").find(";branch=")
        if at < 0:
            return first.strip()
        rest = first.replace(" ", "")[at + 8 :]
    return rest.partition(";")[0].strip()
