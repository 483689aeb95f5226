# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module mediaproxy."""

from typing import Any

def end_media_session() -> int: ...

def engage_media_proxy() -> int: ...

def use_media_proxy() -> int: ...
