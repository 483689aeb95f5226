# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module jwt."""

from typing import Any

def jwt_generate(text1: str, text2: str, text3: str, /) -> int:
    """Make a JSON web token, signed with a private key by an algorithm, into $jwt(val)."""

def jwt_generate_hdrs(text1: str, text2: str, text3: str, text4: str, /) -> int:
    """Like jwt_generate, with headers of its own."""

def jwt_verify(text1: str, text2: str, text3: str, text4: str, /) -> int:
    """Verify a JSON web token by a file with the public key, an algorithm and claims."""

def jwt_verify_key(text1: str, text2: str, text3: str, text4: str, /) -> int:
    """Verify a JSON web token by the public key itself, an algorithm and claims."""
