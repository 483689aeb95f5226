# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module jsonrpcs."""

from typing import Any

def dispatch() -> int:
    """Answer an HTTP request whose body is a JSON-RPC document. 1, or -1 when it is none: nothing is sent then.

    A SIP request is left alone (1).
    """

def exec(cmd: str, /) -> int:
    """Carry out a JSON-RPC document. 1, also when the command fails: see $jsonrpl(code), (text), (body); -1 when
    it is no JSON.
    """

def execx(cmd: str, /) -> int:
    """The same as exec, which is a reserved word in some languages."""

def response() -> Any | None:
    """The document that answered the last exec(), null before one: $jsonrpl(body)."""
