# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module sl."""

from typing import Any

def send_reply(code: int, reason: str, /) -> int:
    """Reply to the request: with its transaction when one was created, else without."""

def send_reply_error() -> int:
    """``sl_reply_error`` with the transaction when one was created (Kamailio 6.0 and later)."""

def send_reply_mode(code: int, reason: str, mode: int, /) -> int:
    """``send_reply``; mode is a sum of 1: open no connection for it, 2: close the connection after it."""

def sl_forward_reply(code: str, reason: str, /) -> int:
    """Forward the reply without its transaction; code of its class and reason replace its own ('' keeps both)."""

def sl_reply_error() -> int:
    """Reply 500 without a transaction, as Kamailio does here whatever failed."""

def sl_send_reply(code: int, reason: str, /) -> int:
    """Reply to the request without a transaction. A 3xx carries the destination set as Contacts."""
