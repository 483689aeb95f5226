"""``{s.*}`` encodings and escapes. Text is latin-1: a character is a byte."""

from __future__ import annotations

from .registry import Value, text

_HEX = frozenset("0123456789abcdefABCDEF")
_B58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_B64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_B64_URL = _B64[:62] + "-_"
# A character outside the alphabet counts as all ones: what Kamailio's table has there.
_B64_VALUES = bytes(_B64.find(chr(c)) & 0xFF for c in range(256))

_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()")
#: RFC 3261 25.1: unreserved and user-unreserved without '/' ...
_USER_PLAIN = _UNRESERVED | frozenset("&=+$,;?")
#: ... unreserved and param-unreserved, with the '?' escaped and the '$' kept as they are in Kamailio.
_PARAM_PLAIN = _UNRESERVED | frozenset("[]/:&+$")
_URL_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~")

_COMMON = {"'": "\\'", '"': '\\"', "\\": "\\\\", "\0": "\\0"}
_COMMON_TABLE = str.maketrans(_COMMON)
_COMMON_BACK = {"'": "'", '"': '"', "\\": "\\", "0": "\0"}
_CRLF_BACK = {"r": "\r", "n": "\n", "\\": "\\"}


@text("s.encode.hexa")
def _encode_hexa(value: str) -> Value:
    return value.encode("latin-1").hex()


@text("s.decode.hexa")
def _decode_hexa(value: str) -> Value:
    """Null when a character is no hexadecimal digit; an odd last digit is dropped."""
    even = value[: len(value) & ~1]
    return bytes.fromhex(even).decode("latin-1") if _HEX.issuperset(even) else None


@text("s.encode.7bit")
def _encode_7bit(value: str) -> Value:
    """GSM 03.38 packing of seven-bit characters, upper-case hexadecimal. The alphabet is not translated."""
    data = value.encode("latin-1")
    out = bytearray()
    for n, code in enumerate(data):
        shift = n % 8
        if shift < 7:
            following = data[n + 1] if n + 1 < len(data) else 0
            out.append(((code >> shift) | (following << (7 - shift))) & 0xFF)
    return out.hex().upper()


def _nibble(char: str) -> int:
    """A hexadecimal digit's value, for other characters what Kamailio's arithmetic gives."""
    return ord(char) - 48 if "0" <= char <= "9" else ord(char.lower() if char.isascii() else char) - 87


@text("s.decode.7bit")
def _decode_7bit(value: str) -> Value:
    """Reverse of the packing. What is no hexadecimal is not refused but gives other characters, as in Kamailio."""
    if len(value) % 2:
        value += "\0"
    bits = count = 0
    for at in range(0, len(value), 2):
        bits |= (((_nibble(value[at]) << 4) | _nibble(value[at + 1])) & 0xFF) << count
        count += 8
    return "".join([chr((bits >> at) & 0x7F) for at in range(0, count - 6, 7)])


@text("s.encode.base58")
def _encode_base58(value: str) -> Value:
    data = value.encode("latin-1")
    number = int.from_bytes(data, "big")
    out = []
    while number:
        number, digit = divmod(number, 58)
        out.append(_B58[digit])
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + "".join(reversed(out))


@text("s.decode.base58")
def _decode_base58(value: str) -> Value:
    """Null when a character is not of the alphabet. A zero byte ends the result, as in Kamailio 5.6."""
    number = 0
    for char in value:
        digit = _B58.find(char)
        if digit < 0:
            return None
        number = number * 58 + digit
    zeros = len(value) - len(value.lstrip("1"))
    return "\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big").decode("latin-1") + "\0"


def _encode64(value: str, alphabet: str) -> str:
    data = value.encode("latin-1")
    number = int.from_bytes(data, "big") << (-len(data) * 8 % 6)
    size = (len(data) * 8 + 5) // 6
    return "".join([alphabet[(number >> (6 * n)) & 63] for n in range(size - 1, -1, -1)])


@text("s.encode.base64")
def _encode_base64(value: str) -> Value:
    coded = _encode64(value, _B64)
    return coded + "=" * (-len(coded) % 4)


@text("s.encode.base64t")
def _encode_base64t(value: str) -> Value:
    return _encode64(value, _B64)


@text("s.encode.base64url")
def _encode_base64url(value: str) -> Value:
    coded = _encode64(value, _B64_URL)
    return coded + "=" * (-len(coded) % 4)


