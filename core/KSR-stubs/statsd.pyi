# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module statsd."""

from typing import Any

def statsd_decr(key: str, /) -> int:
    """Count -1: 1, -1 when it could not be sent."""

def statsd_gauge(key: str, val: str, /) -> int:
    """Set a gauge, with + or - change it: 1, -1 when it could not be sent."""

def statsd_histogram(key: str, val: str, /) -> int:
    """Put a value into a histogram: 1, -1 when it could not be sent."""

def statsd_incr(key: str, /) -> int:
    """Count 1: 1, -1 when it could not be sent."""

def statsd_labels_decr(key: str, labels: str, /) -> int:
    """``statsd_decr`` with labels (Kamailio 5.8 and later)."""

def statsd_labels_gauge(key: str, val: str, labels: str, /) -> int:
    """``statsd_gauge`` with labels (Kamailio 5.8 and later)."""

def statsd_labels_histogram(key: str, val: str, labels: str, /) -> int:
    """``statsd_histogram`` with labels (Kamailio 5.8 and later)."""

def statsd_labels_incr(key: str, labels: str, /) -> int:
    """``statsd_incr`` with labels (Kamailio 5.8 and later)."""

def statsd_labels_set(key: str, val: str, labels: str, /) -> int:
    """``statsd_set`` with labels (Kamailio 5.8 and later)."""

def statsd_labels_stop(key: str, labels: str, /) -> int:
    """``statsd_stop`` with labels (Kamailio 5.8 and later)."""

def statsd_set(key: str, val: str, /) -> int:
    """Put a number into a set: 1, 0 for what is no number, -1 when it could not be sent."""

def statsd_start(key: str, /) -> int:
    """Begin to measure a time: 1."""

def statsd_stop(key: str, /) -> int:
    """Send the time since statsd_start of that key, in this message or transaction: 1, 0 it was not begun."""
