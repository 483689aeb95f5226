# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module auth."""

from typing import Any

def auth_algorithm(alg: str, /) -> int:
    """Use another algorithm from now on, MD5 or SHA-256 ('' MD5, not named): 1, -1 for another."""

def auth_challenge(realm: str, flags: int, /) -> int:
    """Challenge: 401 with WWW-Authenticate for a REGISTER, 407 with Proxy-Authenticate for others.

    ``flags``: 1 qop="auth", 2 qop="auth-int", 4 no 500 when it fails, 16 stale=true. 1, or -3 when no reply could
    be sent (an ACK).
    """

def auth_get_www_authenticate(realm: str, flags: int, pvdst: str, /) -> int:
    """Put a WWW-Authenticate field, with its line end, into a variable: 1, -1 when it cannot be."""

def consume_credentials() -> int:
    """Remove the credentials that a check found for its realm, right or wrong: 1, -1 when there are none."""

def has_credentials(realm: str, /) -> int:
    """1 when the request has credentials for ``realm`` in Authorization or Proxy-Authorization, else -1."""

def proxy_challenge(realm: str, flags: int, /) -> int:
    """``auth_challenge`` with 407 and Proxy-Authenticate for every method."""

def pv_auth_check(realm: str, passwd: str, flags: int, checks: int, /) -> int:
    """Check the credentials against a password.

    ``flags``: 1 ``passwd`` is an HA1; 2, 4, 8 put a challenge without qop, with auth, with auth-int into
    ``$avp(digest_challenge)`` when it fails. ``checks``: 1 the user must be that of From
    (and of To in a REGISTER). 1, -1 error, -2 wrong password, -4 nonce too old, -5 no credentials, -6 nonce used,
    -8 another user.
    """

def pv_proxy_authenticate(realm: str, passwd: str, flags: int, /) -> int:
    """``pv_www_authenticate`` for the credentials in Proxy-Authorization."""

def pv_www_authenticate(realm: str, passwd: str, flags: int, /) -> int:
    """Check the credentials in Authorization against a password.

    ``flags`` and results as of pv_auth_check, without its checks of users.
    """

def pv_www_authenticate_method(realm: str, passwd: str, flags: int, method: str, /) -> int:
    """``pv_www_authenticate`` as if the request had that method."""

def www_challenge(realm: str, flags: int, /) -> int:
    """``auth_challenge`` with 401 and WWW-Authenticate for every method."""
