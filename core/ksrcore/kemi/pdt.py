"""Kamailio's pdt: the Request-URI's domain by the longest prefix of its user, from the table ``pdt``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

from ..sip.errors import SipError
from ..sip.uri import parse_uri
from ..store.errors import StoreError
from .dbparam import DbModule
from .declare import Param, ParamError, RpcError, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Pdt"]

log = logging.getLogger("ksrcore.pdt")

ANY = "*"


class Pdt(DbModule):
    """``domains``: source domain -> prefix -> domain."""

    name = "pdt"

    db_table = Param("pdt", "the table: str")
    sdomain_column = Param("sdomain", "column with the source domain, * for any: str")
    prefix_column = Param("prefix", "column with the prefix: str")
    domain_column = Param("domain", "column with the domain: str")
    prefix = Param("", "what a user must begin with; it is taken off first: str")
    fetch_rows = Param(1000, "no effect: int")
    char_list = Param("0123456789", "the characters prefixes are made of: str")
    check_domain = Param(1, "no effect, as in Kamailio's KEMI functions: int")
    named = ("db_table", "sdomain_column", "prefix_column", "domain_column")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.domains: dict[str, dict[str, str]] = {}

    def start(self) -> None:
        super().start()
        if self.db is not None and self.db_table in self.db.tables():
            try:
                self._load()
            except StoreError as error:
                raise ParamError(f"modparam pdt: {error}") from None

    def fork(self, proxy: Proxy) -> Self:
        new = super().fork(proxy)
        new.domains = dict(self.domains)
        return new

    def _load(self) -> None:
        """Read the table. Raises StoreError."""
        domains: dict[str, dict[str, str]] = {}
        sql = f'SELECT "{self.sdomain_column}", "{self.prefix_column}", "{self.domain_column}" FROM "{self.db_table}"'
        for source, prefix, domain in self.rows(sql):
            if not prefix or not domain or not set(str(prefix)) <= set(self.char_list):
                log.error("pdt: the row %r, %r, %r has no domain or a prefix not of char_list", source, prefix, domain)
                continue
            domains.setdefault(str(source), {})[str(prefix)] = str(domain)
        self.domains = domains

    def _translate(self, run: Run, source: str, rewrite: int) -> int:
        msg = run.msg
        try:
            uri = parse_uri(msg.new_uri or msg.ruri)
        except SipError as error:
            log.error("pdt: %s", error)
            return -1
        user = uri.user
        if not user.startswith(self.prefix):
            return -1
        user = user[len(self.prefix) :]
        prefixes = self.domains.get(source)
        if not prefixes:
            return -1
        for size in range(len(user), 0, -1):
            domain = prefixes.get(user[:size])
            if domain is not None:
                rest = uri.user if rewrite == 1 else user if rewrite == 2 else user[size:]
                rest += f":{uri.password}" if rest and uri.password else ""
                msg.new_uri = f"{uri.scheme}:{rest}{'@' if rest else ''}{domain}"
                return 1
        return -1

    @export
    def pd_translate(self, run: Run, sdomain: str, mode: int) -> int:
        """Replace the Request-URI's domain by that of the longest prefix of its user: 1, -1 for none.

        ``mode``: 0 takes the prefix off, 1 keeps the user, 2 takes only the parameter ``prefix`` off.
        """
        if not sdomain:
            log.error("pd_translate: the source domain is empty")
            return -1
        return self._translate(run, sdomain, mode)

    @export
    def pprefix2domain(self, run: Run, m: int, s: int) -> int:
        """``pd_translate`` for any source domain, that of From (``s`` 1), or it and then any (2)."""
        if s not in (1, 2):
            return self._translate(run, ANY, m)
        try:
            from_ = run.msg.from_
            source = parse_uri(from_.uri).host if from_ is not None else ""
        except SipError as error:
            log.error("pprefix2domain: %s", error)
            return -1
        code = self._translate(run, source, m)
        return self._translate(run, ANY, m) if code < 0 and s == 2 else code

    # -- RPC ----------------------------------------------------------------------------------------------------------

    @rpc("pdt.reload")
    def rpc_reload(self, params: list[Any]) -> Any:
        """Read the table again."""
        try:
            self._load()
        except StoreError as error:
            log.error("pdt.reload: %s", error)
            raise RpcError(500, "Failed to reload") from None
        return {}

    @rpc("pdt.list")
    def rpc_list(self, params: list[Any]) -> Any:
        """The prefixes: of a source domain, or of all."""
        return [
            {
                "SDOMAIN": source,
                "RECORDS": [{"ENTRY": {"DOMAIN": to, "PREFIX": prefix}} for prefix, to in prefixes.items()],
            }
            for source, prefixes in self.domains.items()
            if not params or str(params[0]) in (source, ".", "")
        ]
