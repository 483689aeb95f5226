"""What ``KSR.auth`` has since Kamailio 6.0: challenges and checks for one of the two header fields."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..sip.digest import parse_credentials
from .declare import export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run
    from ..sip.digest import Credentials
    from ..sip.message import Header, SipMessage

log = logging.getLogger("ksrcore.auth")

_WWW = (401, "Unauthorized", "WWW-Authenticate")
_PROXY = (407, "Proxy Authentication Required", "Proxy-Authenticate")


class AuthFunctions:
    """A part of :class:`~ksrcore.kemi.auth.Auth`."""

    if TYPE_CHECKING:
        proxy: Proxy
        algorithm: str
        force_stateless_reply: int
        _digits: int

        def challenge_header(self, msg: SipMessage, realm: str, name: str, qop: str, stale: bool) -> str: ...
        def pre_auth(self, run: Run, realm: str, key: str = "") -> tuple[int, Header | None]: ...
        def check_response(self, run: Run, header: Header, hashed: str, method: str = "") -> int: ...
        def strip_realm(self, realm: str) -> str: ...
        def ha1(self, credentials: Credentials, realm: str, password: str) -> str: ...

    @export
    def auth_algorithm(self, run: Run, alg: str) -> int:
        """Use another algorithm from now on, MD5 or SHA-256 ('' MD5, not named): 1, -1 for another."""
        if alg not in ("", "MD5", "SHA-256"):
            log.error("auth_algorithm expects MD5, SHA-256 or nothing, got %r", alg)
            return -1
        self.algorithm = alg
        self._digits = 64 if alg == "SHA-256" else 32
        return 1

    def _challenge(self, run: Run, realm: str, flags: int, kind: tuple[int, str, str]) -> int:
        msg = run.msg
        if msg.method == "ACK":
            return -3
        if not realm:
            log.error("auth: the realm of a challenge is empty")
            return -1
        code, reason, name = kind
        qop = "auth-int" if flags & 2 else "auth" if flags & 1 else ""
        msg.reply_lumps.append(self.challenge_header(msg, realm, name, qop, bool(flags & 16)))
        sl = self.proxy.modules.sl
        send = sl.sl_send_reply if self.force_stateless_reply else sl.send_reply
        return 1 if send(run, code, reason) > 0 else -3

    @export
    def www_challenge(self, run: Run, realm: str, flags: int) -> int:
        """``auth_challenge`` with 401 and WWW-Authenticate for every method."""
        return self._challenge(run, realm, flags, _WWW)

    @export
    def proxy_challenge(self, run: Run, realm: str, flags: int) -> int:
        """``auth_challenge`` with 407 and Proxy-Authenticate for every method."""
        return self._challenge(run, realm, flags, _PROXY)

    @export
    def auth_get_www_authenticate(self, run: Run, realm: str, flags: int, pvdst: str) -> int:
        """Put a WWW-Authenticate field, with its line end, into a variable: 1, -1 when it cannot be."""
        if not realm:
            log.error("auth_get_www_authenticate: the realm is empty")
            return -1
        qop = "auth-int" if flags & 2 else "auth" if flags & 1 else ""
        try:
            target = compile_spec(pvdst)
            target.set(run, self.challenge_header(run.msg, realm, _WWW[2], qop, bool(flags & 16)))
        except PvError as error:
            log.error("auth_get_www_authenticate: %s", error)
            return -1
        return 1

    def _authenticate(self, run: Run, realm: str, passwd: str, flags: int, key: str, method: str = "") -> int:
        if not realm or not passwd:
            log.error("auth: the %s is empty", "password" if realm else "realm")
            return -1
        code, header = self.pre_auth(run, realm, key)
        if header is None:
            if code < 0 and flags & 14:
                self._offer(run, realm, flags, key)
            return code
        credentials = header.parsed(parse_credentials)
        hashed = passwd if flags & 1 else self.ha1(credentials, self.strip_realm(realm), passwd)
        code = self.check_response(run, header, hashed, method)
        if code < 0 and flags & 14:
            self._offer(run, realm, flags, key)
        return code

    def _offer(self, run: Run, realm: str, flags: int, key: str) -> None:
        qop = "auth-int" if flags & 8 else "auth" if flags & 4 else ""
        name = _WWW[2] if key == "authorization" else _PROXY[2]
        run.avps.add("digest_challenge", self.challenge_header(run.msg, realm, name, qop, False))

    @export
    def pv_www_authenticate(self, run: Run, realm: str, passwd: str, flags: int) -> int:
        """Check the credentials in Authorization against a password.

        ``flags`` and results as of pv_auth_check, without its checks of users.
        """
        return self._authenticate(run, realm, passwd, flags, "authorization")

    @export
    def pv_www_authenticate_method(self, run: Run, realm: str, passwd: str, flags: int, method: str) -> int:
        """``pv_www_authenticate`` as if the request had that method."""
        return self._authenticate(run, realm, passwd, flags, "authorization", method)

    @export
    def pv_proxy_authenticate(self, run: Run, realm: str, passwd: str, flags: int) -> int:
        """``pv_www_authenticate`` for the credentials in Proxy-Authorization."""
        return self._authenticate(run, realm, passwd, flags, "proxy-authorization")
