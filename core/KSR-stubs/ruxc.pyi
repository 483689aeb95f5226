# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module ruxc."""

from typing import Any

def http_delete(url: str, body: str, hdrs: str, dpv: str, /) -> int:
    """DELETE a URL, with a body unless that is '': see ``http_get``."""

def http_get(url: str, hdrs: str, dpv: str, /) -> int:
    """GET a URL with header fields ('' for none) into the variable ``dpv``: the status code, -1 for no answer."""

def http_post(url: str, body: str, hdrs: str, dpv: str, /) -> int:
    """POST ``body`` to a URL: see ``http_get``."""
