"""Kamailio's auth: challenges, nonces and the check of digest credentials (RFC 2617, 3261 22, 8760).

A nonce is Kamailio's: base64 of expiry and creation time (unix seconds, 4 bytes each), an MD5 over these with the first
half of the secret, with ``auth_checks_*`` an MD5 over parts of the message with the other half, and with
``nonce_count`` or ``one_time_nonce`` a 4 byte number and a byte that tells which of the two it serves. What a nonce
says is checked before the password is looked at.
"""

from __future__ import annotations

import binascii
import logging
import secrets
from hashlib import md5, sha256
from typing import TYPE_CHECKING, Any, Final, Self

from ..sip.digest import Credentials, parse_credentials
from ..sip.errors import SipError
from ..sip.message import Header
from .auth_more import AuthFunctions
from .declare import Module, Param, ParamError, export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run
    from ..sip.message import SipMessage
    from ..sip.nameaddr import NameAddr

__all__ = ["Auth", "same_user"]

log = logging.getLogger("ksrcore.auth")

OK: Final = 1
ERROR: Final = -1
INVALID_PASSWORD: Final = -2
USER_UNKNOWN: Final = -3
STALE_NONCE: Final = -4
NO_CREDENTIALS: Final = -5
NONCE_REUSED: Final = -6
USER_MISMATCH: Final = -8

#: Their sender cannot answer a challenge.
UNCHALLENGED: Final = frozenset(("ACK", "CANCEL", "PRACK"))

_HAS_NC: Final = 0x80
_ONE_TIME: Final = 0x40
_MAX_NC: Final = 255


def same_user(value: NameAddr | None, user: str, host: str | None) -> bool:
    """Whether the URI of a From or To has this user, and this host unless that is None; case counts."""
    if value is None:
        return False
    try:
        uri = value.parsed_uri
    except SipError:
        return False
    return bool(uri.user) and uri.user == user and (host is None or uri.host == host)


