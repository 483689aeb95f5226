"""Kamailio's userblocklist: numbers that may not be called, of each user and of all, by the longest prefix."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

from ..sip.errors import SipError
from ..sip.uri import parse_uri
from ..store.errors import StoreError
from .dbparam import DbModule, table_name
from .declare import Param, ParamError, RpcError, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Userblocklist"]

log = logging.getLogger("ksrcore.userblocklist")


def _longest(prefixes: dict[str, bool], number: str) -> bool | None:
    """Whether the longest prefix of a number is one that is allowed, None without a prefix."""
    at = next((at for at, char in enumerate(number) if char.isdigit()), len(number))
    number = number[at:]
    for size in range(len(number), 0, -1):
        found = prefixes.get(number[:size])
        if found is not None:
            return found
    return None


class Userblocklist(DbModule):
    """``everybody``: prefixes of the table for all, and whether they are allowed; users' are read for each check."""

    name = "userblocklist"

    use_domain = Param(0, "1: the domain is part of a user's key: int")
    match_mode = Param(10, "10: prefixes are of digits; only its default: int")
    userblocklist_table = Param("userblocklist", "table of the users' prefixes: str")
    userblocklist_id_col = Param("id", "no effect: str")
    userblocklist_username_col = Param("username", "column of the user: str")
    userblocklist_domain_col = Param("domain", "column of the domain: str")
    userblocklist_prefix_col = Param("prefix", "column of the prefix: str")
    userblocklist_allowlist_col = Param("allowlist", "column with 1 for a prefix that is allowed: str")
    globalblocklist_table = Param("globalblocklist", "table of the prefixes for all: str")
    globalblocklist_id_col = Param("id", "no effect: str")
    globalblocklist_prefix_col = Param("prefix", "its column of the prefix: str")
    globalblocklist_allowlist_col = Param("allowlist", "its column with 1 for a prefix that is allowed: str")
    globalblocklist_description_col = Param("description", "no effect: str")
    named = (
        "userblocklist_table",
        "userblocklist_username_col",
        "userblocklist_domain_col",
        "userblocklist_prefix_col",
        "userblocklist_allowlist_col",
        "globalblocklist_table",
        "globalblocklist_prefix_col",
        "globalblocklist_allowlist_col",
    )

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.everybody: dict[str, bool] = {}

    def start(self) -> None:
        super().start()
        if self.match_mode != 10:
            raise ParamError("modparam userblocklist:match_mode can only be 10 here; leave it out")
        if self.db is not None and self.globalblocklist_table in self.db.tables():
            try:
                self._load()
            except StoreError as error:
                raise ParamError(f"modparam userblocklist: {error}") from None

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.everybody = dict(self.everybody)
        return new

    def _load(self) -> None:
        """Read the prefixes for all. Raises StoreError."""
        columns = f'"{self.globalblocklist_prefix_col}", "{self.globalblocklist_allowlist_col}"'
        rows = self.rows(f'SELECT {columns} FROM "{self.globalblocklist_table}"')
        self.everybody = {str(prefix): bool(allowed) for prefix, allowed in rows}

    def _user(self, run: Run, user: str, domain: str, number: str, table: str) -> bool | None:
        sql = (
            f'SELECT "{self.userblocklist_prefix_col}", "{self.userblocklist_allowlist_col}" '
            f'FROM {table_name(table)} WHERE "{self.userblocklist_username_col}" = ?'
        )
        params = [user]
        if self.use_domain:
            sql += f' AND "{self.userblocklist_domain_col}" = ?'
            params.append(domain)
        return _longest({str(prefix): bool(allowed) for prefix, allowed in self.rows(sql, params)}, number)

    def _number(self, run: Run) -> str:
        return parse_uri(run.msg.new_uri or run.msg.ruri).user

    def _block(self, run: Run, user: str, domain: str, number: str | None, table: str) -> int:
        try:
            found = self._user(run, user, domain, self._number(run) if number is None else number, table)
        except (SipError, StoreError) as error:
            log.error("check_user_blocklist: %s", error)
            return -1
        return -1 if found is False else 1

    def _allow(self, run: Run, user: str, domain: str, number: str | None, table: str) -> int:
        try:
            found = self._user(run, user, domain, self._number(run) if number is None else number, table)
        except (SipError, StoreError) as error:
            log.error("check_user_allowlist: %s", error)
            return -1
        return 1 if found else -1

    # -- KEMI ---------------------------------------------------------------------------------------------------------

    @export
    def check_user_blocklist(self, run: Run, suser: str, sdomain: str) -> int:
        """-1 when the longest prefix of the Request-URI's user is one the user may not call, else 1."""
        return self._block(run, suser, sdomain, None, self.userblocklist_table)

    @export
    def check_user_blocklist_number(self, run: Run, suser: str, sdomain: str, snumber: str) -> int:
        """``check_user_blocklist`` for a number."""
        return self._block(run, suser, sdomain, snumber, self.userblocklist_table)

    @export
    def check_user_blocklist_table(self, run: Run, suser: str, sdomain: str, snumber: str, stable: str) -> int:
        """``check_user_blocklist`` for a number, by another table."""
        return self._block(run, suser, sdomain, snumber, stable)

    @export
    def check_user_allowlist(self, run: Run, suser: str, sdomain: str) -> int:
        """1 when the longest prefix of the Request-URI's user is one the user may call, else -1."""
        return self._allow(run, suser, sdomain, None, self.userblocklist_table)

    @export
    def check_user_allowlist_number(self, run: Run, suser: str, sdomain: str, snumber: str) -> int:
        """``check_user_allowlist`` for a number."""
        return self._allow(run, suser, sdomain, snumber, self.userblocklist_table)

    @export
    def check_user_allowlist_table(self, run: Run, suser: str, sdomain: str, snumber: str, stable: str) -> int:
        """``check_user_allowlist`` for a number, by another table."""
        return self._allow(run, suser, sdomain, snumber, stable)

    def _everybody(self, run: Run, table: str) -> bool | None:
        if table != self.globalblocklist_table:
            log.error("userblocklist: the table %r was not read, only %r", table, self.globalblocklist_table)
            return None
        try:
            return _longest(self.everybody, self._number(run))
        except SipError as error:
            log.error("userblocklist: %s", error)
            return None

    @export
    def check_blocklist(self, run: Run, stable: str) -> int:
        """-1 when the longest prefix of the Request-URI's user is one nobody may call, else 1."""
        return -1 if self._everybody(run, stable) is False else 1

    @export
    def check_global_blocklist(self, run: Run) -> int:
        """``check_blocklist`` for the table of the parameter globalblocklist_table."""
        return self.check_blocklist(run, self.globalblocklist_table)

    @export
    def check_allowlist(self, run: Run, stable: str) -> int:
        """1 when the longest prefix of the Request-URI's user is one that is allowed, else -1."""
        return 1 if self._everybody(run, stable) else -1

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("userblocklist.reload_blocklist")
    def rpc_reload(self, params: list[Any]) -> Any:
        """Read the prefixes for all again."""
        try:
            self._load()
        except StoreError as error:
            log.error("userblocklist.reload_blocklist: %s", error)
            raise RpcError(500, "failed to reload") from None
        return "200 ok"

    @rpc("userblocklist.dump_blocklist")
    def rpc_dump(self, params: list[Any]) -> Any:
        """List the prefixes for all."""
        return [{"prefix": prefix, "allowlist": str(int(allowed))} for prefix, allowed in self.everybody.items()]
