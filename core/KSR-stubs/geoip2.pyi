# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module geoip2."""

from typing import Any

def distance(text1: str, text2: str, text3: str, /) -> int:
    """The distance in miles between an address and a place of this latitude and longitude."""

def match(text1: str, text2: str, /) -> int:
    """Look an address up in the GeoIP2 database for $gip2(name=>key)."""
