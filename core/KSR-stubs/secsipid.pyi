# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module secsipid."""

from typing import Any

def result_str(text1: str, text2: str, /) -> int:
    """Put the text for a result of the secsipid library into a variable."""

def secsipid_add_identity(text1: str, text2: str, text3: str, text4: str, text5: str, text6: str, /) -> int:
    """Add an Identity header (STIR), signed with the private key in a file."""

def secsipid_build_identity(text1: str, text2: str, text3: str, text4: str, text5: str, text6: str, /) -> int:
    """Make the value of Identity (STIR) with the private key in a file, into $secsipid(val)."""

def secsipid_build_identity_prvkey(text1: str, text2: str, text3: str, text4: str, text5: str, text6: str, /) -> int:
    """Make the value of Identity (STIR) with a private key, into $secsipid(val)."""

def secsipid_check(text1: str, text2: str, /) -> int:
    """Check a value of Identity (STIR) with the public keys in a file, or downloaded."""

def secsipid_check_identity(text1: str, /) -> int:
    """Check the Identity header (STIR) with the public keys in a file, or downloaded."""

def secsipid_check_identity_pubkey(text1: str, /) -> int:
    """Check the Identity header (STIR) with a public key."""

def secsipid_get_url(text1: str, /) -> Any | None:
    """The content at a URL."""

def secsipid_get_val() -> Any | None:
    """The value that the last function has made, as $secsipid(val)."""

def secsipid_sign(text1: str, text2: str, text3: str, /) -> int:
    """Sign JSON headers and a payload with the private key in a file, into $secsipid(val)."""

def secsipid_sign_prvkey(text1: str, text2: str, text3: str, /) -> int:
    """Sign JSON headers and a payload with a private key, into $secsipid(val)."""

def secsipid_verify(text1: str, text2: str, text3: str, /) -> int:
    """Check a value of Identity (STIR) with a public key; options leave out parts."""
