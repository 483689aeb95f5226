# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module rabbitmq."""

from typing import Any

def publish(text1: str, text2: str, text3: str, text4: str, /) -> int:
    """Send a body of a content type to an exchange of RabbitMQ under a routing key."""

def publish_consume(text1: str, text2: str, text3: str, text4: str, text5: str, /) -> int:
    """Like publish, then wait for the reply and put it into a variable."""
