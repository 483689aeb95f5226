# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module prefix_route."""

from typing import Any

def prefix_route(text1: str, /) -> int: ...

def prefix_route_uri() -> int: ...
