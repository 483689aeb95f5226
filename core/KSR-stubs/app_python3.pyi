# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module app_python3."""

from typing import Any

def exec(text1: str, /) -> int:
    """Call this method of the Python script's object; its int is the result."""

def exec_p1(text1: str, text2: str, /) -> int:
    """Call this method of the Python script's object with one text."""

def execx(text1: str, /) -> int:
    """Call this method of the Python script's object, as exec does."""
