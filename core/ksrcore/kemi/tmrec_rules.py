"""Recurrences (RFC 2445) and periods (as of Perl's Time::Period), as Kamailio's tmrec understands them.

Its recurrences are not the RFC's in everything: days of the year and months count from 0, a day of the week without a
number matches no month and no year, the n-th from the end is one off.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from functools import lru_cache

__all__ = ["PeriodError", "in_period", "is_leap_year", "matches"]

_DAYS = ("su", "mo", "tu", "we", "th", "fr", "sa")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_START = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)", re.IGNORECASE)
_UNITS = {"W": 604800, "D": 86400, "H": 3600, "M": 60, "S": 1}


def is_leap_year(year: int) -> bool:
    return year % 4 == 0 and year % 100 != 0 or year % 400 == 0


# -- recurrences ------------------------------------------------------------------------------------------------------


class _Rule:
    """A recurrence. ``start``, ``until``: UNIX time; ``lists``: bymonthday, byyearday, byweekno, bymonth; None is one
    that is not given."""

    __slots__ = ("by_day", "duration", "frequency", "interval", "lists", "start", "until")

    def __init__(self, start: int, duration: int, fields: list[str]) -> None:
        fields = fields + [""] * (8 - len(fields))
        self.start = start
        self.duration = duration
        self.frequency = fields[0].lower()
        self.until = _moment(fields[1]) or 0
        self.interval = max(1, _number(fields[2]))
        self.by_day = _by_day(fields[3])
        self.lists = [_by_number(text) for text in fields[4:8]]


def _number(text: str) -> int:
    found = re.match(r"\s*[+-]?\d+", text)
    return int(found[0]) if found is not None else 0


def _by_number(text: str) -> list[int] | None:
    return [_number(part) for part in text.split(",")] if text else None


def _by_day(text: str) -> list[tuple[int, int]] | None:
    """(number, day of the week from Sunday) of each."""
    if not text:
        return None
    found = re.findall(r"([+-]?\d*)\s*(su|mo|tu|we|th|fr|sa)", text.lower())
    return [(_number(number), _DAYS.index(day)) for number, day in found]


def _moment(text: str) -> int | None:
    """A UNIX time of YYYYMMDDTHHMMSS in local time; None for another text."""
    found = _START.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    if not 1 <= month <= 12 or not 1 <= day <= 31 or hour > 23 or minute > 59 or second > 59:
        return None
    try:
        return int(time.mktime((year, month, day, hour, minute, second, 0, 0, -1)))
    except (OverflowError, ValueError):
        return None


def _duration(text: str) -> int | None:
    """Seconds of a duration such as P1DT2H; None for another text."""
    rest = text.upper().lstrip("+-")
    if not rest.startswith("P"):
        return None
    total, digits, in_time = 0, "", False
    for char in rest[1:]:
        if char.isdigit():
            digits += char
        elif char == "T" and not in_time:
            in_time = True
        elif char in _UNITS and (char in "WD") != in_time:
            total += int(digits or 0) * _UNITS[char]
            digits = ""
        else:
            return None
    return total


@lru_cache(maxsize=256)
def _read(rule: str, separator: str) -> _Rule | bool:
    """The recurrence; or what a rule that is none gives always."""
    if not rule:
        return False
    start_text, *fields = rule.split(separator)
    if not start_text:
        return bool(fields)
    start = _moment(start_text)
    duration = _duration(fields[0]) if fields and fields[0] else None
    return _Rule(start, duration, fields[1:]) if start and duration else False


def matches(rule: str, separator: str, when: int) -> bool:
    """Whether a UNIX time is in a recurrence."""
    found = _read(rule, separator)
    if isinstance(found, bool):
        return found
    if when < found.start:
        return False
    if when <= found.start + found.duration:
        return True
    if not found.frequency or found.until and when >= found.until + found.duration:
        return False
    start, now = time.localtime(found.start), time.localtime(when)
    return (
        _in_interval(found, start, now)
        and _on_the_day(found, start, now)
        and 0 <= _of_day(now) - _of_day(start) < found.duration
        and _by_lists(found, now)
    )


def _of_day(moment: time.struct_time) -> int:
    return moment.tm_hour * 3600 + moment.tm_min * 60 + moment.tm_sec


def _day_number(moment: time.struct_time) -> int:
    return (int(time.mktime((*moment[:3], 12, 0, 0, 0, 0, -1))) + 43200) // 86400


def _in_interval(rule: _Rule, start: time.struct_time, now: time.struct_time) -> bool:
    if rule.frequency == "daily":
        passed = _day_number(now) - _day_number(start)
    elif rule.frequency == "weekly":  # weeks begin on Monday
        days = _day_number(now) - now.tm_wday - (_day_number(start) - start.tm_wday)
        passed = days // 7
    elif rule.frequency == "monthly":
        passed = (now.tm_year - start.tm_year) * 12 + now.tm_mon - start.tm_mon
    elif rule.frequency == "yearly":
        passed = now.tm_year - start.tm_year
    else:
        return False
    return passed % rule.interval == 0


def _on_the_day(rule: _Rule, start: time.struct_time, now: time.struct_time) -> bool:
    """Whether the day is one that the start gives, as far as no BY rule says which."""
    by_month_day, by_year_day, by_week, by_month = rule.lists
    if rule.frequency == "daily" or rule.by_day is not None or by_month_day is not None or by_year_day is not None:
        return True
    if rule.frequency == "weekly" or by_week is not None:
        return now.tm_wday == start.tm_wday
    same_day = now.tm_mday == start.tm_mday
    return same_day and (rule.frequency == "monthly" or by_month is not None or now.tm_mon == start.tm_mon)


def _is_one(numbers: Iterable[int], value: int, most: int, last: int = 0) -> bool:
    return any((number + most + last if number < 0 else number % most) == value for number in numbers)


def _by_lists(rule: _Rule, now: time.struct_time) -> bool:
    by_month_day, by_year_day, by_week, by_month = rule.lists
    year_days = 366 if is_leap_year(now.tm_year) else 365
    month_days = 31 if now.tm_mon in (1, 3, 5, 7, 8, 10, 12) else 30 if now.tm_mon != 2 else year_days - 337
    day = (now.tm_wday + 1) % 7
    if rule.by_day is not None:
        numbers = [number for number, wanted in rule.by_day if wanted == day]
        if rule.frequency in ("yearly", "monthly"):
            at, size = (now.tm_yday, year_days) if rule.frequency == "yearly" else (now.tm_mday, month_days)
            if not _is_one(numbers, (at - 1) // 7 + 1, (at - 1) // 7 + 1 + (size - at) // 7):
                return False
        elif not numbers:
            return False
    if by_month_day is not None and not _is_one(by_month_day, now.tm_mday, month_days, 1):
        return False
    if by_year_day is not None and not _is_one(by_year_day, now.tm_yday - 1, year_days):
        return False
    if by_month is not None and not _is_one(by_month, now.tm_mon - 1, 12):
        return False
    if by_week is None or rule.frequency != "yearly":
        return True
    # The week as strftime's %W has it: the first Monday begins week 1.
    week = (now.tm_yday - 1 + 7 - now.tm_wday) // 7
    last = (year_days - 1 + 7 - (now.tm_wday + year_days - now.tm_yday) % 7) // 7
    return _is_one(by_week, week, last + 1)


# -- periods ----------------------------------------------------------------------------------------------------------


class PeriodError(ValueError):
    """A period cannot be read."""


#: The scales by their names: what they measure, from where to where.
_SCALES = {
    "year": ("yr", 1970, 1 << 30),
    "month": ("mo", 1, 12),
    "week": ("wk", 1, 6),
    "yday": ("yd", 1, 366),
    "mday": ("md", 1, 31),
    "wday": ("wd", 1, 7),
    "hour": ("hr", 0, 23),
    "minute": ("min", 0, 59),
    "second": ("sec", 0, 60),
}
_NAMES = {name: name for name in _SCALES} | {short: name for name, (short, _, _) in _SCALES.items()}
_SCALE = re.compile(r" *([a-z]+) *\{([^{}]*)\} *")

_Period = dict[str, list[tuple[int, int]]]


@lru_cache(maxsize=256)
def _periods(text: str) -> tuple[_Period, ...]:
    """Ranges of each scale, of each part of a period. Raises :class:`PeriodError`."""
    if text in ("never", "none"):
        return ()
    found = []
    for part in _parts(text.lower()):
        period: _Period = {}
        at = 0
        while part[at:].strip(" "):
            scale = _SCALE.match(part, at)
            if scale is None or scale[1] not in _NAMES:
                raise PeriodError(f"expected a scale such as wd{{mo-fr}} at {part[at:]!r}")
            name = _NAMES[scale[1]]
            period.setdefault(name, []).extend(_ranges(name, scale[2]))
            at = scale.end()
        found.append(period)
    return tuple(found)


def _parts(text: str) -> list[str]:
    """Divided at the commas outside of braces."""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "{") - (char == "}")
        if char == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _ranges(name: str, text: str) -> list[tuple[int, int]]:
    found = []
    for item in re.sub(r" *- *", "-", text).replace(",", " ").split(" "):
        if item:
            low, dash, high = item.partition("-")
            if "-" in high:
                raise PeriodError(f"expected a value or a range, got {item!r}")
            first = _value(name, low)
            found.append((first, _value(name, high) if dash and high else first))
    return found


def _value(name: str, text: str) -> int:
    _, least, most = _SCALES[name]
    digits = re.match(r"\+?\d+", text)
    if digits is not None:
        value = int(digits[0])
        if name == "year" and value < 100:
            return value  # two digits mean no year there is
    elif name == "month" and text[:3] in _MONTHS:
        value = _MONTHS.index(text[:3]) + 1
    elif name == "wday" and text[:2] in _DAYS:
        value = _DAYS.index(text[:2]) + 1
    else:
        raise PeriodError(f"expected a {name}, got {text!r}")
    if not least <= value <= most:
        raise PeriodError(f"expected a {name} from {least} to {most}, got {value}")
    return value


def in_period(text: str, when: int) -> bool:
    """Whether a UNIX time is in a period. Raises :class:`PeriodError`."""
    periods = _periods(text)
    now = time.localtime(when)
    day = (now.tm_wday + 1) % 7
    values = {
        "year": now.tm_year,
        "month": now.tm_mon,
        # The Sundays there have been in the month; what is before the first of them counts to it.
        "week": max(1, (now.tm_mday + 6 - day) // 7),
        "yday": now.tm_yday,
        "mday": now.tm_mday,
        "wday": day + 1,
        "hour": now.tm_hour,
        "minute": now.tm_min,
        "second": now.tm_sec,
    }
    return any(all(_within(name, values[name], ranges) for name, ranges in period.items()) for period in periods)


def _within(name: str, value: int, ranges: list[tuple[int, int]]) -> bool:
    for low, high in ranges:
        if low <= value <= high or low > high and name != "year" and (value >= low or value <= high):
            return True
    return False
