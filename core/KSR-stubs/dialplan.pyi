# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module dialplan."""

from typing import Any

def dp_match(dpid: int, s: str, /) -> int:
    """1 when a rule matches (its attributes go into attrs_pvar), -1 when none does, -2 without such rules."""

def dp_replace(dpid: int, src: str, dst: str, /) -> int:
    """Put ``src`` rewritten by the first rule that matches into the variable ``dst``; results as of dp_match."""

def dp_translate(dpid: int, /) -> int:
    """Rewrite the user of the Request-URI; results as of dp_match."""

def dp_translate_vars(dpid: int, input: str, output: str, /) -> int:
    """``dp_replace`` from the variable ``input`` to the variable ``output``."""
