# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module misc_radius."""

from typing import Any

def does_uri_exist() -> int:
    """Whether RADIUS knows the Request-URI's user and host as a local user."""

def does_uri_exist_uval(text1: str, /) -> int:
    """Whether RADIUS knows the user and host of this URI as a local user."""

def does_uri_user_exist() -> int:
    """Whether RADIUS knows the Request-URI's user."""

def does_uri_user_exist_uval(text1: str, /) -> int:
    """Whether RADIUS knows this user."""

def is_user_in(text1: str, text2: str, /) -> int:
    """Whether a user belongs to a group, by RADIUS."""

def load_callee_avps(text1: str, /) -> int:
    """Load the attributes of this called user from RADIUS into AVPs."""

def load_caller_avps(text1: str, /) -> int:
    """Load the attributes of this calling user from RADIUS into AVPs."""
