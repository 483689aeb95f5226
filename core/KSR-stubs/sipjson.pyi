# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module sipjson."""

from typing import Any

def sj_serialize(smode: str, svar: str, /) -> int:
    """Put the attributes of the message into a variable as JSON; mode B: with the body. 1, -1 for no variable.

    mt: 2 a request, 1 a reply; rm method, pr transport, si sp source, Ri Rp our socket, ru rU rd rp the
    Request-URI, its user, host and port, rs rr status and reason, fU fd From's user and host, ua User-Agent,
    ci Call-ID, rb the body.
    """
