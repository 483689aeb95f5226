# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module jwt3."""

from typing import Any

def jwt3_generate(text1: str, text2: str, text3: str, /) -> int:
    """Make a JSON web token, signed with a private key by an algorithm, into $jwt3(val)."""

def jwt3_generate_hdrs(text1: str, text2: str, text3: str, text4: str, /) -> int:
    """Like jwt3_generate, with headers of its own."""

def jwt3_verify(text1: str, text2: str, text3: str, text4: str, /) -> int:
    """Verify a JSON web token by a public key's file or JWKS address, an algorithm and claims."""

def jwt3_verify_key(text1: str, text2: str, text3: str, text4: str, /) -> int:
    """Verify a JSON web token by the public key itself, an algorithm and claims."""
