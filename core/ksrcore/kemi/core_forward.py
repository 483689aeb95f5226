"""``KSR.forward`` and ``KSR.forward_uri``: forwarding without a transaction."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..forward import forward_request
from ..sip.errors import SipError
from .declare import export

if TYPE_CHECKING:
    from ..run import Run

log = logging.getLogger("ksrcore")


class ForwardFunctions:
    """A part of the core module."""

    @export
    def forward(self, run: Run) -> int:
        """Forward the request to its destination URI or Request-URI without a transaction. 1, or -1 when it cannot."""
        return self.forward_uri(run, "")

    @export
    def forward_uri(self, run: Run, uri: str) -> int:
        """Forward the request to ``uri`` ('' its own destination), keeping no transaction. 1, or -1 when it cannot."""
        if not run.msg.is_request:
            log.error("KSR.forward: the message is a reply")
            return -1
        try:
            return forward_request(run, uri)
        except SipError as error:
            log.error("KSR.forward: %s", error)
            return -1
