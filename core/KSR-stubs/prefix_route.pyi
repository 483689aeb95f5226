# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module prefix_route."""

from typing import Any

def prefix_route(text1: str, /) -> int:
    """Run the route that the longest prefix of this user has."""

def prefix_route_uri() -> int:
    """Run the route that the longest prefix of the Request-URI's user has."""
