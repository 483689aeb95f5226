# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module hdr."""

from typing import Any

def append(text: str, /) -> int:
    """Add ``text``, whole field lines with their CRLF, after the last header field."""

def append_after(text: str, name: str, /) -> int:
    """Add ``text`` after the first field called ``name``, after the last field when there is none."""

def append_to_reply(text: str, /) -> int:
    """Add ``text``, whole field lines with their CRLF, to the replies this proxy makes to the request."""

def get(name: str, /) -> Any | None:
    """The body of the first field called ``name``, None without one."""

def get_idx(name: str, idx: int, /) -> Any | None:
    """The body of field ``idx`` of that name (0 the first, -1 the last), None without one."""

def gete(name: str, /) -> Any:
    """The body of the first field called ``name``, '' without one."""

def gete_idx(name: str, idx: int, /) -> Any:
    """The body of field ``idx`` of that name (0 the first, -1 the last), '' without one."""

def getw(name: str, /) -> Any:
    """The body of the first field called ``name``, '<null>' without one."""

def getw_idx(name: str, idx: int, /) -> Any:
    """The body of field ``idx`` of that name (0 the first, -1 the last), '<null>' without one."""

def insert(text: str, /) -> int:
    """Add ``text``, whole field lines with their CRLF, before the first header field."""

def insert_before(text: str, name: str, /) -> int:
    """Add ``text`` before the first field called ``name``, before the first field when there is none."""

def is_present(name: str, /) -> int:
    """1 when there is a field called ``name`` (compact or long form, in any case), else -1."""

def match_content(name: str, op: str, value: str, which: str, /) -> bool:
    """Compare the bodies of the fields called ``name`` with ``value``, in any case.

    ``op``: eq, ne, sw (starts with), in (contains). ``which``: f the first field, l the last, a all of them,
    o at least one. (Kamailio 5.6.3 answers False to ``ne`` where two texts of one length differ.)
    """

def remove(name: str, /) -> int:
    """Remove every field called ``name``: 1, also when there is none; -1 for ''."""

def rmappend(name: str, text: str, /) -> int:
    """Remove every field called ``name`` and add ``text`` after the last field."""

def rminsert(name: str, text: str, /) -> int:
    """Remove every field called ``name`` and add ``text`` before the first field."""
