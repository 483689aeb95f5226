"""Kamailio's uac: From and To replaced, challenges answered, requests of our own, registrations elsewhere."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Self

from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Accessor
from ..run import FAILURE_ROUTE
from ..sip.errors import SipError
from ..store.errors import StoreError
from . import uac_pv  # noqa: F401
from .dbparam import module_database
from .declare import Param, ParamError, export
from .dispatcher_list import find_socket
from .uac_digest import answer, challenge_of
from .uac_reg import Registration
from .uac_reg_rpc import UacRegRpc
from .uac_replace import UacReplace
from .uac_request import Request, UacRequest

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Uac"]

log = logging.getLogger("ksrcore.uac")


class Uac(UacReplace, UacRequest, UacRegRpc):
    """A user agent client's work: credentials, other identities, requests and registrations of our own."""

    name = "uac"

    credential = Param("", "USERNAME:REALM:PASSWORD that uac_auth() may use: str", multi=True)
    auth_realm_avp = Param("", "variable with the realm for uac_auth(): str")
    auth_username_avp = Param("", "variable with the user for uac_auth(): str")
    auth_password_avp = Param("", "variable with the password for uac_auth(): str")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.request = Request()
        #: Realm to user and password.
        self.credentials: dict[str, tuple[str, str]] = {}
        self.auth_realm: Accessor | None = None
        self.auth_username: Accessor | None = None
        self.auth_password: Accessor | None = None

    def start(self) -> None:
        for text in self.credential:
            user, _, rest = text.partition(":")
            realm, colon, password = rest.partition(":")
            if not colon or not user or not realm:
                raise ParamError(f"modparam uac:credential expects USERNAME:REALM:PASSWORD, got {text!r}")
            self.credentials.setdefault(realm, (user, password))
        texts = (self.auth_realm_avp, self.auth_username_avp, self.auth_password_avp)
        if any(texts):
            if not all(texts):
                raise ParamError(
                    "modparam uac: auth_realm_avp, auth_username_avp and auth_password_avp belong together"
                )
            try:
                self.auth_realm, self.auth_username, self.auth_password = map(compile_spec, texts)
            except PvError as error:
                raise ParamError(f"modparam uac: auth_*_avp expect variables: {error}") from None
        if self.default_socket and find_socket(self.proxy, self.default_socket) is None:
            raise ParamError(f"modparam uac:default_socket: {self.default_socket} is none of the listen sockets")
        self.start_replace()
        if self.reg_db_url:
            if not self.reg_contact_addr:
                raise ParamError(
                    "modparam uac:reg_contact_addr is needed with reg_db_url: what registrars send calls to"
                )
            self._reg_db = module_database(self.proxy, self.reg_db_url)
            try:
                self.start_registrations()
            except StoreError as error:
                raise ParamError(f"uac: {error}") from None

    def stop(self) -> None:
        if self._reg_db is not None and self._reg_db is not self.proxy.db:
            self._reg_db.close()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.request = copy.copy(self.request)
        new.registrations = {}
        for uuid, reg in self.registrations.items():
            copied = new.registrations[uuid] = Registration.__new__(Registration)
            for slot in Registration.__slots__:
                setattr(copied, slot, getattr(reg, slot))
        new._reg_db = self._reg_db.fork() if self._reg_db is not None else None
        new._armed = False
        new._listen_to_routes()
        return new

    def socket_text(self, text: str) -> str:
        """The listen socket ``text`` as tm takes it, else the default one, else ''."""
        for wanted in (text, self.default_socket):
            found = find_socket(self.proxy, wanted) if wanted else None
            if found is not None:
                return found.text
            if wanted:
                log.error("uac: %s is none of the listen sockets", wanted)
        return ""

    # -- credentials --------------------------------------------------------------------------------------------------

    def _credentials(self, run: Run, realm: str) -> tuple[str, str] | None:
        """User and password for a realm: of the variables, else of modparam credential."""
        if self.auth_realm is not None and self.auth_username is not None and self.auth_password is not None:
            wanted, user = self.auth_realm.get(run), self.auth_username.get(run)
            password = self.auth_password.get(run)
            if wanted in (None, "", realm) and isinstance(user, str) and user and isinstance(password, str):
                return user, password
        return self.credentials.get(realm)

    @export
    def uac_auth(self, run: Run) -> int:
        """Answer the challenge of the reply that won, in a failure route: 1, and t_relay() sends it; -1."""
        return self.uac_auth_mode(run, 0)

    @export
    def uac_auth_mode(self, run: Run, vmode: int) -> int:
        """``uac_auth``; mode 1: the password is an HA1."""
        t = run.t
        if t is None or run.route != FAILURE_ROUTE or not 0 <= run.branch < len(t.branches):
            log.critical("uac_auth: there is no transaction that failed: call it in a failure route")
            return -1
        branch = t.branches[run.branch]
        try:
            challenge = challenge_of(run.reply)
            found = self._credentials(run, challenge.realm)
            if found is None:
                log.debug("uac_auth: there are no credentials for realm %s", challenge.realm)
                return -1
            field = answer(challenge, *found, t.method, branch.uri, bool(vmode & 1))
        except SipError as error:
            log.error("uac_auth: %s", error)
            return -1
        msg = run.msg
        # A text of its own: it makes a new branch, though it may be the same URI.
        msg.new_uri = f"{branch.uri} "[:-1]
        msg.lumps.insert(msg.headers_end, field, "authorization")
        return 1
