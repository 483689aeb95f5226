# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module kazoo."""

from typing import Any

def kazoo_publish(text1: str, text2: str, text3: str, /) -> int:
    """Send JSON to an exchange of RabbitMQ under a routing key."""

def kazoo_subscribe(text1: str, /) -> int:
    """Subscribe at RabbitMQ as this JSON says: exchange, type, queue, routing."""
