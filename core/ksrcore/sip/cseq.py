"""CSeq (RFC 3261 20.16)."""

from typing import Final

from ksrcore.sip.errors import ParseError

__all__ = ["CSeq", "parse_cseq"]

_CACHE_MAX: Final = 1024
_cache: dict[str, "CSeq"] = {}
_MAX: Final = 2**32 - 1


class CSeq:
    """``number`` (0 to 2**32 - 1), its digits as written in ``number_text``, and ``method`` as written."""

    __slots__ = ("method", "number", "number_text")

    def __init__(self, number: int, method: str, number_text: str = "") -> None:
        self.number = number
        self.method = method
        self.number_text = number_text or str(number)

    def __str__(self) -> str:
        return f"{self.number_text} {self.method}"

    def __repr__(self) -> str:
        return f"CSeq({self.number}, {self.method!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CSeq) and self.number == other.number and self.method == other.method

    def __hash__(self) -> int:
        return hash((self.number, self.method))


def parse_cseq(body: str) -> CSeq:
    """Parse a CSeq body, white space and folding included. Raises ParseError."""
    cseq = _cache.get(body)
    if cseq is not None:
        return cseq
    parts = body.split()
    if len(parts) != 2 or not body.isascii():
        raise ParseError("CSeq (number method)", body)
    digits, method = parts
    if not (digits.isascii() and digits.isdigit()) or len(digits.lstrip("0")) > 10 or int(digits[-20:]) > _MAX:
        raise ParseError("CSeq number from 0 to 4294967295", body)
    cseq = CSeq(int(digits[-20:]), method, digits)
    if len(body) <= 512:  # a flood of long ones would fill the memory
        if len(_cache) >= _CACHE_MAX:
            _cache.clear()
        _cache[body] = cseq
    return cseq
