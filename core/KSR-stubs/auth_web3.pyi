# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module auth_web3."""

from typing import Any

def web3_proxy_authenticate(text1: str, text2: str, /) -> int:
    """Verify the Proxy-Authorization of a realm with a smart contract on a blockchain."""

def web3_www_authenticate(text1: str, text2: str, /) -> int:
    """Verify the Authorization of a realm with a smart contract on a blockchain."""
