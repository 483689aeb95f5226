"""Kamailio's ruxc: HTTP requests whose answer the script waits for, by the whole body.

Functions return the status code of HTTP, or -1 when there is no answer. Other messages flow meanwhile. A sandbox asks
nobody: there no server can be reached.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..net.httpclient import HttpClient, HttpError, HttpOptions
from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from .declare import Module, Param, ParamError, export
from .pv import write_to

if TYPE_CHECKING:
    from ..proxy import Proxy
    from ..run import Run

__all__ = ["Ruxc"]

log = logging.getLogger("ksrcore.ruxc")


class Ruxc(Module):
    name = "ruxc"

    http_timeout = Param(5000, "milliseconds until an answer must be complete: int")
    http_timeout_connect = Param(5000, "only counts when it is more than http_timeout: int")
    http_timeout_read = Param(5000, "likewise: int")
    http_timeout_write = Param(5000, "likewise: int")
    http_tlsmode = Param(0, "1: any certificate will do: int")
    http_reuse = Param(0, "1: use a connection again: int")
    http_retry = Param(0, "how often a request without an answer is made again: int")
    http_logtype = Param(0, "no effect: problems are logged: int")
    http_debug = Param(0, "1: requests are logged: int")

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._client = HttpClient()
        self._options = HttpOptions()

    def start(self) -> None:
        longest = max(self.http_timeout, self.http_timeout_connect, self.http_timeout_read, self.http_timeout_write)
        times = {self.http_timeout_connect, self.http_timeout_read, self.http_timeout_write}
        timeout = self.http_timeout if times == {5000} else longest
        if timeout < 1 or self.http_retry < 0:
            raise ParamError("modparam ruxc: timeouts expect milliseconds from 1, http_retry a number from 0")
        self._options = HttpOptions(
            timeout=timeout / 1000,
            user_agent=self.proxy.user_agent_header.partition(":")[2].strip(),
            verify_peer=not self.http_tlsmode,
            verify_host=not self.http_tlsmode,
            keep=bool(self.http_reuse),
            body_type="text/plain; charset=utf-8",
        )

    def waits(self) -> bool:
        return True

    def stop(self) -> None:
        self._client.close()

    def _ask(self, run: Run, method: str, url: str, body: str | None, hdrs: str, pvn: str) -> int:
        try:
            target = compile_spec(pvn)
        except PvError as error:
            log.error("ruxc: %s", error)
            return -1
        if not target.writable:
            log.error("ruxc: %s is not writable", pvn)
            return -1
        if self.proxy.sandbox:
            log.error("ruxc: a sandbox asks nobody: %s", url)
            return -1
        headers = [line for line in hdrs.replace("\r\n", "\n").split("\n") if line.strip()]
        if self.http_debug:
            log.info("ruxc: %s %s", method, url)
        for left in range(self.http_retry, -1, -1):
            try:
                answer = self.proxy.wait(lambda: self._client.request(method, url, body, headers, self._options))
            except HttpError as error:
                log.error("ruxc: %s: %s%s", url, error, ", once more" if left else "")
                continue
            write_to("ruxc", run, target, answer.body)
            return answer.code
        return -1

    @export
    def http_get(self, run: Run, url: str, hdrs: str, dpv: str) -> int:
        """GET a URL with header fields ('' for none) into the variable ``dpv``: the status code, -1 for no answer."""
        return self._ask(run, "GET", url, None, hdrs, dpv)

    @export
    def http_post(self, run: Run, url: str, body: str, hdrs: str, dpv: str) -> int:
        """POST ``body`` to a URL: see ``http_get``."""
        return self._ask(run, "POST", url, body, hdrs, dpv)

    @export
    def http_delete(self, run: Run, url: str, body: str, hdrs: str, dpv: str) -> int:
        """DELETE a URL, with a body unless that is '': see ``http_get``."""
        return self._ask(run, "DELETE", url, body or None, hdrs, dpv)
