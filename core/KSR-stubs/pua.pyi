# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module pua."""

from typing import Any

def pua_set_publish() -> int:
    """Mark the REGISTER: what it registers is published as presence."""

def pua_update_contact() -> int:
    """Take the request's Contact as the target of our own subscription."""
