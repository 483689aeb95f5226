# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module xmlrpc."""

from typing import Any

def dispatch_rpc() -> int: ...

def xmlrpc_reply(code1: int, text2: str, /) -> int: ...
