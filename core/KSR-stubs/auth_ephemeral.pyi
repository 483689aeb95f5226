# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module auth_ephemeral."""

from typing import Any

def autheph_authenticate(susername: str, spassword: str, /) -> int:
    """Check a user name and its password: 1, -1 wrong, -7 its time is over."""

def autheph_check(srealm: str, /) -> int:
    """Check digest credentials: of a REGISTER as autheph_www, of others as autheph_proxy."""

def autheph_proxy(srealm: str, /) -> int:
    """Check the credentials in Proxy-Authorization; results as of autheph_www."""

def autheph_www(srealm: str, /) -> int:
    """Check the credentials in Authorization.

    1; -1 error, -2 wrong password, -4 nonce too old, -5 no credentials, -6 nonce used before, -7 time over.
    """

def autheph_www_method(srealm: str, smethod: str, /) -> int:
    """``autheph_www`` as if the request had that method."""
