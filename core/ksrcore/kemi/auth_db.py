"""Kamailio's auth_db: digest credentials against the ``subscriber`` table."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Self

from ..sip.digest import Credentials, parse_credentials
from ..sip.errors import SipError
from ..sip.uri import parse_uri
from ..store.database import Database
from ..store.errors import StoreError
from .auth import ERROR, OK, UNCHALLENGED, USER_MISMATCH, USER_UNKNOWN, Auth, same_user
from .dbparam import module_database
from .declare import Module, Param, ParamError, export

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

log = logging.getLogger("ksrcore.auth_db")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CREDENTIAL = re.compile(r"(?:\$avp\((?:s:)?([^()]+)\)\s*=\s*)?([A-Za-z_][A-Za-z0-9_]*)\Z")


class AuthDb(Module):
    """Finds the password of a user. Nothing is cached: what changes in the table counts for the next request."""

    name = "auth_db"

    db_url = Param("", "the database; '' for the proxy's: str")
    user_column = Param("username", "column with the user name: str")
    domain_column = Param("domain", "column with the domain: str")
    password_column = Param("ha1", "column with HA1, or with the password when calculate_ha1 is 1: str")
    password_column_2 = Param("ha1b", "column with HA1 for users that give user@domain as their name: str")
    calculate_ha1 = Param(0, "1: the password column has passwords in clear: int")
    use_domain = Param(0, "1: the domain is part of the key, and of the check of From and To: int")
    load_credentials = Param("", "columns to load into AVPs, such as $avp(pw)=password;rpid: str")
    version_table = Param(1, "no effect: table versions are checked when the database is opened: int")
    force_generate_avps = Param(0, "1: load_credentials also when the authentication fails: int")

    def start(self) -> None:
        self.auth: Auth = self.proxy.modules.auth
        for name in ("user_column", "domain_column", "password_column", "password_column_2"):
            if not _NAME.match(getattr(self, name)):
                raise ParamError(f"modparam auth_db:{name} expects a column name, got {getattr(self, name)!r}")
        self._loads: list[tuple[str, str]] = []
        for part in filter(None, (text.strip() for text in self.load_credentials.split(";"))):
            match = _CREDENTIAL.match(part)
            if match is None:
                raise ParamError(
                    "modparam auth_db:load_credentials expects columns or $avp(name)=column, separated by ';', "
                    f"got {part!r}"
                )
            self._loads.append((match[1] or match[2], match[2]))
        self.db: Database | None = module_database(self.proxy, self.db_url)
        self._queries: dict[tuple[str, bool, bool], str] = {}

    def stop(self) -> None:
        if self.db is not None and self.db is not self.proxy.db:
            self.db.close()

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.auth = proxy.modules.auth
        new.db = self.db.fork() if self.db is not None else None
        return new

    def _query(self, table: str, second: bool, domain: bool) -> str:
        key = (table, second, domain)
        sql = self._queries.get(key)
        if sql is None:
            if not _NAME.match(table):
                raise StoreError(f"auth_db: {table!r} is not a table name")
            password = self.password_column_2 if second and not self.calculate_ha1 else self.password_column
            # With the table's name, for SQLite takes a quoted name that is no column for a text.
            names = (password, *(column for _, column in self._loads))
            columns = ", ".join(f'"{table}"."{name}"' for name in names)
            sql = f'SELECT {columns} FROM "{table}" WHERE "{table}"."{self.user_column}" = ?'
            if domain:
                sql += f' AND "{table}"."{self.domain_column}" = ?'
            sql = self._queries[key] = sql + " LIMIT 1"
        return sql

    def _row(self, table: str, user: str, domain: str | None, second: bool = False) -> tuple[Any, ...] | None:
        """(password or HA1, the columns of load_credentials ...) of a user. Raises StoreError."""
        if self.db is None:
            raise StoreError("auth_db: there is no database; start with --db or set modparam auth_db:db_url")
        params = (user,) if domain is None else (user, domain)
        rows = self.db.query(self._query(table, second, domain is not None), params)
        return rows[0] if rows else None

    def _load(self, run: Run, row: tuple[Any, ...]) -> None:
        for (name, _), value in zip(self._loads, row[1:], strict=True):
            if value is not None:
                run.avps.add(name, value if isinstance(value, int) else str(value))

    @export
    def auth_check(self, run: Run, realm: str, table: str, flags: int) -> int:
        """Check the request's credentials for ``realm`` against ``table``.

        ``flags``: 1 the user must be that of From (REGISTER: and of To; PUBLISH: and of the R-URI); 2 with 1: not for
        INVITE, BYE, PRACK, UPDATE, MESSAGE. 1; -1 error, -2 wrong password, -3 no such user, -4 nonce too old, -5 no
        credentials, -6 nonce used before, -8 another user.
        """
        if run.msg.method in UNCHALLENGED:
            return OK
        if not realm or not table:
            log.error("auth_check: the %s is empty", "table" if realm else "realm")
            return ERROR
        return self._check(run, realm, table, flags, "", "")

    def _check(self, run: Run, realm: str, table: str, flags: int, key: str, method: str) -> int:
        """``key``: of the field with the credentials, '' for that of the method; ``method``: '' for the request's."""
        msg = run.msg
        if msg.method in UNCHALLENGED:
            return OK
        code, header = self.auth.pre_auth(run, realm, key)
        if header is None:
            return code
        credentials = header.parsed(parse_credentials)
        realm = self.auth.strip_realm(realm)
        domain = (credentials.domain or realm) if self.use_domain else None
        try:
            row = self._row(table, credentials.user, domain, bool(credentials.domain))
        except StoreError as error:
            log.error("auth_check: %s", error)
            return ERROR
        if row is None:
            return USER_UNKNOWN
        secret = "" if row[0] is None else str(row[0])
        if self.calculate_ha1:
            secret = self.auth.ha1(credentials, realm, secret)
        code = self.auth.check_response(run, header, secret, method)
        if code == OK or self.force_generate_avps:
            self._load(run, row)
        if code == OK and flags & 1:
            return self._check_user(run, credentials, realm, flags)
        return code

    def _check_user(self, run: Run, credentials: Credentials, realm: str, flags: int) -> int:
        msg = run.msg
        if flags & 2 and msg.method in ("INVITE", "BYE", "PRACK", "UPDATE", "MESSAGE"):
            return OK
        host = realm if self.use_domain else None
        user = credentials.user
        if not same_user(msg.from_, user, host):
            return USER_MISMATCH
        if msg.method in ("REGISTER", "PUBLISH") and not same_user(msg.to, user, host):
            return USER_MISMATCH
        if msg.method == "PUBLISH":
            try:
                uri = msg.parsed_uri
            except SipError:
                return USER_MISMATCH
            if uri.user != user or (host is not None and uri.host != host):
                return USER_MISMATCH
        return OK

    @export
    def www_authenticate(self, run: Run, realm: str, table: str) -> int:
        """Check the credentials in Authorization against ``table`` (Kamailio 6.0 and later).

        Results as of auth_check.
        """
        return self.www_authenticate_method(run, realm, table, "")

    @export
    def www_authenticate_method(self, run: Run, realm: str, table: str, method: str) -> int:
        """``www_authenticate`` as if the request had that method."""
        if not realm or not table:
            log.error("www_authenticate: the %s is empty", "table" if realm else "realm")
            return ERROR
        return self._check(run, realm, table, 0, "authorization", method)

    @export
    def is_subscriber(self, run: Run, uri: str, table: str, flags: int) -> int:
        """Whether ``table`` has the user of ``uri``, with its domain when ``flags`` has 1: 1, -2 not there, -1 error.

        Without 2 in ``flags`` the columns of load_credentials are loaded; -1 then when none are set.
        """
        if not uri or not table:
            log.error("is_subscriber: the %s is empty", "table" if uri else "uri")
            return -1
        try:
            parsed = parse_uri(uri)
        except SipError as error:
            log.error("is_subscriber: %s", error)
            return -1
        if not flags & 2 and not self._loads:
            return -1
        try:
            row = self._row(table, parsed.user, parsed.host if flags & 1 else None)
        except StoreError as error:
            log.error("is_subscriber: %s", error)
            return -1
        if row is None:
            return -2
        if not flags & 2:
            self._load(run, row)
        return 1
