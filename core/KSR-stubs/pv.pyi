# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module pv."""

from typing import Any

def get(pvn: str, /) -> Any | None:
    """The value: str, int, or None for null."""

def gete(pvn: str, /) -> Any:
    """The value, '' for null."""

def geti(pvn: str, /) -> int:
    """The value as a number: of text the one it begins with; 0 for null and without one."""

def getl(pvn: str, /) -> Any | None:
    """The value as a number, like geti (Kamailio 5.7 and later)."""

def getvn(pvn: str, xi: int, /) -> Any:
    """The value, ``xi`` for null."""

def getvs(pvn: str, xs: str, /) -> Any:
    """The value, ``xs`` for null."""

def getw(pvn: str, /) -> Any:
    """The value, ``<null>`` for null."""

def is_null(pvn: str, /) -> bool:
    """Whether the value is null."""

def seti(pvn: str, vi: int, /) -> bool:
    """Assign a number. False when the variable takes none."""

def setl(pvn: str, vi: int, /) -> bool:
    """Assign a number, like seti (Kamailio 5.7 and later)."""

def sets(pvn: str, vs: str, /) -> bool:
    """Assign text. False when the variable takes none."""

def unset(pvn: str, /) -> bool:
    """Assign null: removes an AVP, resets others."""
