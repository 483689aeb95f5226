# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module slack."""

from typing import Any

def slack_send(text1: str, /) -> int:
    """Send a text to the Slack channel."""
