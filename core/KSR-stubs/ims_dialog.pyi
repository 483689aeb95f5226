# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module ims_dialog."""

from typing import Any

def get_profile_size(text1: str, text2: str, text3: str, /) -> int: ...

def is_known_dlg() -> int: ...

def set_dlg_profile(text1: str, text2: str, /) -> int: ...
