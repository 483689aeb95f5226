# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module stirshaken."""

from typing import Any

def stirshaken_add_identity(text1: str, text2: str, text3: str, text4: str, text5: str, /) -> int:
    """Add an Identity header, signed with the default private key."""

def stirshaken_add_identity_with_key(text1: str, text2: str, text3: str, text4: str, text5: str, text6: str, /) -> int:
    """Add an Identity header, signed with the private key in a file."""

def stirshaken_check_identity() -> int:
    """Check the Identity header with the certificate that it names."""

def stirshaken_check_identity_with_cert(text1: str, /) -> int:
    """Check the Identity header with the certificate in a file."""

def stirshaken_check_identity_with_key(text1: str, /) -> int:
    """Check the Identity header with the public key in a file."""
