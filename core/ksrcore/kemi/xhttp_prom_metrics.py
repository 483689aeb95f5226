"""The metrics of xhttp_prom: counters, gauges and histograms by the values of their labels, and their text.

https://prometheus.io/docs/instrumenting/exposition_formats/, as Kamailio writes it: values of labels are not escaped.
"""

from __future__ import annotations

import re
from bisect import bisect_left

__all__ = ["COUNTER", "GAUGE", "HISTOGRAM", "Metric", "MetricError", "number_of", "parse_metric"]

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MOST_LABELS = 3
_NUMBER = re.compile(
    r"\s*([+-]?)(?:(0x[0-9a-f]+)|(nan|inf(?:inity)?)|((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?))", re.IGNORECASE
)


class MetricError(ValueError):
    """A metric is defined or used wrongly."""


def number_of(text: str) -> float:
    """What C's ``atof`` makes of a text: the number it begins with, 0 for none."""
    found = _NUMBER.match(text)
    if found is None:
        return 0.0
    sign, hexadecimal, word, decimal = found.groups()
    value = float(int(hexadecimal, 16)) if hexadecimal else float(word or decimal)
    return -value if sign == "-" else value


class _Value:
    """``used``: when it was last (seconds of unix time)."""

    __slots__ = ("number", "counts", "total", "used")

    def __init__(self, buckets: int) -> None:
        self.number: float = 0
        self.counts = [0] * (buckets + 1)
        self.total = 0.0
        self.used = 0.0


class Metric:
    """One metric; ``values`` are by the values of its labels, in the order they came."""

    def __init__(self, kind: str, name: str, labels: tuple[str, ...], buckets: tuple[float, ...] = ()) -> None:
        self.kind = kind
        self.name = name
        self.labels = labels
        self.buckets = buckets
        self.values: dict[tuple[str, ...], _Value] = {}

    def copy(self) -> Metric:
        new = Metric(self.kind, self.name, self.labels, self.buckets)
        for key, value in self.values.items():
            copied = new.values[key] = _Value(len(self.buckets))
            copied.number, copied.counts = value.number, value.counts[:]
            copied.total, copied.used = value.total, value.used
        return new

    def value(self, labels: tuple[str, ...], now: float) -> _Value:
        """The value for these labels, made when it is not there. Raises :class:`MetricError`."""
        if len(labels) != len(self.labels):
            raise MetricError(f"{self.name} has {len(self.labels)} labels, got {len(labels)} values")
        found = self.values.get(labels)
        if found is None:
            found = self.values[labels] = _Value(len(self.buckets))
        found.used = now
        return found

    def observe(self, labels: tuple[str, ...], number: float, now: float) -> None:
        """Count a number in its bucket. Raises :class:`MetricError`."""
        value = self.value(labels, now)
        # A NaN is less than no bound: it counts in +Inf alone.
        value.counts[bisect_left(self.buckets, number) if number == number else len(self.buckets)] += 1
        value.total += number

    def expire(self, before: float) -> None:
        """Forget what was not used since."""
        for key in [key for key, value in self.values.items() if value.used < before]:
            del self.values[key]

    def lines(self, beginning: str, stamp: int) -> list[str]:
        """Its lines; ``stamp`` is milliseconds of unix time."""
        found = []
        for key, value in self.values.items():
            pairs = [f'{label}="{text}"' for label, text in zip(self.labels, key, strict=True)]
            name = f"{beginning}{self.name}"
            braces = f"{{{', '.join(pairs)}}}" if pairs else ""
            if self.kind == HISTOGRAM:
                count = 0
                bounds = [*(f"{bound:f}" for bound in self.buckets), "+Inf"]
                for bound, number in zip(bounds, value.counts, strict=True):
                    count += number
                    inner = ", ".join([*pairs, f'le="{bound}"'])
                    found.append(f"{name}_bucket{{{inner}}} {count} {stamp}")
                found.append(f"{name}_sum{braces} {value.total:f} {stamp}")
                found.append(f"{name}_count{braces} {count} {stamp}")
            else:
                number_text = f"{value.number:d}" if self.kind == COUNTER else f"{value.number:f}"
                found.append(f"{name}{braces} {number_text} {stamp}")
        return found


def parse_metric(kind: str, text: str) -> Metric:
    """``name=NAME; label=A:B; buckets=1:2.5`` as a metric. Raises :class:`MetricError`."""
    name = ""
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = _BUCKETS if kind == HISTOGRAM else ()
    for part in text.split(";"):
        key, equals, value = (word.strip() for word in part.partition("="))
        if not part.strip():
            continue
        if not equals or " " in value:
            raise MetricError(f"expected name=NAME; label=A:B, got {text!r}")
        if key == "name":
            name = value
        elif key == "label":
            labels = tuple(value.split(":"))
            if "" in labels or len(labels) > _MOST_LABELS:
                raise MetricError(f"label expects one to {_MOST_LABELS} names divided by colons, got {value!r}")
        elif key == "buckets" and kind == HISTOGRAM:
            buckets = tuple(map(number_of, value.split(":")))
            if not value or any(a >= b for a, b in zip(buckets, buckets[1:], strict=False)):
                raise MetricError(f"buckets expects numbers that increase, divided by colons, got {value!r}")
        else:
            raise MetricError(f"a {kind} has no {key!r}")
    if not name:
        raise MetricError(f"expected name=NAME, got {text!r}")
    return Metric(kind, name, labels, buckets)
