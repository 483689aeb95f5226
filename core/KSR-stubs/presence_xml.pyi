# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module presence_xml."""

from typing import Any

def pres_check_activities(text1: str, text2: str, /) -> int:
    """Whether the presence document of a URI has this activity."""

def pres_check_basic(text1: str, text2: str, /) -> int:
    """Whether the presence document of a URI has this basic status."""
