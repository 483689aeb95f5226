# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module uuid."""

from typing import Any

def get() -> Any | None: ...

def rget() -> Any | None: ...

def tget() -> Any | None: ...
