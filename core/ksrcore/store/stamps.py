"""Time stamps as Kamailio's db_sqlite stores them: Julian day numbers (REAL, UTC)."""

import math
from datetime import UTC, datetime

__all__ = ["from_column", "to_column"]

_UNIX_EPOCH = 2440587.5
_LARGEST_DAY = 10_000_000.0


def to_column(unix: float) -> float:
    """Unix seconds to what goes into the column."""
    return unix / 86400.0 + _UNIX_EPOCH


def from_column(value: object) -> int:
    """A column's value to unix seconds.

    Read are Julian days (Kamailio on SQLite; a whole day comes back as int), unix seconds (usrloc's `expires_type` 1)
    and `YYYY-MM-DD HH:MM:SS` in UTC (the schema's own defaults, rows put in by hand). Raises ValueError.
    """
    if isinstance(value, str):
        stamp = datetime.fromisoformat(value.strip())
        return round((stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp())
    if isinstance(value, int | float) and math.isfinite(value):
        return round((value - _UNIX_EPOCH) * 86400.0) if value < _LARGEST_DAY else round(value)
    raise ValueError(f"not a time stamp: {value!r}")
