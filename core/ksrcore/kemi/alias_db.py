"""Kamailio's alias_db: aliases of users, in the table ``dbaliases``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..sip.errors import SipError
from ..sip.message import Branch
from ..sip.uri import parse_uri
from ..store.errors import StoreError
from .dbparam import DbModule, table_name
from .declare import Param, export

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["AliasDb"]

log = logging.getLogger("ksrcore.alias_db")


class AliasDb(DbModule):
    name = "alias_db"

    user_column = Param("username", "column with the user name: str")
    domain_column = Param("domain", "column with the user's domain: str")
    alias_user_column = Param("alias_username", "column with the alias: str")
    alias_domain_column = Param("alias_domain", "column with the alias's domain: str")
    use_domain = Param(0, "1: the domain is part of the key: int")
    domain_prefix = Param("", "taken off the domain before: str")
    append_branches = Param(0, "1: further users of an alias become branches: int")
    named = ("user_column", "domain_column", "alias_user_column", "alias_domain_column")

    def _find(self, table: str, user: str, host: str, domain: bool, reverse: bool) -> list[str]:
        """The URIs that an alias, or in ``reverse`` a user, stands for. Raises StoreError."""
        alias, target = (self.alias_user_column, self.alias_domain_column), (self.user_column, self.domain_column)
        key, wanted = (target, alias) if reverse else (alias, target)
        sql = f'SELECT "{wanted[0]}", "{wanted[1]}" FROM {table_name(table)} WHERE "{key[0]}" = ?'
        params = [user]
        if domain:
            sql += f' AND "{key[1]}" = ?'
            params.append(host.removeprefix(self.domain_prefix))
        return [f"sip:{found or ''}@{at or ''}" for found, at in self.rows(sql, params)]

    @export
    def lookup(self, run: Run, stable: str) -> int:
        """Replace the Request-URI, an alias, by the user's: 1; -1 when it is none or there is no such table."""
        return self.lookup_ex(run, stable, "")

    @export
    def lookup_ex(self, run: Run, stable: str, sflags: str) -> int:
        """``lookup`` with flags: d the user name alone is the key, u the domain too, r from user to alias."""
        domain, reverse = bool(self.use_domain), False
        for flag in sflags:
            if flag == "d":
                domain = False
            elif flag == "u":
                domain = True
            elif flag == "r":
                reverse = True
            else:
                log.error("lookup_ex: unknown flag %r; expected d, u or r", flag)
        msg = run.msg
        try:
            uri = parse_uri(msg.new_uri or msg.ruri)
            if not uri.user:
                return -1
            found = self._find(stable, uri.user, uri.host, domain, reverse)
        except (SipError, StoreError) as error:
            log.error("alias_db: %s", error)
            return -1
        if not found:
            return -1
        msg.new_uri = found[0]
        if self.append_branches:
            msg.branches.extend(Branch(uri) for uri in found[1:])
        return 1
