# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module rtjson."""

from typing import Any

def init_routes(text1: str, /) -> int:
    """Take over the routing that a JSON document describes."""

def next_route() -> int:
    """Go on to the next route of the JSON document, after a failure."""

def push_routes() -> int:
    """Set destinations and attributes of the request as the JSON document says."""

def update_branch() -> int:
    """Change this branch as the JSON document says."""
