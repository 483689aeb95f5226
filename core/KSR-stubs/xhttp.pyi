# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module xhttp."""

from typing import Any

def get_hu() -> Any | None:
    """The URL of the HTTP request, ``$hu``."""

def xhttp_reply(code: int, reason: str, ctype: str, body: str, /) -> int:
    """Reply with a Content-Type ('' for none) and a body; 0 when sent, -1 when not.

    A second body for the same request is refused. What ``KSR.hdr.append_to_reply()`` added goes along.
    """
