# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module cfgutils."""

from typing import Any

def abort() -> int:
    """End the server at once, as a crash would (SIGABRT). Raises KsrError in a sandbox."""

def check_route_exists(route: str, /) -> int:
    """-1: only scripts in the native language have routes by name."""

def core_hash(s1: str, s2: str, sz: int, /) -> int:
    """A hash of one or two texts: from 1 to 2 to the power of ``sz``, which is from 1 to 31."""

def lock(lkey: str, /) -> int:
    """Lock a key, waiting for whoever has it: 1; -1 without locks, and when it is not free within 10 seconds."""

def lock_key2(lkey1: str, lkey2: str, /) -> int:
    """``lock`` for two texts as one key (Kamailio 6.0 and later)."""

def pkg_status() -> int:
    """Log how much memory the server has used: 1. There is no memory of Kamailio's kinds here."""

def pkg_summary() -> int:
    """``pkg_status``."""

def rand_event() -> int:
    """1 with the probability set, else -1."""

def rand_get_prob() -> int:
    """The probability of rand_event, in percent."""

def rand_reset_prob() -> int:
    """Set the probability of rand_event to the initial one: 1."""

def rand_set_prob(percent_par: int, /) -> int:
    """Set the probability of rand_event, in percent: 1."""

def route_if_exists(route: str, /) -> int:
    """-1: only scripts in the native language have routes by name."""

def shm_status() -> int:
    """``pkg_status``."""

def shm_summary() -> int:
    """``pkg_status``."""

def sleep(v: int, /) -> int:
    """This message waits so many seconds, others do not: 1."""

def trylock(lkey: str, /) -> int:
    """Lock a key: 1, -1 when it is locked or there are no locks."""

def trylock_key2(lkey1: str, lkey2: str, /) -> int:
    """``trylock`` for two texts as one key (Kamailio 6.0 and later)."""

def unlock(lkey: str, /) -> int:
    """Unlock a key, whoever locked it: 1, -1 without locks."""

def unlock_key2(lkey1: str, lkey2: str, /) -> int:
    """``unlock`` for two texts as one key (Kamailio 6.0 and later)."""

def usleep(v: int, /) -> int:
    """This message waits so many microseconds, others do not: 1."""