@text("s.encode.base64urlt")
def _encode_base64urlt(value: str) -> Value:
    return _encode64(value, _B64_URL)


def _decode64(value: str) -> str | None:
    pads = min(len(value) - len(value.rstrip("=")), 2) if value else 0
    if not pads and value[-2:-1] == "=":
        return None
    missing = -len(value) % 4
    data = (value + "=" * missing).encode("latin-1").translate(_B64_VALUES)
    out = bytearray()
    for at in range(0, len(data), 4):
        a, b, c, d = data[at : at + 4]
        out += bytes(((a << 2 | b >> 4) & 0xFF, (b << 4 | c >> 2) & 0xFF, (c << 6 | d) & 0xFF))
    drop = min(pads + missing, 2)
    return out[: len(out) - drop].decode("latin-1")


@text("s.decode.base64")
def _decode_base64(value: str) -> Value:
    """Null when the length is no multiple of four."""
    return _decode64(value) if len(value) % 4 == 0 else None


@text("s.decode.base64t")
def _decode_base64t(value: str) -> Value:
    return _decode64(value)


@text("s.decode.base64url", "s.decode.base64urlt")
def _decode_base64url(value: str) -> Value:
    """Null when a character is not of the alphabet, or nothing is left."""
    digits = value.rstrip("=")
    bits = 0
    for char in digits:
        digit = _B64_URL.find(char)
        if digit < 0:
            return None
        bits = bits << 6 | digit
    size = len(digits) * 6 // 8
    return (bits >> (len(digits) * 6 - size * 8)).to_bytes(size, "big").decode("latin-1") if size else None


@text("s.escape.common")
def _escape_common(value: str) -> Value:
    return value.translate(_COMMON_TABLE)


def _unescape(value: str, known: dict[str, str]) -> str:
    """Backslash sequences of ``known`` resolved, others kept."""
    head, *parts = value.split("\\")
    out = [head]
    n = 0
    while n < len(parts):
        part = parts[n]
        n += 1
        if part:
            out.append(known[part[0]] + part[1:] if part[0] in known else "\\" + part)
        elif n < len(parts):
            # Two backslashes in a row: the text up to the next one belongs to this one.
            out.append("\\" + parts[n])
            n += 1
        else:
            out.append("\\")
    return "".join(out)


@text("s.unescape.common")
def _unescape_common(value: str) -> Value:
    return _unescape(value, _COMMON_BACK)


@text("s.escape.crlf")
def _escape_crlf(value: str) -> Value:
    return value.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")


@text("s.unescape.crlf")
def _unescape_crlf(value: str) -> Value:
    return _unescape(value, _CRLF_BACK)


def _percent(value: str, plain: frozenset[str]) -> str | None:
    """Percent-escaped, null when a character is no printable ASCII."""
    if plain.issuperset(value):
        return value
    if any(not " " <= char <= "~" for char in value):
        return None
    return "".join([char if char in plain else f"%{ord(char):02x}" for char in value])


@text("s.escape.user")
def _escape_user(value: str) -> Value:
    return _percent(value, _USER_PLAIN)


@text("s.escape.param")
def _escape_param(value: str) -> Value:
    return _percent(value, _PARAM_PLAIN)


@text("s.unescape.user", "s.unescape.param")
def _unescape_percent(value: str) -> Value:
    """Null when an escape is broken or stands for no printable ASCII character."""
    head, *parts = value.split("%")
    out = [head]
    for part in parts:
        if len(part) < 2 or not _HEX.issuperset(part[:2]):
            return None
        char = chr(int(part[:2], 16))
        if not " " <= char <= "~":
            return None
        out.append(char + part[2:])
    return "".join(out)


@text("s.escape.csv")
def _escape_csv(value: str) -> Value:
    """A quoted CSV field (RFC 4180)."""
    return '"' + value.replace('"', '""') + '"'


@text("s.urlencode.param")
def _urlencode(value: str) -> Value:
    return "".join([char if char in _URL_PLAIN else f"%{ord(char):02x}" for char in value])


@text("s.urldecode.param")
def _urldecode(value: str) -> Value:
    """``+`` is a space. A ``%`` with less than two characters after it is dropped."""
    head, *parts = value.replace("+", " ").split("%")
    out = [head]
    for part in parts:
        if len(part) < 2:
            out.append(part)
        else:
            out.append(chr(((_nibble(part[0]) << 4) | _nibble(part[1])) & 0xFF) + part[2:])
    return "".join(out)
