# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module crypto."""

from typing import Any

def aes_decrypt(text1: str, text2: str, text3: str, /) -> int:
    """Decrypt a base64 text by AES with a key, into a variable."""

def aes_encrypt(text1: str, text2: str, text3: str, /) -> int:
    """Encrypt a text by AES with a key, into a variable as base64."""

def hmac_sha256(text1: str, text2: str, text3: str, /) -> int:
    """Put the HMAC-SHA256 of a text under a key into a variable, as base64url."""
