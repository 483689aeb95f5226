# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module uri_db."""

from typing import Any

def check_from() -> int:
    """Whether the user in From is the one that authenticated, or one the uri table allows."""

def check_to() -> int:
    """Whether the user in To is the one that authenticated, or one the uri table allows."""

def check_uri(text1: str, /) -> int:
    """Whether the user in a URI is the one that authenticated, or one the uri table allows."""

def check_uri_realm(text1: str, text2: str, text3: str, /) -> int:
    """Whether a URI's user belongs to this user and realm."""

def does_uri_exist() -> int:
    """Whether the database has the Request-URI's user."""
