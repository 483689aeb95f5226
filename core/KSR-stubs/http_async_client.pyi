# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module http_async_client."""

from typing import Any

def query(sdata: str, rn: str, /) -> int:
    """Ask the URL ``sdata``; the callback ``rn`` runs with the answer. 0 with a transaction, which waits until
    then: the script should end; 1 without, -1 an error.
    """

def send(sdata: str, rn: str, /) -> int:
    """Ask a URL, no transaction waiting; the callback ``rn`` runs with the answer: 1, -1.

    Kamailio 6.2 and later.
    """

def send_xdata(sdata: str, rn: str, xdata: str, /) -> int:
    """``send`` with a text that the callback finds in $http_xdata (Kamailio 6.2 and later)."""
