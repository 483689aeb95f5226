# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module xcap_server."""

from typing import Any

def xcaps_del(text1: str, text2: str, /) -> int:
    """Handle an XCAP DELETE for a user and path."""

def xcaps_get(text1: str, text2: str, /) -> int:
    """Handle an XCAP GET for a user and path."""

def xcaps_put(text1: str, text2: str, text3: str, /) -> int:
    """Handle an XCAP PUT of a document for a user and path."""
