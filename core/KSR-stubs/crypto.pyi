# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module crypto."""

from typing import Any

def aes_decrypt(text1: str, text2: str, text3: str, /) -> int: ...

def aes_encrypt(text1: str, text2: str, text3: str, /) -> int: ...

def hmac_sha256(text1: str, text2: str, text3: str, /) -> int: ...
