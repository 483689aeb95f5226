# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module tls."""

from typing import Any

def cget(text1: str, /) -> Any | None: ...

def is_peer_verified() -> int: ...

def set_connect_server_id(text1: str, /) -> int: ...
