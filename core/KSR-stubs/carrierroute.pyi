# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module carrierroute."""

from typing import Any

def cr_next_domain(text1: str, text2: str, text3: str, text4: str, text5: str, text6: str, /) -> int:
    """Put the next routing domain after a failure, by the reply code and host, into a variable."""

def cr_nofallback_route(text1: str, text2: str, text3: str, text4: str, text5: str, /) -> int:
    """Route by the longest prefix in a carrier's domain, without its default carrier."""

def cr_nofallback_route_info(text1: str, text2: str, text3: str, text4: str, text5: str, text6: str, /) -> int:
    """Like cr_nofallback_route, and put the route's description into a variable."""

def cr_route(text1: str, text2: str, text3: str, text4: str, text5: str, /) -> int:
    """Rewrite the Request-URI by the longest prefix in a domain of a carrier's tree."""

def cr_route_info(text1: str, text2: str, text3: str, text4: str, text5: str, text6: str, /) -> int:
    """Like cr_route, and put the route's description into a variable."""

def cr_user_carrier(text1: str, text2: str, text3: str, /) -> int:
    """Read the carrier of a user and domain from the database into a variable."""
