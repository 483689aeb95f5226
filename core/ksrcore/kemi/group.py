"""Kamailio's group: whether a user belongs to a group, by the table ``grp``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..sip.errors import SipError
from ..sip.uri import parse_uri
from ..store.errors import StoreError
from .dbparam import DbModule
from .declare import Param, ParamError, export

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["Group"]

log = logging.getLogger("ksrcore.group")


class Group(DbModule):
    name = "group"

    table = Param("grp", "the table: str")
    user_column = Param("username", "column with the user name: str")
    domain_column = Param("domain", "column with the domain: str")
    group_column = Param("grp", "column with the group: str")
    use_domain = Param(0, "1: the domain is part of the key: int")
    re_table = Param("", "only its default: groups by expressions are for the native language: str")
    re_exp_column = Param("reg_exp", "no effect without re_table: str")
    re_gid_column = Param("group_id", "no effect without re_table: str")
    multiple_gid = Param(1, "no effect without re_table: int")
    named = ("table", "user_column", "domain_column", "group_column")

    def start(self) -> None:
        if self.re_table:
            raise ParamError("modparam group:re_table can only be '' here: no KEMI function uses it; leave it out")
        super().start()

    @export
    def is_user_in(self, run: Run, suri: str, sgrp: str) -> int:
        """1 when the user of a URI is in a group, -6 when not, -1 for an error."""
        if not suri or not sgrp:
            return -1
        sql = f'SELECT 1 FROM "{self.table}" WHERE "{self.user_column}" = ? AND "{self.group_column}" = ?'
        try:
            uri = parse_uri(suri)
            params = [uri.user, sgrp]
            if self.use_domain:
                sql += f' AND "{self.domain_column}" = ?'
                params.append(uri.host)
            return 1 if self.rows(sql + " LIMIT 1", params) else -6
        except (SipError, StoreError) as error:
            log.error("is_user_in: %s", error)
            return -1
