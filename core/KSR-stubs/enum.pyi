# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module enum."""

from typing import Any

def enum_i_query_suffix(text1: str, /) -> int:
    """Infrastructure ENUM: replace the Request-URI by what DNS has for its number below a suffix."""

def enum_pv_query(text1: str, /) -> int:
    """Replace the Request-URI by what ENUM has for the number in a variable."""

def enum_pv_query_suffix(text1: str, text2: str, /) -> int:
    """Like enum_pv_query, below this DNS suffix."""

def enum_pv_query_suffix_service(text1: str, text2: str, text3: str, /) -> int:
    """Like enum_pv_query, below this DNS suffix and for this ENUM service."""

def enum_query() -> int:
    """Replace the Request-URI by what ENUM (NAPTR in DNS) has for its number."""

def enum_query_suffix(text1: str, /) -> int:
    """Like enum_query, below this DNS suffix."""

def enum_query_suffix_service(text1: str, text2: str, /) -> int:
    """Like enum_query, below this DNS suffix and for this ENUM service."""

def i_enum_query() -> int:
    """Like enum_query, for infrastructure ENUM."""

def i_enum_query_suffix_service(text1: str, text2: str, /) -> int:
    """Like enum_query_suffix_service, for infrastructure ENUM."""

def is_from_user_enum() -> int:
    """Whether ENUM has the number in the From URI."""

def is_from_user_enum_suffix(text1: str, /) -> int:
    """Whether ENUM has the number in the From URI, below this DNS suffix."""

def is_from_user_enum_suffix_service(text1: str, text2: str, /) -> int:
    """Whether ENUM has the From URI's number below this suffix for this service."""
