# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module mqueue."""

from typing import Any

def mq_add(mq: str, key: str, val: str, /) -> int:
    """Put a pair at the end of a queue; the oldest goes when it is full. 1, -1 without such a queue."""

def mq_fetch(mq: str, /) -> int:
    """Take the oldest pair out, for ``$mqk(mq)`` and ``$mqv(mq)``: 1, -2 the queue is empty, -1 no such queue."""

def mq_pv_free(mq: str, /) -> int:
    """Forget the pair that was taken out: 1, also without such a queue."""

def mq_size(mq: str, /) -> int:
    """How many pairs a queue has, -1 without such a queue."""

def mqk_get(qname: str, /) -> Any | None:
    """The key of the pair taken out last, None without one."""

def mqk_gete(qname: str, /) -> Any:
    """The key of the pair taken out last, None, as in Kamailio, without one."""

def mqk_getw(qname: str, /) -> Any:
    """The key of the pair taken out last, None, as in Kamailio, without one."""

def mqv_get(qname: str, /) -> Any | None:
    """The value of the pair taken out last, None without one."""

def mqv_gete(qname: str, /) -> Any:
    """The value of the pair taken out last, None, as in Kamailio, without one."""

def mqv_getw(qname: str, /) -> Any:
    """The value of the pair taken out last, None, as in Kamailio, without one."""
