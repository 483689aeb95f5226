# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module influxdbc."""

from typing import Any

def ic_long(text1: str, code2: int, /) -> int:
    """Add a whole number under a name to what goes to InfluxDB."""

def measure(text1: str, /) -> int:
    """Begin a group of values of this name for InfluxDB."""

def measureend() -> int:
    """End the group of values."""

def push() -> int:
    """Send the values kept so far to InfluxDB."""
