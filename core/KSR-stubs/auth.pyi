# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module auth."""

from typing import Any

def auth_algorithm(text1: str, /) -> int: ...

def auth_challenge(realm: str, flags: int, /) -> int:
    """Challenge: 401 with WWW-Authenticate for a REGISTER, 407 with Proxy-Authenticate for others.

    ``flags``: 1 qop="auth", 2 qop="auth-int", 4 no 500 when it fails, 16 stale=true. 1, or -3 when no reply could
    be sent (an ACK).
    """

def auth_get_www_authenticate(text1: str, code2: int, text3: str, /) -> int: ...

def consume_credentials() -> int:
    """Remove the credentials that were found right: 1, -1 when there are none (1 all the same for ACK, CANCEL)."""

def has_credentials(realm: str, /) -> int:
    """1 when the request has credentials for ``realm`` in Authorization or Proxy-Authorization, else -1."""

def proxy_challenge(text1: str, code2: int, /) -> int: ...

def pv_auth_check(realm: str, passwd: str, flags: int, checks: int, /) -> int:
    """Check the credentials against a password.

    ``flags``: 1 ``passwd`` is an HA1; 2, 4, 8 put a challenge without qop, with auth, with auth-int into
    ``$avp(digest_challenge)`` when it fails. ``checks``: 1 the user must be that of From
    (and of To in a REGISTER). 1, -1 error, -2 wrong password, -4 nonce too old, -5 no credentials, -6 nonce used,
    -8 another user.
    """

def pv_proxy_authenticate(text1: str, text2: str, code3: int, /) -> int: ...

def pv_www_authenticate(text1: str, text2: str, code3: int, /) -> int: ...

def pv_www_authenticate_method(text1: str, text2: str, code3: int, text4: str, /) -> int: ...

def www_challenge(text1: str, code2: int, /) -> int: ...
