# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module http_async_client."""

from typing import Any

def query(sdata: str, rn: str, /) -> int:
    """Ask the URL ``sdata``; the callback ``rn`` runs with the answer. 0 with a transaction, which waits until
    then: the script should end; 1 without, -1 an error.
    """

def send(text1: str, text2: str, /) -> int:
    """Ask this URL and go on with this callback when the answer comes."""

def send_xdata(text1: str, text2: str, text3: str, /) -> int:
    """Ask this URL and go on with this callback when the answer comes, with data for it."""
