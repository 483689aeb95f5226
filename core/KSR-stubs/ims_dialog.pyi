# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module ims_dialog."""

from typing import Any

def get_profile_size(text1: str, text2: str, text3: str, /) -> int:
    """Put the number of dialogs in a profile into a variable."""

def is_known_dlg() -> int:
    """Whether the message belongs to a dialog; Kamailio does not do this yet."""

def set_dlg_profile(text1: str, text2: str, /) -> int:
    """Put the dialog into a profile, under a value where the profile has values."""
