# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module xhttp_pi."""

from typing import Any

def dispatch() -> int:
    """Answer the HTTP request with a page of the provisioning interface."""
