# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module uac."""

from typing import Any

def uac_auth() -> int:
    """Answer the challenge of the reply that won, in a failure route: 1, and t_relay() sends it; -1."""

def uac_auth_mode(vmode: int, /) -> int:
    """``uac_auth``; mode 1: the password is an HA1."""

def uac_reg_disable(attr: str, val: str, /) -> int:
    """Disable the registration whose ``attr`` is ``val``: 1, -2 without one, -3 for another attribute."""

def uac_reg_enable(attr: str, val: str, /) -> int:
    """Enable the registration whose ``attr`` is ``val``: 1, -2 without one, -3 for another attribute."""

def uac_reg_lookup(userid: str, sdst: str, /) -> int:
    """Put the local address of a registration, by its uuid, into the variable ``sdst``: 1, -1 without one."""

def uac_reg_lookup_uri(suri: str, sdst: str, /) -> int:
    """Put the uuid of a URI's user's registration into the variable ``sdst``: 1, -1 without one, -2 no URI."""

def uac_reg_refresh(l_uuid: str, /) -> int:
    """Read one registration from the table again: 1, -1 when there is no such row."""

def uac_reg_request_to(userid: str, imode: int, /) -> int:
    """Send this request to the registrar of a registration, by uuid (mode 0) or local user (1): 1, -1.

    Sets Request-URI, destination URI, and the credentials that uac_auth() takes.
    """

def uac_reg_status(sruuid: str, /) -> int:
    """1 registered, -1 no such uuid, -2 being registered, -3 disabled, -99 not registered at the moment."""

def uac_replace_from(pdsp: str, puri: str, /) -> int:
    """Replace display name ('' removes it) and URI ('' leaves it) of the From: 1, -1 error."""

def uac_replace_from_uri(puri: str, /) -> int:
    """Replace the URI of the From: 1, -1 error."""

def uac_replace_to(pdsp: str, puri: str, /) -> int:
    """Replace display name ('' removes it) and URI ('' leaves it) of the To: 1, -1 error."""

def uac_replace_to_uri(puri: str, /) -> int:
    """Replace the URI of the To: 1, -1 error."""

def uac_req_send() -> int:
    """Send the request that $uac_req(...) describes: 1, -1 when it cannot be sent."""

def uac_restore_from() -> int:
    """Put what our Route keeps for the From into a request within the dialog: 1, -1 without any."""

def uac_restore_to() -> int:
    """Put what our Route keeps for the To into a request within the dialog: 1, -1 without any."""
