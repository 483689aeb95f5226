# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module ims_charging."""

from typing import Any

def Ro_CCR(text1: str, text2: str, code3: int, text4: str, text5: str, /) -> int:
    """Ask the charging server (Diameter Ro) for credit; a route goes on when it has answered."""

def Ro_CCR_Stop(text1: str, code2: int, text3: str, /) -> int:
    """Tell the charging server (Diameter Ro) that the call has ended, with the reason."""

def Ro_set_session_id_avp() -> int:
    """Put the session id of Diameter Ro into an AVP."""
