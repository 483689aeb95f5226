# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module app_jsdt."""

from typing import Any

def dofile(text1: str, /) -> int:
    """Run the JavaScript file at this path."""

def dostring(text1: str, /) -> int:
    """Run this JavaScript text."""

def run(text1: str, /) -> int:
    """Call this JavaScript function of the loaded script."""

def run_p1(text1: str, text2: str, /) -> int:
    """Call this JavaScript function of the loaded script with one text."""

def run_p2(text1: str, text2: str, text3: str, /) -> int:
    """Call this JavaScript function of the loaded script with two texts."""

def run_p3(text1: str, text2: str, text3: str, text4: str, /) -> int:
    """Call this JavaScript function of the loaded script with three texts."""

def runstring(text1: str, /) -> int:
    """Run this JavaScript text in the context of the script that was loaded at startup."""
