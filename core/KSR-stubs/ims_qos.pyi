# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module ims_qos."""

from typing import Any

def Rx_AAR(text1: str, text2: str, text3: str, code4: int, text5: str, /) -> int:
    """Ask the policy server (Diameter Rx) for the call's resources; a route goes on then."""

def Rx_AAR_Register(text1: str, text2: str, /) -> int:
    """Subscribe at the policy server (Diameter Rx) to the signalling's state; a route goes on then."""
