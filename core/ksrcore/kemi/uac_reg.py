"""Registrations at other registrars: the table ``uacreg``, kept in memory, registered and refreshed by a timer."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from ..pv.accessor import assign, compile_spec
from ..pv.errors import PvError
from ..run import Run
from ..sip.errors import SipError
from ..sip.uri import parse_uri
from ..store.errors import StoreError
from ..tm import uac
from .declare import Module, Param, export
from .dispatcher_select import ds_hash
from .uac_request import again

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..pv.registry import Accessor
    from ..sip.message import SipMessage
    from ..store.database import Database
    from ..tm.transaction import Transaction

__all__ = ["COLUMNS", "NUMBERS", "TEXTS", "Registration", "UacReg"]

log = logging.getLogger("ksrcore.uac")

DISABLED = 1
ONGOING = 2
ONLINE = 4
AUTHSENT = 8
INIT = 16

TEXTS = (
    "l_uuid", "l_username", "l_domain", "r_username", "r_domain", "realm", "auth_username", "auth_password",
    "auth_ha1", "auth_proxy",
)  # fmt: skip
NUMBERS = ("expires", "flags", "reg_delay")
COLUMNS = (*TEXTS, *NUMBERS, "socket", "contact_addr")
_FILTERS = ("l_uuid", "l_username", "r_username", "auth_username")


class Registration:
    """One row of ``uacreg`` and how it stands. Times are unix seconds, 0: never."""

    __slots__ = (*COLUMNS, "callid", "cseq", "reg_init", "timer_expires")

    def __init__(self, values: dict[str, Any], now: int) -> None:
        for name in COLUMNS:
            setattr(self, name, values[name])
        self.timer_expires = 0
        self.reg_init = now
        self.callid = ""
        self.cseq = 0

    if TYPE_CHECKING:
        l_uuid: str
        l_username: str
        l_domain: str
        r_username: str
        r_domain: str
        realm: str
        auth_username: str
        auth_password: str
        auth_ha1: str
        auth_proxy: str
        expires: int
        flags: int
        reg_delay: int
        socket: str
        contact_addr: str

    @property
    def slot(self) -> int:
        return ds_hash(self.l_uuid)


class UacReg(Module):
    """A part of the uac module."""

    reg_db_url = Param("", "the database with the registrations, '' none: str")
    reg_db_table = Param("uacreg", "the table: str")
    reg_timer_interval = Param(90, "seconds between looks at what is to be registered: int")
    reg_retry_interval = Param(0, "seconds after which a failed one is tried again, 0: never: int")
    reg_random_delay = Param(0, "first registrations are delayed by up to so many seconds: int")
    reg_hash_size = Param(4, "2^n slots, which only order the dump: int")
    reg_contact_addr = Param("", "host, port and parameters of our Contact: str")
    reg_keep_callid = Param(0, "1: the same Call-ID for refreshes: int")
    reg_active = Param(1, "0: nothing is registered until uac.reg_active 1: int")
    reg_gc_interval = Param(150, "seconds between reloads, at least: int")
    reg_use_domain = Param(0, "1: uac_reg_lookup_uri compares domains too: int")

    auth_realm: Accessor | None
    auth_username: Accessor | None
    auth_password: Accessor | None

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.registrations: dict[str, Registration] = {}
        self._reg_db: Database | None = None
        self._loaded = -1e9

    def socket_text(self, text: str) -> str:
        """The listen socket ``text`` as tm takes it, else the default one, else ''."""
        raise NotImplementedError

    # -- the table ----------------------------------------------------------------------------------------------------

    def _load(self, uuid: str = "") -> list[Registration]:
        """The rows, or the row of ``uuid``. Raises StoreError."""
        assert self._reg_db is not None
        columns = ", ".join(f'"{name}"' for name in COLUMNS)
        table = self.reg_db_table.replace('"', '""')
        where = " WHERE l_uuid = ?" if uuid else ""
        rows = self._reg_db.query(f'SELECT {columns} FROM "{table}"{where}', (uuid,) if uuid else ())
        return [self._made(dict(zip(COLUMNS, row, strict=True))) for row in rows]

    def _made(self, values: dict[str, Any]) -> Registration:
        for name in COLUMNS:
            if name in NUMBERS:
                values[name] = int(values[name] or 0)
            else:
                values[name] = str(values[name] or "")
        values["contact_addr"] = values["contact_addr"] or self.reg_contact_addr
        if self.reg_random_delay and not values["reg_delay"]:
            values["reg_delay"] = self.proxy.random.randrange(self.reg_random_delay) + 1
        values["flags"] &= DISABLED
        return Registration(values, int(self.proxy.wall()))

    def start_registrations(self) -> None:
        """Raises StoreError."""
        assert self._reg_db is not None
        self._reg_db.check(self.reg_db_table, like="uacreg")
        self.registrations = {reg.l_uuid: reg for reg in self._load()}
        self._loaded = self.proxy.now - self.reg_gc_interval
        interval = max(1, self.reg_timer_interval)
        self.proxy.after(interval, self.reg_tick, every=interval)

    def ordered(self) -> list[Registration]:
        """As Kamailio dumps them: by slot of the hash of the uuid, in it the newest first."""
        mask = (1 << self.reg_hash_size) - 1
        return sorted(reversed(self.registrations.values()), key=lambda reg: reg.slot & mask)

    # -- registering --------------------------------------------------------------------------------------------------

    def reg_tick(self) -> None:
        """Register what is due."""
        if not self.reg_active:
            return
        now = int(self.proxy.wall())
        for reg in self.ordered():
            if self._due(reg, now):
                reg.timer_expires = now
                self._register(reg, reg.expires)

    def _due(self, reg: Registration, now: int) -> bool:
        if reg.flags & (DISABLED | ONGOING) or not reg.expires:
            return False
        if reg.timer_expires > now + self.reg_timer_interval + 3:
            return False
        if not reg.flags & INIT:
            if reg.reg_delay > 0 and now < reg.reg_init + reg.reg_delay:
                return False
            reg.flags |= INIT
        return True

    def _headers(self, reg: Registration, expires: int) -> str:
        return f"Contact: <sip:{reg.l_uuid}@{reg.contact_addr}>\r\nExpires: {expires}\r\n"

    def _register(self, reg: Registration, expires: int) -> bool:
        uri = f"sip:{reg.r_username}@{reg.r_domain}"
        headers = f"To: <{uri}>\r\nFrom: <{uri}>\r\n"
        if self.reg_keep_callid and reg.callid:
            reg.cseq += 1
            headers += f"Call-ID: {reg.callid}\r\nCSeq: {reg.cseq} REGISTER\r\n"
        return self._send_register(reg, headers + self._headers(reg, expires), expires, False)

    def _send_register(self, reg: Registration, headers: str, expires: int, answered: bool) -> bool:
        if self.proxy.sandbox:
            log.warning("uac: %s: a sandbox registers nothing", reg.l_uuid)
            return False
        told = partial(self._answered, reg, expires, answered)
        try:
            t = uac.send(
                self.proxy.modules.tm.engine,
                "REGISTER",
                f"sip:{reg.r_domain}",
                reg.auth_proxy,
                self.socket_text(reg.socket),
                headers,
                "",
                self.proxy.fake_run().record,
                told,
            )
        except uac.UacError as error:
            log.error("uac: cannot register %s: %s", reg.l_uuid, error)
            self._failed(reg)
            return False
        if expires:
            reg.flags |= ONGOING
        reg.callid = t.msg.callid
        if t.msg.cseq is not None:
            reg.cseq = int(t.msg.cseq.number_text)
        return True

    def _answered(
        self,
        reg: Registration,
        expires: int,
        answered: bool,
        event: int,
        t: Transaction,
        run: Run | None,
        reply: SipMessage | None,
        code: int,
    ) -> None:
        """The registrar's final reply; 408 of our own when none came."""
        if self.registrations.get(reg.l_uuid) is not reg:
            return
        reg.flags &= ~ONGOING
        if code == 200 and reply is not None:
            granted = self._granted(reg, reply)
            if granted is None:
                log.error("uac: the 200 for %s has no Contact of ours", reg.l_uuid)
                self._failed(reg)
                return
            reg.flags = reg.flags & ~AUTHSENT | ONLINE
            reg.timer_expires = int(self.proxy.wall()) + granted
            return
        if code in (401, 407) and not answered:
            try:
                headers, _ = again(
                    t.msg,
                    reply,
                    self._headers(reg, expires),
                    reg.auth_username,
                    reg.auth_ha1 or reg.auth_password,
                    bool(reg.auth_ha1),
                    reg.realm,
                )
            except (SipError, ValueError) as error:
                log.error("uac: cannot authenticate %s: %s", reg.l_uuid, error)
                self._failed(reg)
                return
            reg.flags |= AUTHSENT
            self._send_register(reg, headers, expires, True)
            return
        log.error("uac: got %d while registering %s", code, reg.l_uuid)
        self._failed(reg)

    def _granted(self, reg: Registration, reply: SipMessage) -> int | None:
        """The seconds that our Contact was registered for, None when it is not among those told."""
        try:
            for contact in reply.nameaddrs("contact"):
                if parse_uri(contact.uri).user != reg.l_uuid:
                    continue
                text = contact.param("expires") or ""
                if not text:
                    field = reply.get("expires")
                    text = field.body.strip() if field is not None else ""
                return int(text) if text.isascii() and text.isdigit() else 0
        except SipError as error:
            log.error("uac: the 200 for %s: %s", reg.l_uuid, error)
        return None

    def _failed(self, reg: Registration) -> None:
        reg.flags &= ~(ONGOING | AUTHSENT | ONLINE)
        reg.callid = ""
        if self.reg_retry_interval:
            reg.timer_expires = int(self.proxy.wall()) + self.reg_retry_interval
        else:
            reg.flags |= DISABLED
            reg.timer_expires = int(self.proxy.wall())

    # -- finding ------------------------------------------------------------------------------------------------------

    def _by(self, name: str, value: str) -> Registration | None:
        """By one of the filters. Raises KeyError for another attribute."""
        if name not in _FILTERS:
            log.error("uac: there is no filter %r; expected one of %s", name, ", ".join(_FILTERS))
            raise KeyError(name)
        return next((reg for reg in self.ordered() if getattr(reg, name) == value), None)

    def _by_user(self, user: str, domain: str) -> Registration | None:
        return next(
            (
                reg
                for reg in self.ordered()
                if reg.l_username == user and (not self.reg_use_domain or reg.l_domain == domain)
            ),
            None,
        )

    def _switch(self, reg: Registration, on: bool) -> None:
        reg.flags = reg.flags & ~DISABLED if on else reg.flags | DISABLED
        reg.timer_expires = int(self.proxy.wall()) + 1

    # -- functions ----------------------------------------------------------------------------------------------------

    def _target(self, name: str, dst: str) -> Accessor | None:
        try:
            found = compile_spec(dst)
        except PvError as error:
            log.error("%s: expected a variable: %s", name, error)
            return None
        if not found.writable:
            log.error("%s: %s cannot be written", name, dst)
            return None
        return found

    @export
    def uac_reg_lookup(self, run: Run, userid: str, sdst: str) -> int:
        """Put the local address of a registration, by its uuid, into the variable ``sdst``: 1, -1 without one."""
        target = self._target("uac_reg_lookup", sdst)
        reg = self.registrations.get(userid)
        if target is None or reg is None:
            return -1
        return assign(target, run, f"sip:{reg.l_username}@{reg.l_domain}", "uac_reg_lookup")

    @export
    def uac_reg_lookup_uri(self, run: Run, suri: str, sdst: str) -> int:
        """Put the uuid of a URI's user's registration into the variable ``sdst``: 1, -1 without one, -2 no URI."""
        target = self._target("uac_reg_lookup_uri", sdst)
        if target is None:
            return -1
        try:
            uri = parse_uri(suri)
        except SipError as error:
            log.error("uac_reg_lookup_uri: %s", error)
            return -2
        reg = self._by_user(uri.user, uri.host)
        return -1 if reg is None else assign(target, run, reg.l_uuid, "uac_reg_lookup_uri")

    @export
    def uac_reg_status(self, run: Run, sruuid: str) -> int:
        """1 registered, -1 no such uuid, -2 being registered, -3 disabled, -99 not registered at the moment."""
        reg = self.registrations.get(sruuid)
        if reg is None:
            return -1
        if reg.flags & ONLINE and reg.timer_expires > int(self.proxy.wall()):
            return 1
        if reg.flags & ONGOING:
            return -2
        return -3 if reg.flags & DISABLED else -99

    @export
    def uac_reg_request_to(self, run: Run, userid: str, imode: int) -> int:
        """Send this request to the registrar of a registration, by uuid (mode 0) or local user (1): 1, -1.

        Sets Request-URI, destination URI, and the credentials that uac_auth() takes.
        """
        reg = None
        if imode in (0, 1):
            reg = self.registrations.get(userid) if imode == 0 else self._by_user(userid, "")
        if reg is None:
            return -1
        if self.auth_realm is None or self.auth_username is None or self.auth_password is None:
            log.error("uac_reg_request_to: set modparam uac:auth_realm_avp, auth_username_avp and auth_password_avp")
            return -1
        msg = run.msg
        msg.new_uri = f"sip:{reg.r_username}@{reg.r_domain}"
        if reg.auth_proxy:
            msg.dst_uri = reg.auth_proxy
        self.auth_realm.set(run, reg.realm)
        self.auth_username.set(run, reg.auth_username)
        self.auth_password.set(run, reg.auth_password)
        return 1

    def _switched(self, attr: str, val: str, on: bool) -> int:
        try:
            reg = self._by(attr, val)
        except KeyError:
            return -3
        if reg is None:
            return -2
        self._switch(reg, on)
        return 1

    @export
    def uac_reg_enable(self, run: Run, attr: str, val: str) -> int:
        """Enable the registration whose ``attr`` is ``val``: 1, -2 without one, -3 for another attribute."""
        return self._switched(attr, val, True)

    @export
    def uac_reg_disable(self, run: Run, attr: str, val: str) -> int:
        """Disable the registration whose ``attr`` is ``val``: 1, -2 without one, -3 for another attribute."""
        return self._switched(attr, val, False)

    @export
    def uac_reg_refresh(self, run: Run, l_uuid: str) -> int:
        """Read one registration from the table again: 1, -1 when there is no such row."""
        return 1 if self._refresh(l_uuid) > 0 else -1

    def _refresh(self, uuid: str) -> int:
        """1 done, 0 no such row, -1 error."""
        if self._reg_db is None:
            log.error("uac: modparam uac:reg_db_url is not set")
            return -1
        try:
            rows = self._load(uuid)
        except StoreError as error:
            log.error("uac: %s", error)
            return -1
        if not rows:
            log.warning("uac: there is no registration %s", uuid)
            return 0
        self.registrations.pop(uuid, None)
        self.registrations[uuid] = rows[0]
        return 1
