# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module http_async_client."""

from typing import Any

def query(text1: str, text2: str, /) -> int: ...

def send(text1: str, text2: str, /) -> int: ...

def send_xdata(text1: str, text2: str, text3: str, /) -> int: ...
