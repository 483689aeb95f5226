# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module xmlrpc."""

from typing import Any

def dispatch_rpc() -> int:
    """Answer the request, whose body is an XML-RPC document; what is none is answered with a fault. 1, -1 when
    the answer could not be sent.
    """

def xmlrpc_reply(rcode: int, reason: str, /) -> int:
    """Reply with the integer 1, whatever the code and the reason: that is what Kamailio's does from KEMI."""
