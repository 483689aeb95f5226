"""Kamailio's auth_ephemeral: credentials for a while, computed by a web service that shares a secret with the proxy.

The user name has the unix time until which it holds: ``1234567890:bob``. The password is
base64(hmac-sha1(secret, user name)), as in draft-uberti-behave-turn-rest.
"""

from __future__ import annotations

import base64
import hmac
import logging
from typing import TYPE_CHECKING, Any, Self

from ..sip.digest import parse_credentials
from .auth import ERROR, INVALID_PASSWORD, OK, UNCHALLENGED, Auth
from .declare import Module, Param, ParamError, RpcError, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["AuthEphemeral"]

log = logging.getLogger("ksrcore.auth_ephemeral")

#: What is told of a user name whose time is over.
EXPIRED = -7

_ALGORITHMS = ("sha1", "sha256", "sha384", "sha512")


class AuthEphemeral(Module):
    """``secrets``: the newest first."""

    name = "auth_ephemeral"

    secret = Param("", "a shared secret; the last one is tried first: str", multi=True)
    username_format = Param(1, "1: TIME:USER, 0: USER:TIME: int")
    sha_algorithm = Param(0, "0 SHA1, 1 SHA256, 2 SHA384, 3 SHA512: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.secrets: list[str] = []

    def start(self) -> None:
        if self.sha_algorithm not in range(4) or self.username_format not in (0, 1):
            raise ParamError("modparam auth_ephemeral: sha_algorithm expects 0 to 3, username_format 0 or 1")
        self.secrets = list(reversed(self.secret))
        self.auth: Auth = self.proxy.modules.auth

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.secrets = list(self.secrets)
        new.auth = proxy.modules.auth
        return new

    def _password(self, user: str, secret: str) -> str:
        algorithm = _ALGORITHMS[self.sha_algorithm]
        digest = hmac.new(secret.encode("latin-1"), user.encode("latin-1"), algorithm).digest()
        return base64.b64encode(digest).decode("ascii")

    def _holds(self, user: str) -> int:
        """1 while the time in a user name is not over, EXPIRED, or -1 without one."""
        before, colon, after = user.partition(":") if self.username_format else user.rpartition(":")
        stamp = before if self.username_format else after if colon else user
        if not (stamp.isascii() and stamp.isdigit()):
            log.error("auth_ephemeral: the user name %r has no time in it", user)
            return ERROR
        if int(stamp) < self.proxy.wall():
            log.warning("auth_ephemeral: the time of user name %r is over", user)
            return EXPIRED
        return OK

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    def _digest(self, run: Run, realm: str, key: str, method: str = "") -> int:
        if not realm:
            log.error("auth_ephemeral: the realm is empty")
            return ERROR
        if run.msg.method in UNCHALLENGED:
            return OK
        code, header = self.auth.pre_auth(run, realm, key)
        if header is None:
            return code
        credentials = header.parsed(parse_credentials)
        code = self._holds(credentials.username)
        if code != OK:
            return code
        realm = self.auth.strip_realm(realm)
        for secret in self.secrets:
            hashed = self.auth.ha1(credentials, realm, self._password(credentials.username, secret))
            code = self.auth.check_response(run, header, hashed, method)
            if code != INVALID_PASSWORD:
                return code
        return INVALID_PASSWORD

    @export
    def autheph_check(self, run: Run, srealm: str) -> int:
        """Check digest credentials: of a REGISTER as autheph_www, of others as autheph_proxy."""
        return self._digest(run, srealm, "")

    @export
    def autheph_www(self, run: Run, srealm: str) -> int:
        """Check the credentials in Authorization.

        1; -1 error, -2 wrong password, -4 nonce too old, -5 no credentials, -6 nonce used before, -7 time over.
        """
        return self._digest(run, srealm, "authorization")

    @export
    def autheph_www_method(self, run: Run, srealm: str, smethod: str) -> int:
        """``autheph_www`` as if the request had that method."""
        return self._digest(run, srealm, "authorization", smethod)

    @export
    def autheph_proxy(self, run: Run, srealm: str) -> int:
        """Check the credentials in Proxy-Authorization; results as of autheph_www."""
        return self._digest(run, srealm, "proxy-authorization")

    @export
    def autheph_authenticate(self, run: Run, susername: str, spassword: str) -> int:
        """Check a user name and its password: 1, -1 wrong, -7 its time is over."""
        if not susername or not spassword:
            log.error("autheph_authenticate: the user name or the password is empty")
            return ERROR
        code = self._holds(susername)
        if code != OK:
            return code
        given = spassword.encode("latin-1")
        right = (hmac.compare_digest(self._password(susername, secret).encode(), given) for secret in self.secrets)
        return OK if any(right) else ERROR

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("autheph.dump_secrets")
    def rpc_dump_secrets(self, params: list[Any]) -> Any:
        """List the secrets with their numbers."""
        return [f"ID {number}: {secret}" for number, secret in enumerate(self.secrets)]

    @rpc("autheph.add_secret")
    def rpc_add_secret(self, params: list[Any]) -> Any:
        """Add a secret, which is tried first from now on."""
        if not params:
            raise RpcError(500, "Not enough parameters")
        self.secrets.insert(0, str(params[0]))
        return {}

    @rpc("autheph.rm_secret")
    def rpc_rm_secret(self, params: list[Any]) -> Any:
        """Remove a secret by its number."""
        if not params:
            raise RpcError(500, "Not enough parameters")
        number = params[0] if isinstance(params[0], int) else 0
        if not 0 <= number < len(self.secrets):
            raise RpcError(500, "Failed removing secret")
        del self.secrets[number]
        return {}
