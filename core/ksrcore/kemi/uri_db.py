"""Kamailio's uri_db: whether a user is the one who authenticated, or one that the table ``uri`` allows that one."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..sip.digest import parse_credentials
from ..sip.errors import SipError
from ..sip.header import Header
from ..sip.uri import parse_uri
from ..store.errors import StoreError
from .dbparam import DbModule
from .declare import Param, export

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["UriDb"]

log = logging.getLogger("ksrcore.uri_db")


class UriDb(DbModule):
    name = "uri_db"

    db_table = Param("subscriber", "the table: str")
    user_column = Param("username", "column with the user name: str")
    domain_column = Param("domain", "column with the domain: str")
    uriuser_column = Param("uri_user", "column with the user in URIs: str")
    use_uri_table = Param(0, "1: db_table is one as uri, not as subscriber: int")
    use_domain = Param(0, "1: does_uri_exist() compares the domain too: int")
    named = ("db_table", "user_column", "domain_column", "uriuser_column")

    def _check(self, run: Run, text: str, user: str = "", realm: str = "") -> int:
        try:
            wanted = parse_uri(text).user
        except SipError as error:
            log.error("uri_db: %s", error)
            return -1
        if not wanted:
            return -4
        if not user or not realm:
            header = run.msg.extra.get("auth")
            if not isinstance(header, Header):
                log.error("uri_db: the request has no credentials that were verified")
                return -2
            found = header.parsed(parse_credentials)
            user, realm = found.user, found.realm
        if not self.use_uri_table:
            return 1 if user.lower() == wanted.lower() else -10
        columns = (self.user_column, self.domain_column, self.uriuser_column)
        return self._exists(columns, [user, realm, wanted], -9)

    def _exists(self, columns: Iterable[str], values: list[str], absent: int) -> int:
        where = " AND ".join(f'"{column}" = ?' for column in columns)
        try:
            return 1 if self.rows(f'SELECT 1 FROM "{self.db_table}" WHERE {where} LIMIT 1', values) else absent
        except StoreError as error:
            log.error("uri_db: %s", error)
            return -1

    @export
    def check_from(self, run: Run) -> int:
        """1 when the user in From is the one who authenticated, or (use_uri_table) may be used by that one."""
        from_ = run.msg.from_
        return self._check(run, from_.uri) if from_ is not None else -1

    @export
    def check_to(self, run: Run) -> int:
        """1 when the user in To is the one who authenticated, or (use_uri_table) may be used by that one."""
        to = run.msg.to
        return self._check(run, to.uri) if to is not None else -1

    @export
    def check_uri(self, run: Run, suri: str) -> int:
        """1 when the user of a URI is the one who authenticated, or (use_uri_table) may be used by that one."""
        return self._check(run, suri)

    @export
    def check_uri_realm(self, run: Run, suri: str, susername: str, srealm: str) -> int:
        """``check_uri`` for this user of this realm in place of the one who authenticated (one is '': that one).

        -4 without a user in the URI, -2 without credentials that were verified, -9 and -10 not allowed, -1 no URI.
        """
        return self._check(run, suri, susername, srealm)

    @export
    def does_uri_exist(self, run: Run) -> int:
        """1 when the database has the Request-URI's user, -5 when not, -1 for an error."""
        try:
            uri = parse_uri(run.msg.uri)
        except SipError as error:
            log.error("uri_db: %s", error)
            return -1
        columns, values = [self.uriuser_column if self.use_uri_table else self.user_column], [uri.user]
        if self.use_domain:
            columns.append(self.domain_column)
            values.append(uri.host)
        return self._exists(columns, values, -5)
