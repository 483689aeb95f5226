"""Small header values: numbers, Content-Type, token lists, Date."""

from datetime import UTC, datetime
from typing import Final

from ksrcore.sip.errors import ParseError
from ksrcore.sip.params import WS, split_outside, split_params

__all__ = [
    "ContentType",
    "format_date",
    "parse_content_length",
    "parse_content_type",
    "parse_date",
    "parse_expires",
    "parse_max_forwards",
    "parse_tokens",
]

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _number(body: str, limit: int, what: str) -> int:
    digits = body.strip(WS)
    if not (digits.isascii() and digits.isdigit()):
        raise ParseError(f"{what} from 0 to {limit}", body)
    digits = digits.lstrip("0") or "0"
    if len(digits) > 10 or int(digits) > limit:
        raise ParseError(f"{what} from 0 to {limit}", body)
    return int(digits)


def parse_expires(body: str) -> int:
    """Expires, Min-Expires, Session-Expires without its parameters: seconds, 0 to 2**32 - 1 (RFC 3261 20.19)."""
    return _number(body.partition(";")[0], 2**32 - 1, "seconds")


def parse_max_forwards(body: str) -> int:
    """Max-Forwards: 0 to 255 (RFC 3261 20.22)."""
    return _number(body, 255, "Max-Forwards")


def parse_content_length(body: str) -> int:
    """Content-Length in bytes: 0 to 2**31 - 1 (RFC 3261 20.14 sets no limit; none of this size can arrive)."""
    return _number(body, 2**31 - 1, "Content-Length")


class ContentType:
    """``type`` and ``subtype`` in lower case, and the text of the parameters."""

    __slots__ = ("params_text", "subtype", "type")

    def __init__(self, type: str, subtype: str, params_text: str) -> None:
        self.type = type
        self.subtype = subtype
        self.params_text = params_text

    def __str__(self) -> str:
        return self.mime + (";" + self.params_text if self.params_text else "")

    def __repr__(self) -> str:
        return f"ContentType({str(self)!r})"

    @property
    def mime(self) -> str:
        """``application/sdp``."""
        return f"{self.type}/{self.subtype}"

    @property
    def params(self) -> list[tuple[str, str | None]]:
        """Names as written, values without quotes, None for a flag."""
        return split_params(self.params_text)

    def param(self, name: str) -> str | None:
        """Value of parameter ``name`` (in any case), '' for a flag, None when absent. ``boundary`` of a multipart."""
        name = name.lower()
        return next((value or "" for key, value in self.params if key.lower() == name), None)


def parse_content_type(body: str) -> ContentType:
    """Parse a Content-Type (or one Accept) body. Raises ParseError without ``type/subtype``."""
    mime, _, params = body.partition(";")
    kind, slash, subtype = mime.partition("/")
    kind, subtype = kind.strip(WS).lower(), subtype.strip(WS).lower()
    if not slash or not kind or not subtype or len(kind.split()) > 1 or len(subtype.split()) > 1 or "/" in subtype:
        raise ParseError("type/subtype", body)
    return ContentType(kind, subtype, params.strip(WS))


def parse_tokens(body: str) -> list[str]:
    """Comma-separated tokens (Supported, Require, Proxy-Require, Allow...) as written; empty ones are skipped."""
    if '"' not in body:
        return [token for part in body.split(",") if (token := part.strip(WS))]
    parts = (body[start:end].strip(WS) for start, end in split_outside(body, ","))
    return [token for token in parts if token]


def parse_date(body: str) -> datetime:
    """SIP-date (RFC 3261 20.17), ``Sat, 13 Nov 2010 23:29:00 GMT``, as an aware UTC datetime.

    Raises ParseError for other zones than GMT, and dates that do not exist. The day of the week is not checked.
    """
    parts = body.replace(",", " ").split()
    try:
        day_name, day, month, year, clock, zone = parts
        hour, minute, second = clock.split(":")
        if zone.upper() != "GMT" or day_name.capitalize() not in _DAYS:
            raise ValueError(zone)
        number = _MONTHS.index(month.capitalize()) + 1
        fields = (year, day, hour, minute, second)
        if not all(field.isascii() and field.isdigit() and len(field) <= 4 for field in fields):
            raise ValueError(year)
        return datetime(int(year), number, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        raise ParseError("date (Sat, 13 Nov 2010 23:29:00 GMT)", body) from None


def format_date(moment: datetime) -> str:
    """``moment`` (aware) as a SIP-date; names are English whatever the locale."""
    utc = moment.astimezone(UTC)
    clock = f"{utc.hour:02}:{utc.minute:02}:{utc.second:02}"
    return f"{_DAYS[utc.weekday()]}, {utc.day:02} {_MONTHS[utc.month - 1]} {utc.year:04} {clock} GMT"
