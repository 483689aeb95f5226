"""Kamailio's regex: texts against expressions of PCRE, given or in groups in a file (see :mod:`ksrcore.pcre`)."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from ..pcre import PcreError, compile_pcre
from .declare import Module, Param, ParamError, RpcError, export, rpc

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Regex"]

log = logging.getLogger("ksrcore.regex")


class Regex(Module):
    """``groups``: of the file; None for one without expressions, which matches nothing."""

    name = "regex"

    file = Param("", "a file with groups of expressions: str")
    max_groups = Param(20, "the most groups of the file: int")
    group_max_size = Param(8192, "the most bytes of a group: int")
    pcre_caseless = Param(0, "1: letters match in either case: int")
    pcre_multiline = Param(0, "1: ^ and $ match at each line: int")
    pcre_dotall = Param(0, "1: a dot matches a line's end: int")
    pcre_extended = Param(0, "1: white space and comments in expressions mean nothing: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.groups: list[re.Pattern[str] | None] = []
        self._flags = 0

    def start(self) -> None:
        for value, flag in (
            (self.pcre_caseless, re.I),
            (self.pcre_multiline, re.M),
            (self.pcre_dotall, re.S),
            (self.pcre_extended, re.X),
        ):
            self._flags |= flag if value else 0
        if self.file:
            try:
                self.groups = self._read()
            except (OSError, PcreError) as error:
                raise ParamError(f"modparam regex:file: {error}") from None

    def _read(self) -> list[re.Pattern[str] | None]:
        """The groups of the file. Raises OSError or PcreError."""
        with open(self.file, encoding="latin-1", newline="\n") as file:
            lines = file.read().split("\n")
        groups: list[list[str]] = []
        for number, line in enumerate(lines, 1):
            if not line or line[0] in " \t\r#":
                continue
            if line[0] == "[":
                groups.append([])
            elif not groups:
                raise PcreError(f"{self.file}:{number}: an expression before the first group; begin it with [0]")
            else:
                groups[-1].append(f"({line})")
        if not groups:
            raise PcreError(f"{self.file}: no group in it; one begins with a line [0]")
        if len(groups) > self.max_groups:
            raise PcreError(f"{self.file}: {len(groups)} groups (modparam regex:max_groups is {self.max_groups})")
        found: list[re.Pattern[str] | None] = []
        for index, group in enumerate(groups):
            text = f"({'|'.join(group)})"
            if len(text) > self.group_max_size:
                raise PcreError(f"{self.file}: group {index} is longer than regex:group_max_size")
            found.append(compile_pcre(text, self._flags) if group else None)
        return found

    @export
    def pcre_match(self, run: Run, string: str, regex: str) -> int:
        """1 when the text matches anywhere, -1 when not, -4 for what is no expression. Only pcre_caseless counts."""
        try:
            return 1 if compile_pcre(regex, self._flags & re.I).search(string) else -1
        except PcreError as error:
            log.error("pcre_match: %s", error)
            return -4

    @export
    def pcre_match_group(self, run: Run, string: str, num_pcre: int) -> int:
        """1 when the text matches an expression of that group, -1 when not, -2 no file, -4 no such group."""
        if not self.file:
            log.error("pcre_match_group: there are no groups: set modparam regex:file")
            return -2
        if not 0 <= num_pcre < len(self.groups):
            log.error("pcre_match_group: there is no group %d, there are %d", num_pcre, len(self.groups))
            return -4
        group = self.groups[num_pcre]
        return 1 if group is not None and group.search(string) else -1

    @rpc("regex.reload")
    def rpc_reload(self, params: list[Any]) -> Any:
        """Read the file of groups again; when that fails the old ones stay."""
        if not self.file:
            raise RpcError(500, "Group matching not enabled")
        try:
            self.groups = self._read()
        except (OSError, PcreError) as error:
            log.error("regex.reload: %s", error)
            raise RpcError(500, "Failed to reload") from None
        return {}
