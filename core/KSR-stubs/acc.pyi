# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module acc."""

from typing import Any

def acc_db_request(comment: str, table: str, /) -> int:
    """Write a row about the request into ``table``: 1, -1 when that fails."""

def acc_log_request(comment: str, /) -> int:
    """Write a line about the request; ``comment``: "404 Not Found" or a text. 1, -1 for ''."""

def acc_request(comment: str, table: str, /) -> int:
    """Both: a line and a row. 1, -1 when one of them fails."""
