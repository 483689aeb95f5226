# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module sanity."""

from typing import Any

def sanity_check(checks: int, uris: int, /) -> int:
    """Run the checks (sum of the README's numbers) on the message, on the URIs in ``uris``.

    1 passed; -1 failed, and a request other than ACK was answered 400 or 420 unless ``noreply`` is set.
    """

def sanity_check_defaults() -> int:
    """The checks of ``default_checks`` on the URIs of ``uri_checks``."""

def sanity_reply() -> int:
    """With ``noreply``: send the reply of the check that failed, if one did."""
