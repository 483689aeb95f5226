# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module mqtt."""

from typing import Any

def publish(text1: str, text2: str, code3: int, /) -> int:
    """Send a message to an MQTT topic at a quality of service (0 to 2)."""

def subscribe(text1: str, code2: int, /) -> int:
    """Subscribe to an MQTT topic at a quality of service (0 to 2)."""

def unsubscribe(text1: str, /) -> int:
    """End the subscription to an MQTT topic."""
