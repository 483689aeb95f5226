# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module app_python3s."""

from typing import Any

def exec(text1: str, /) -> int:
    """Call this function of the Python script that app_python3s has loaded."""

def exec_p1(text1: str, text2: str, /) -> int:
    """Call this function of the Python script that app_python3s has loaded, with one text."""

def execx(text1: str, /) -> int:
    """Call this function of the Python script that app_python3s has loaded, as exec does."""
