# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module xhttp_prom."""

from typing import Any

def check_uri() -> int:
    """1 for an HTTP request for /metrics, else 0."""

def counter_inc_l0(s_name: str, number: int, /) -> int:
    """Add a number, 0 or more, to a counter: 1, -1 for a wrong name, number or count of labels."""

def counter_inc_l1(s_name: str, number: int, l0: str, /) -> int:
    """Add to a counter with a label: see ``counter_inc_l0``."""

def counter_inc_l2(s_name: str, number: int, l0: str, l1: str, /) -> int:
    """Add to a counter with two labels: see ``counter_inc_l0``."""

def counter_inc_l3(s_name: str, number: int, l0: str, l1: str, l2: str, /) -> int:
    """Add to a counter with three labels: see ``counter_inc_l0``."""

def counter_reset_l0(s_name: str, /) -> int:
    """Set a counter to 0: 1, -1 for a wrong name or count of labels."""

def counter_reset_l1(s_name: str, l0: str, /) -> int:
    """Set a counter with a label to 0."""

def counter_reset_l2(s_name: str, l0: str, l1: str, /) -> int:
    """Set a counter with two labels to 0."""

def counter_reset_l3(s_name: str, l0: str, l1: str, l2: str, /) -> int:
    """Set a counter with three labels to 0."""

def dispatch() -> int:
    """Answer the HTTP request with the page: 0; 1, and nothing is done, for a request that is not HTTP."""

def gauge_inc_l0(s_name: str, s_number: str, /) -> int:
    """Add the number in a text to a gauge: 1, -1 for a wrong name or count of labels.

    Kamailio 6.1 and later.
    """

def gauge_inc_l1(s_name: str, s_number: str, l0: str, /) -> int:
    """Add to a gauge with a label: see ``gauge_inc_l0``."""

def gauge_inc_l2(s_name: str, s_number: str, l0: str, l1: str, /) -> int:
    """Add to a gauge with two labels: see ``gauge_inc_l0``."""

def gauge_inc_l3(s_name: str, s_number: str, l0: str, l1: str, l2: str, /) -> int:
    """Add to a gauge with three labels: see ``gauge_inc_l0``."""

def gauge_reset_l0(s_name: str, /) -> int:
    """Set a gauge to 0: 1, -1 for a wrong name or count of labels."""

def gauge_reset_l1(s_name: str, l0: str, /) -> int:
    """Set a gauge with a label to 0."""

def gauge_reset_l2(s_name: str, l0: str, l1: str, /) -> int:
    """Set a gauge with two labels to 0."""

def gauge_reset_l3(s_name: str, l0: str, l1: str, l2: str, /) -> int:
    """Set a gauge with three labels to 0."""

def gauge_set_l0(s_name: str, s_number: str, /) -> int:
    """Set a gauge to the number in a text: 1, -1 for a wrong name or count of labels."""

def gauge_set_l1(s_name: str, s_number: str, l0: str, /) -> int:
    """Set a gauge with a label: see ``gauge_set_l0``."""

def gauge_set_l2(s_name: str, s_number: str, l0: str, l1: str, /) -> int:
    """Set a gauge with two labels: see ``gauge_set_l0``."""

def gauge_set_l3(s_name: str, s_number: str, l0: str, l1: str, l2: str, /) -> int:
    """Set a gauge with three labels: see ``gauge_set_l0``."""

def histogram_observe_l0(s_name: str, s_number: str, /) -> int:
    """Count the number in a text in a histogram: 1, -1 for a wrong name or count of labels."""

def histogram_observe_l1(s_name: str, s_number: str, l0: str, /) -> int:
    """Count in a histogram with a label: see ``histogram_observe_l0``."""

def histogram_observe_l2(s_name: str, s_number: str, l0: str, l1: str, /) -> int:
    """Count in a histogram with two labels: see ``histogram_observe_l0``."""

def histogram_observe_l3(s_name: str, s_number: str, l0: str, l1: str, l2: str, /) -> int:
    """Count in a histogram with three labels: see ``histogram_observe_l0``."""
