# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module kafka."""

from typing import Any

def send(text1: str, text2: str, /) -> int:
    """Send a message to a Kafka topic."""

def send_key(text1: str, text2: str, text3: str, /) -> int:
    """Send a message with a key to a Kafka topic."""
