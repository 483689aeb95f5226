# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module rabbitmq."""

from typing import Any

def publish(text1: str, text2: str, text3: str, text4: str, /) -> int: ...

def publish_consume(text1: str, text2: str, text3: str, text4: str, text5: str, /) -> int: ...