class Auth(AuthFunctions, Module):
    """Challenges and credentials; ``auth_db`` finds the passwords."""

    name = "auth"

    auth_checks_register = Param(0, "what ties a REGISTER's nonce: 1 R-URI, 2 Call-ID, 4 From tag, 8 source IP: int")
    auth_checks_no_dlg = Param(0, "the same for requests without To tag: int")
    auth_checks_in_dlg = Param(0, "the same for requests with To tag: int")
    qop = Param("", "auth, auth-int or '': the qop of challenges that ask for none themselves: str")
    nonce_count = Param(0, "1: nc must grow with each use of a nonce (up to 255): int")
    one_time_nonce = Param(0, "1: a nonce serves once: int")
    nid_pool_no = Param(1, "no effect: the pools keep Kamailio's processes apart, and here is one: int")
    nc_array_size = Param(1048576, "how many nonces are tracked for nonce_count: int")
    nc_array_order = Param(20, "log2 of nc_array_size: int")
    otn_in_flight_no = Param(1048576, "how many nonces are tracked for one_time_nonce: int")
    otn_in_flight_order = Param(20, "log2 of otn_in_flight_no: int")
    secret = Param("", "what nonces are signed with; '' for a random one at each start: str")
    nonce_expire = Param(300, "seconds a nonce is valid: int")
    nonce_auth_max_drift = Param(3, "seconds a nonce may seem to come from the future: int")
    force_stateless_reply = Param(0, "1: challenge without transaction even when there is one: int")
    realm_prefix = Param("", "taken off the realms that functions are given: str")
    use_domain = Param(0, "1: pv_auth_check compares domains too: int")
    algorithm = Param("", "MD5, SHA-256 or '' (MD5, not named in challenges): str")
    add_authinfo_hdr = Param(0, "1: Authentication-Info in replies to authenticated requests: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._nid = secrets.randbits(32)
        # Number of a nonce -> the highest nc seen, 0 none; and the numbers of one-time nonces that were used.
        self._counts: dict[int, int] = {}
        self._used: dict[int, None] = {}
        self._nonces: dict[bytes, tuple[int, str]] = {}
        #: Nonces of another proxy that are taken as our own: of the one whose capture is replayed.
        self.accepted: set[str] = set()

    def set_param(self, name: str, value: int | str) -> None:
        super().set_param(name, value)
        if name == "nc_array_order":
            self.nc_array_size = 1 << self.nc_array_order
        elif name == "otn_in_flight_order":
            self.otn_in_flight_no = 1 << self.otn_in_flight_order

    def start(self) -> None:
        if self.algorithm not in ("", "MD5", "SHA-256"):
            raise ParamError(f"modparam auth:algorithm expects MD5, SHA-256 or nothing, got {self.algorithm!r}")
        if self.qop not in ("", "auth", "auth-int"):
            raise ParamError(f"modparam auth:qop expects auth, auth-int or nothing, got {self.qop!r}")
        self._digits = 64 if self.algorithm == "SHA-256" else 32
        secret = (self.secret or secrets.token_hex(16)).encode("latin-1")
        self._checked = bool(self.auth_checks_register or self.auth_checks_no_dlg or self.auth_checks_in_dlg)
        half = len(secret) // 2 if self._checked else len(secret)
        self._secret, self._secret2 = secret[:half], secret[half:]
        self._flags = (_HAS_NC if self.nonce_count else 0) | (_ONE_TIME if self.one_time_nonce else 0)

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new._counts, new._used, new._nonces = dict(self._counts), dict(self._used), {}
        new.accepted = set(self.accepted)
        return new

    # -- nonces -----------------------------------------------------------------------------------------------------

    def _parts(self, msg: SipMessage) -> bytes:
        """What of the message is bound to its nonce."""
        if msg.method == "REGISTER":
            wanted = self.auth_checks_register
        else:
            wanted = self.auth_checks_in_dlg if msg.to_tag else self.auth_checks_no_dlg
        parts = []
        if wanted & 1:
            parts.append(msg.ruri)
        if wanted & 2:
            parts.append(msg.callid)
        if wanted & 4:
            from_ = msg.from_
            parts.append(from_.tag if from_ is not None else "")
        if wanted & 8 and msg.rcv is not None:
            parts.append(msg.rcv.src_ip)
        return "\0".join(parts).encode("latin-1") if wanted else b""

    def _sign(self, stamps: bytes, tail: bytes) -> bytes:
        return md5(stamps + tail + self._secret, usedforsecurity=False).digest()

    def nonce(self, msg: SipMessage) -> str:
        """A new nonce for a challenge to ``msg``. Without numbers all of one second are equal, as Kamailio's are."""
        now = int(self.proxy.wall())
        parts = self._parts(msg) if self._checked else b""
        if not self._flags:
            known = self._nonces.get(parts)
            if known is not None and known[0] == now:
                return known[1]
        stamps = (now + self.nonce_expire).to_bytes(4, "big") + now.to_bytes(4, "big")
        tail = b""
        if self._flags:
            self._nid = (self._nid + 1) & 0xFFFFFFFF
            tail = self._nid.to_bytes(4, "big") + bytes((self._flags,))
            if self.nonce_count:
                self._remember(self._counts, self.nc_array_size, 0)
        raw = stamps + self._sign(stamps, tail)
        if self._checked:
            raw += md5(parts + self._secret2, usedforsecurity=False).digest()
        text = binascii.b2a_base64(raw + tail, newline=False).decode("ascii")
        if not self._flags:
            if len(self._nonces) >= 1024:
                self._nonces.clear()
            self._nonces[parts] = (now, text)
        return text

    def _remember(self, numbers: dict[int, Any], limit: int, value: Any) -> None:
        while len(numbers) >= limit:
            del numbers[next(iter(numbers))]
        numbers[self._nid] = value

    def check_nonce(self, msg: SipMessage, credentials: Credentials) -> int:
        """1, -1 not a nonce of ours, -4 it is too old or its nc was used, -6 it was used (one_time_nonce)."""
        if credentials.nonce in self.accepted:
            return OK
        try:
            raw = binascii.a2b_base64(credentials.nonce.encode("ascii"), strict_mode=True)
        except (ValueError, UnicodeEncodeError):
            return ERROR
        size = 40 if self._checked else 24
        if len(raw) != size + (5 if self._flags else 0):
            return ERROR
        tail = raw[size:]
        if raw[8:24] != self._sign(raw[:8], tail):
            return ERROR
        now = int(self.proxy.wall())
        if int.from_bytes(raw[:4], "big") < now:
            return STALE_NONCE
        if int.from_bytes(raw[4:8], "big") > now + self.nonce_auth_max_drift:
            return STALE_NONCE
        if tail:
            number = int.from_bytes(tail[:4], "big")
            if tail[4] & _HAS_NC and self.nonce_count and credentials.nc:
                return self._check_count(number, credentials.nc)
            if tail[4] & _ONE_TIME and self.one_time_nonce:
                if (self._nid - number) & 0xFFFFFFFF >= self.otn_in_flight_no:
                    return STALE_NONCE
                if number in self._used:
                    return NONCE_REUSED
                while len(self._used) >= self.otn_in_flight_no:
                    del self._used[next(iter(self._used))]
                self._used[number] = None
                return OK
        if self._checked and raw[24:40] != md5(self._parts(msg) + self._secret2, usedforsecurity=False).digest():
            return STALE_NONCE
        return OK

    def _check_count(self, number: int, text: str) -> int:
        if len(text) != 8:
            return ERROR
        try:
            count = int(text, 16)
        except ValueError:
            return ERROR
        last = self._counts.get(number)
        if last is None:
            return STALE_NONCE
        if not last < count <= _MAX_NC:
            return STALE_NONCE
        self._counts[number] = count
        return OK

    # -- credentials ------------------------------------------------------------------------------------------------

    def strip_realm(self, realm: str) -> str:
        """``realm`` without ``realm_prefix``."""
        return realm.removeprefix(self.realm_prefix) if self.realm_prefix else realm

    @staticmethod
    def _find(msg: SipMessage, realm: str, key: str) -> tuple[int, Header | None]:
        """(1, the first field with Digest credentials of that realm); (-5, None) without one; (-1, None) unreadable."""
        if key not in msg.index:
            return NO_CREDENTIALS, None
        realm = realm.lower()
        for header in msg.headers:
            if header.key == key and header.body:
                try:
                    credentials = header.parsed(parse_credentials)
                except SipError:
                    return ERROR, None
                if credentials.is_digest and credentials.realm.lower() == realm:
                    return OK, header
        return NO_CREDENTIALS, None

    def pre_auth(self, run: Run, realm: str, key: str = "") -> tuple[int, Header | None]:
        """Find the request's credentials for ``realm`` and check all but the password.

        (1, their field) when the password is to be checked, (1, None) for a method that is never challenged, else
        (a negative code, None). REGISTER has them in Authorization, the others in Proxy-Authorization, unless ``key``,
        the key of a field, says otherwise.
        """
        msg = run.msg
        if msg.method in UNCHALLENGED:
            return OK, None
        key = key or ("authorization" if msg.method == "REGISTER" else "proxy-authorization")
        code, header = self._find(msg, self.strip_realm(realm), key)
        if header is None:
            return code, None
        # For consume_credentials(), $AU and is_user(): what was found for the realm, right or wrong, as in Kamailio.
        if key == "authorization" or "auth" not in msg.extra:
            msg.extra["auth"] = header
        credentials = header.parsed(parse_credentials)
        if not _complete(credentials):
            log.error("auth: credentials without user, nonce, uri or response, or qop without nc: %s", header.body)
            return ERROR, None
        code = self.check_nonce(msg, credentials)
        return (OK, header) if code == OK else (code, None)

    def check_response(self, run: Run, header: Header, hashed: str, method: str = "") -> int:
        """Compare the response with what ``hashed``, the HA1, gives: 1, -2 wrong, -1 of the wrong length.

        ``method``: as if the request had that one.
        """
        credentials = header.parsed(parse_credentials)
        response = credentials.response
        if len(response) != self._digits:
            return ERROR
        msg = run.msg
        if self._digest(credentials, hashed, method or msg.method, msg) != response.lower():
            return INVALID_PASSWORD
        if self.add_authinfo_hdr:
            nonce = self.nonce(msg) if self.one_time_nonce else credentials.nonce
            msg.reply_lumps.append(
                f'Authentication-Info: nextnonce="{nonce}", qop={credentials.qop}, '
                f'rspauth="{self._digest(credentials, hashed, "", msg)}", '
                f'cnonce="{credentials.cnonce}", nc={credentials.nc}\r\n'
            )
        return OK

    def _digest(self, credentials: Credentials, hashed: str, method: str, msg: SipMessage) -> str:
        # As Kamailio computes it: any qop there is goes into the text, and a -sess algorithm makes no difference.
        second = f"{method}:{credentials.uri}"
        qop = credentials.qop
        if qop == "auth-int":
            second += ":" + self._hex(msg.body)
        if qop:
            middle = f"{credentials.nonce}:{credentials.nc}:{credentials.cnonce}:{qop}"
        else:
            middle = credentials.nonce
        return self._hex(f"{hashed}:{middle}:{self._hex(second)}")

    def _hex(self, text: str) -> str:
        data = text.encode("latin-1")
        if self._digits == 64:
            return sha256(data).hexdigest()
        return md5(data, usedforsecurity=False).hexdigest()

    def ha1(self, credentials: Credentials, realm: str, password: str) -> str:
        """HA1 of a password in clear, with the algorithm of this module."""
        return self._hex(f"{credentials.username}:{realm}:{password}")

    # -- functions --------------------------------------------------------------------------------------------------

    def challenge_header(self, msg: SipMessage, realm: str, name: str, qop: str, stale: bool) -> str:
        """A WWW-Authenticate or Proxy-Authenticate field, with its line end."""
        text = f'{name}: Digest realm="{self.strip_realm(realm)}", nonce="{self.nonce(msg)}"'
        if qop:
            text += f', qop="{qop}"'
        if stale:
            text += ", stale=true"
        if self.algorithm:
            text += f", algorithm={self.algorithm}"
        return text + "\r\n"

    @export
    def auth_challenge(self, run: Run, realm: str, flags: int) -> int:
        """Challenge: 401 with WWW-Authenticate for a REGISTER, 407 with Proxy-Authenticate for others.

        ``flags``: 1 qop="auth", 2 qop="auth-int", 4 no 500 when it fails, 16 stale=true. 1, or -3 when no reply could
        be sent (an ACK).
        """
        msg = run.msg
        if msg.method == "ACK":
            return -3
        qop = "auth-int" if flags & 2 else "auth" if flags & 1 else ""
        if msg.method == "REGISTER":
            code, reason, name = 401, "Unauthorized", "WWW-Authenticate"
        else:
            code, reason, name = 407, "Proxy Authentication Required", "Proxy-Authenticate"
        msg.reply_lumps.append(self.challenge_header(msg, realm, name, qop, bool(flags & 16)))
        sl = self.proxy.modules.sl
        send = sl.sl_send_reply if self.force_stateless_reply else sl.send_reply
        return 1 if send(run, code, reason) > 0 else -3

    @export
    def consume_credentials(self, run: Run) -> int:
        """Remove the credentials that a check found for its realm, right or wrong: 1, -1 when there are none."""
        msg = run.msg
        header = msg.extra.get("auth")
        if not isinstance(header, Header):
            log.error("consume_credentials: no credentials were found before")
            return -1
        at = msg.offset_of(header)
        if not msg.lumps.deleted(at):
            msg.lumps.delete(at, len(header.raw), header.key)
        return 1

    @export
    def has_credentials(self, run: Run, realm: str) -> int:
        """1 when the request has credentials for ``realm`` in Authorization or Proxy-Authorization, else -1."""
        for key in ("proxy-authorization", "authorization"):
            if self._find(run.msg, realm, key)[1] is not None:
                return 1
        return -1

    @export
    def pv_auth_check(self, run: Run, realm: str, passwd: str, flags: int, checks: int) -> int:
        """Check the credentials against a password.

        ``flags``: 1 ``passwd`` is an HA1; 2, 4, 8 put a challenge without qop, with auth, with auth-int into
        ``$avp(digest_challenge)`` when it fails. ``checks``: 1 the user must be that of From
        (and of To in a REGISTER). 1, -1 error, -2 wrong password, -4 nonce too old, -5 no credentials, -6 nonce used,
        -8 another user.
        """
        code = self._pv_check(run, realm, passwd, flags, checks)
        if code < 0 and code != USER_MISMATCH and flags & 14:
            register = run.msg.method == "REGISTER"
            name = "WWW-Authenticate" if register else "Proxy-Authenticate"
            qop = "auth-int" if flags & 8 else "auth" if flags & 4 else ""
            text = self.challenge_header(run.msg, realm, name, qop, False)
            run.avps.add("digest_challenge", text)
        return code

    def _pv_check(self, run: Run, realm: str, passwd: str, flags: int, checks: int) -> int:
        code, header = self.pre_auth(run, realm)
        if header is None:
            return code
        credentials = header.parsed(parse_credentials)
        hashed = passwd if flags & 1 else self.ha1(credentials, self.strip_realm(realm), passwd)
        code = self.check_response(run, header, hashed)
        if code == OK and checks & 1:
            msg = run.msg
            host = self.strip_realm(realm) if self.use_domain else None
            if not same_user(msg.from_, credentials.user, host):
                return USER_MISMATCH
            if msg.method in ("REGISTER", "PUBLISH") and not same_user(msg.to, credentials.user, host):
                return USER_MISMATCH
        return code


def _complete(credentials: Credentials) -> bool:
    """Whether everything is there that a response is computed from."""
    if not (credentials.nonce and credentials.uri and credentials.response):
        return False
    return not credentials.qop or bool(credentials.cnonce and credentials.nc)
