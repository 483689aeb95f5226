# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module exec."""

from typing import Any

def exec_avp(text1: str, /) -> int:
    """Run a shell command and keep the lines it prints in the AVPs 1, 2, 3 and so on."""

def exec_cmd(text1: str, /) -> int:
    """Run a shell command without the message and its environment; whether it succeeded."""

def exec_dset(text1: str, /) -> int:
    """Run a shell command with the Request-URI as argument: the lines it prints are the new URIs."""

def exec_msg(text1: str, /) -> int:
    """Run a shell command with the whole message on its standard input."""
