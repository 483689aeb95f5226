# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module ss7ops."""

from typing import Any

def isup_to_json(code1: int, /) -> int:
    """Turn the ISUP part of a HEP packet of this protocol into JSON, for $isup."""
