"""``{s.*}`` digests and hashes: md5, the SHA families, Keccak, CRC-32 and the hash of Kamailio's core."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from .registry import Step, Value, build, int_param, split_params, text

if TYPE_CHECKING:
    from ...run import Run

_MASK32 = 0xFFFFFFFF
_MASK64 = 0xFFFFFFFFFFFFFFFF


def _digest(name: str, algorithm: str) -> None:
    @text(name)
    def digest(value: str) -> Value:
        return hashlib.new(algorithm, value.encode("latin-1"), usedforsecurity=False).hexdigest()


for _name in ("md5", "sha1", "sha256", "sha384", "sha512"):
    _digest("s." + _name, _name)


def core_hash(value: str, second: str = "") -> int:
    """Kamailio's core hash of one or two texts: 32 bits, words of four big-endian characters folded with themselves.

    Characters count as signed (a C ``char`` on x86), which shows beyond ASCII only.
    """
    total = _folded(value) + _folded(second) & _MASK32 if second else _folded(value)
    return (total + (total >> 11) + (total >> 13) + (total >> 23)) & _MASK32


def _folded(value: str) -> int:
    data = value.encode("latin-1")
    whole = len(data) & ~3
    total = 0
    if value.isascii():
        for at in range(0, whole, 4):
            word = int.from_bytes(data[at : at + 4], "big")
            total += word ^ (word >> 3)
        rest = int.from_bytes(data[whole:], "big")
    else:
        for at in range(0, whole, 4):
            word = _signed_word(data[at : at + 4])
            total += word ^ (word >> 3)
        rest = _signed_word(data[whole:])
    return (total + (rest ^ (rest >> 3))) & _MASK32


def _signed_word(data: bytes) -> int:
    word = 0
    for code in data:
        word = (word << 8) + (code - 256 if code > 127 else code)
    return word & _MASK32


@build("s.corehash")
def _corehash(params: str | None) -> Step:
    """The hash as text; with a parameter n (a power of two) the slot, hash & (n - 1)."""
    parts = split_params("s.corehash", params, 0, 1)
    size_of = int_param("s.corehash", parts[0]) if parts else None

    def step(run: Run, value: Value) -> Value:
        size = size_of(run) if size_of is not None else 0
        if value is None or size is None:
            return None
        code = core_hash(str(value))
        return str(code & (size - 1) & _MASK32) if size else str(code)

    return step


@text("s.crc32")
def _crc32(value: str) -> Value:
    return f"{zlib.crc32(value.encode('latin-1')):08x}"


def _rotations() -> list[tuple[int, int, int]]:
    """(destination lane, source lane, left rotation) of the rho and pi steps (FIPS 202 3.2.2 and 3.2.3)."""
    moves = [(0, 0, 0)]
    x, y = 1, 0
    for t in range(24):
        source = x + 5 * y
        x, y = y, (2 * x + 3 * y) % 5
        moves.append((x + 5 * y, source, ((t + 1) * (t + 2) // 2) % 64))
    # A lane's rotation belongs to its source position; the walk above visits each source once.
    return moves


def _round_constants() -> list[int]:
    """The 24 constants of the iota step (FIPS 202 3.2.5), from its linear feedback shift register."""
    constants = []
    state = 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if state & 1:
                constant |= 1 << ((1 << j) - 1)
            state = (state << 1) ^ (0x171 if state & 0x80 else 0)
        constants.append(constant)
    return constants


_MOVES = _rotations()
_CONSTANTS = _round_constants()


def _keccak_f(lanes: list[int]) -> list[int]:
    for constant in _CONSTANTS:
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        parity = [
            columns[x - 1] ^ (((columns[(x + 1) % 5] << 1) | (columns[(x + 1) % 5] >> 63)) & _MASK64) for x in range(5)
        ]
        moved = [0] * 25
        for target, source, shift in _MOVES:
            lane = lanes[source] ^ parity[source % 5]
            moved[target] = ((lane << shift) | (lane >> (64 - shift))) & _MASK64 if shift else lane
        lanes = [
            moved[n] ^ (~moved[n - n % 5 + (n + 1) % 5] & moved[n - n % 5 + (n + 2) % 5] & _MASK64) for n in range(25)
        ]
        lanes[0] ^= constant
    return lanes


def keccak(data: bytes, bits: int) -> str:
    """The original Keccak digest (padding 0x01, as Ethereum uses it) of ``bits`` 224, 256, 384 or 512, in hex."""
    rate = 200 - bits // 4
    padded = bytearray(data) + b"\x01"
    padded += bytes(-len(padded) % rate)
    padded[-1] |= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), rate):
        for n in range(rate // 8):
            lanes[n] ^= int.from_bytes(padded[start + 8 * n : start + 8 * n + 8], "little")
        lanes = _keccak_f(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:9])[: bits // 8].hex()


def _sized(name: str, digest: Callable[[bytes, int], str]) -> None:
    """``name.224`` ... ``name.512``; the bare name means 256 bits."""
    for bits in (224, 256, 384, 512):
        _declare([f"{name}.{bits}"] + ([name] if bits == 256 else []), digest, bits)


def _declare(names: list[str], digest: Callable[[bytes, int], str], bits: int) -> None:
    @text(*names)
    def operation(value: str) -> Value:
        return digest(value.encode("latin-1"), bits)


_sized("s.sha3", lambda data, bits: hashlib.new(f"sha3_{bits}", data).hexdigest())
_sized("s.keccak", keccak)
