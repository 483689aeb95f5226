# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module call_control."""

from typing import Any

def call_control() -> int:
    """Ask the callcontrol application how long a prepaid call may last, and end it then."""
