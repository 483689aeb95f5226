# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module utils."""

from typing import Any

def xcap_auth_status(text1: str, text2: str, /) -> int:
    """Whether a watcher may see the presence of a URI, by the presence server's database."""
