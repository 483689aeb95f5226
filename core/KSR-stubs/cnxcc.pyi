# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module cnxcc."""

from typing import Any

def get_channel_count(text1: str, text2: str, /) -> int:
    """Put the number of a customer's calls into a variable."""

def set_max_channels(text1: str, code2: int, /) -> int:
    """Limit how many calls a customer may have at once."""

def set_max_credit(text1: str, text2: str, text3: str, text4: str, code5: int, code6: int, /) -> int:
    """Give a customer's call credit: the amount, what connecting costs, and what each pulse costs."""

def set_max_time(text1: str, code2: int, /) -> int:
    """Limit how many seconds a customer's call may last."""

def terminate_all(text1: str, /) -> int:
    """End all calls of a customer."""

def update_max_time(text1: str, code2: int, /) -> int:
    """Change the limit in seconds of a customer's call that is up."""
