# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module dispatcher."""

from typing import Any

def ds_is_active(set: int, /) -> int:
    """1 when a destination of the set can be used, else -1."""

def ds_is_active_uri(set: int, uri: str, /) -> int:
    """1 when the destination of the set with that URI can be used, else -1."""

def ds_is_from_list(group: int, /) -> int:
    """1 when the source address and port are those of a destination of the set (-1: of any), else -1."""

def ds_is_from_list_mode(vset: int, vmode: int, /) -> int:
    """``ds_is_from_list``; the mode is a sum of 1: any port, 2: any transport, 4: only active destinations."""

def ds_is_from_list_uri(vset: int, vmode: int, vuri: str, /) -> int:
    """``ds_is_from_list_mode`` for the address of a URI."""

def ds_is_from_lists() -> int:
    """``ds_is_from_list`` over all sets."""

def ds_list_exists(set: int, /) -> int:
    """1 when there is such a set, else -1."""

def ds_load_unset() -> int:
    """The call is counted no more: 0, -1 when it was not."""

def ds_load_update() -> int:
    """BYE, CANCEL: the call is counted no more; a 2xx to INVITE: it is answered. 0."""

def ds_mark_addr(vstate: str, vgroup: int, vuri: str, /) -> int:
    """Mark the destination of a set with that URI, by the letters of ``ds_mark_dst_state``: 1, -1 without one."""

def ds_mark_dst() -> int:
    """Mark the destination in use inactive: 1, -1 without one."""

def ds_mark_dst_state(sval: str, /) -> int:
    """Mark the destination in use: a active, i inactive, t trying, d disabled; p with them: probing. 1, -1."""

def ds_next_domain() -> int:
    """The next selected destination in place of the host of the Request-URI: 1, -1 when there are no more."""

def ds_next_dst() -> int:
    """The next selected destination as the destination URI: 1, -1 when there are no more."""

def ds_reload() -> int:
    """Read the destinations again: 1, -1 when they cannot be used or reload_delta has not passed."""

def ds_select(set: int, alg: int, /) -> int:
    """Select destinations and keep them in the XAVP only: 1, -1 without any."""

def ds_select_domain(set: int, alg: int, /) -> int:
    """Select a destination and put it in place of the host of the Request-URI: 1, -1 without any."""

def ds_select_domain_limit(set: int, alg: int, limit: int, /) -> int:
    """``ds_select_domain`` that keeps at most ``limit`` destinations for failover, 0: all."""

def ds_select_dst(set: int, alg: int, /) -> int:
    """Select a destination of a set by an algorithm and make it the destination URI: 1, -1 without any."""

def ds_select_dst_limit(set: int, alg: int, limit: int, /) -> int:
    """``ds_select_dst`` that keeps at most ``limit`` destinations for failover, 0: all."""

def ds_select_limit(set: int, alg: int, limit: int, /) -> int:
    """``ds_select`` that keeps at most ``limit`` destinations, 0: all."""

def ds_select_routes(srules: str, smode: str, /) -> int:
    """Select by several rules ``set=alg;set=alg``; mode d: destination URI, r: Request-URI, x: XAVP only."""

def ds_select_routes_limit(srules: str, smode: str, rlimit: int, /) -> int:
    """``ds_select_routes`` that keeps at most ``rlimit`` destinations, 0: all."""

def ds_set_domain() -> int:
    """The selected destination in use in place of the host of the Request-URI: 1, -1 when there is none."""

def ds_set_dst() -> int:
    """The selected destination in use as the destination URI: 1, -1 when there is none."""
