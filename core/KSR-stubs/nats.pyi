# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module nats."""

from typing import Any

def publish(subject: str, payload: str, /) -> int:
    """Publish a message, now or when there is a connection: 1, whatever becomes of it."""

def publish_request(subject: str, payload: str, reply: str, /) -> int:
    """Publish a message whose answers go to the subject ``reply``: 1."""
