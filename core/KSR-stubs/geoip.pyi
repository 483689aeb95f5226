# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module geoip."""

from typing import Any

def match(text1: str, text2: str, /) -> int:
    """Look an address up in the GeoIP database for $gip(name=>key)."""
