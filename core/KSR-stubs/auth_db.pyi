# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module auth_db."""

from typing import Any

def auth_check(realm: str, table: str, flags: int, /) -> int:
    """Check the request's credentials for ``realm`` against ``table``.

    ``flags``: 1 the user must be that of From (REGISTER: and of To; PUBLISH: and of the R-URI); 2 with 1: not for
    INVITE, BYE, PRACK, UPDATE, MESSAGE. 1; -1 error, -2 wrong password, -3 no such user, -4 nonce too old, -5 no
    credentials, -6 nonce used before, -8 another user.
    """

def is_subscriber(uri: str, table: str, flags: int, /) -> int:
    """Whether ``table`` has the user of ``uri``, with its domain when ``flags`` has 1: 1, -2 not there, -1 error.

    Without 2 in ``flags`` the columns of load_credentials are loaded; -1 then when none are set.
    """

def www_authenticate(realm: str, table: str, /) -> int:
    """Check the credentials in Authorization against ``table`` (Kamailio 6.0 and later).

    Results as of auth_check.
    """

def www_authenticate_method(realm: str, table: str, method: str, /) -> int:
    """``www_authenticate`` as if the request had that method."""
