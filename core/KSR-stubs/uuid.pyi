# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module uuid."""

from typing import Any

def get() -> Any | None:
    """A UUID by chance."""

def rget() -> Any | None:
    """A UUID by chance."""

def tget() -> Any | None:
    """A UUID by the time."""
