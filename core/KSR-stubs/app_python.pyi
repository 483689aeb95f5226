# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module app_python."""

from typing import Any

def exec(text1: str, /) -> int:
    """Call this function of the Python 2 script; 1 unless it returns something else."""

def exec_p1(text1: str, text2: str, /) -> int:
    """Call this function of the Python 2 script with one text."""

def execx(text1: str, /) -> int:
    """Call this function of the Python 2 script, as exec does."""
