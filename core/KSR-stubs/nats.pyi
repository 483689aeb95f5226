# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module nats."""

from typing import Any

def publish(text1: str, text2: str, /) -> int: ...

def publish_request(text1: str, text2: str, text3: str, /) -> int: ...
