"""Kamailio's hash of texts (``get_hash1_raw``): slots of hash tables, HashIDs and temporary GRUUs come from it."""

from __future__ import annotations

__all__ = ["core_hash"]


def core_hash(text: str) -> int:
    """32 bits of ``text`` (latin-1, a character a byte)."""
    data = text.encode("latin-1")
    full = len(data) - len(data) % 4
    if text.isascii():
        words = [int.from_bytes(data[at : at + 4], "big") for at in range(0, full, 4)]
        rest = int.from_bytes(data[full:], "big")
    else:
        # C's char has a sign there: bytes above 127 are taken away.
        words = [_word(data[at : at + 4]) for at in range(0, full, 4)]
        rest = _word(data[full:])
    return _total([*words, rest])


def _total(words: list[int]) -> int:
    total = sum(word ^ word >> 3 for word in words) & 0xFFFFFFFF
    return (total + (total >> 11) + (total >> 13) + (total >> 23)) & 0xFFFFFFFF


def _word(data: bytes) -> int:
    word = 0
    for byte in data:
        word = (word << 8) + (byte if byte < 128 else byte - 256)
    return word & 0xFFFFFFFF
