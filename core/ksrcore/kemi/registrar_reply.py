"""What came of a save, and the reply that tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..run import Run
    from .registrar import Registrar

__all__ = ["NO_REPLY", "PREPARE_REPLY", "Outcome", "format_q", "reply_headers", "send_outcome"]

# Flags of save().
NO_REPLY: Final = 2
PREPARE_REPLY: Final = 16

#: The reasons for a refusal, as Kamailio's P-Registrar-Error names them, with the status of the reply.
REASONS: Final = {
    400: "Bad Request",
    420: "Bad Extension",
    423: "Interval Too Brief",
    439: "First Hop Lacks Outbound Support",
    500: "Server Internal Error",
    503: "Service Unavailable",
}


class Outcome:
    """What came of a save: ``result`` is its return value, the rest goes into the reply."""

    __slots__ = ("result", "code", "error", "contacts", "path", "unsupported", "outbound", "min_expires", "written")

    def __init__(self) -> None:
        self.result = 1
        self.code = 200
        self.error = ""
        self.contacts = ""
        self.path = ""
        self.unsupported = ""
        self.outbound = False
        self.min_expires = 0
        #: Its header fields are among those of the replies to the request.
        self.written = False


def format_q(q: int) -> str:
    """Thousandths as a q-value without trailing zeros: 750 is ``0.75``."""
    return "1" if q >= 1000 else f"0.{q:03d}".rstrip("0") if q else "0"


def reply_headers(module: Registrar, outcome: Outcome) -> str:
    """The header text of the reply, in Kamailio's order."""
    text = outcome.contacts
    if outcome.unsupported:
        text += f"Unsupported: {outcome.unsupported}\r\n"
    if outcome.path:
        text += f"Path: {outcome.path}\r\n"
    mode = module.outbound_mode
    if mode and outcome.code in (200, 420):
        flow = f"Flow-Timer: {module.flow_timer}\r\n" if module.flow_timer and outcome.outbound else ""
        require = "Require: outbound\r\n" if outcome.outbound else ""
        text += f"{require}Supported: outbound\r\n{flow}" if mode == 2 else f"Supported: outbound\r\n{require}{flow}"
    if outcome.min_expires:
        text += f"Min-Expires: {outcome.min_expires}\r\n"
    if outcome.error:
        text += f"P-Registrar-Error: {outcome.error}\r\n"
    if outcome.code >= 500 and module.retry_after:
        text += f"Retry-After: {module.retry_after}\r\n"
    return text


def send_outcome(module: Registrar, run: Run, outcome: Outcome) -> bool:
    """Send the reply: with the transaction when there is one. Its header fields stay for further replies."""
    reason = REASONS.get(outcome.code, "OK")
    if not outcome.written:
        outcome.written = True
        run.msg.reply_lumps.append(reply_headers(module, outcome))
    sent: int = module.proxy.modules.sl.stateful_reply(run, outcome.code, reason)
    return sent > 0
