"""What the worker does with a held message by ``KSR``: reading, calling, answering, ending it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .hold_names import read, wire
from .step import StepError

if TYPE_CHECKING:
    from .hold import Host

#: Where the message is from that Kamailio invents for what runs without one, and how it begins: before 5.7 its address
#: is backwards, from 6.1 on its text is another.
FAKE_SOURCES = ("1.0.0.127", "127.0.0.1")
FAKES = tuple(f"OPTIONS sip:{who}kamailio.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1\r\nFrom: " for who in ("you@", ""))
#: From this version on reading ``$mbu`` takes the edits of headers out of the message for good.
READING_HURTS = (6, 1)
UNREAD = "not known: from Kamailio 6.1 on, looking at the message as it would leave takes its edits away"
#: Modules whose functions only look and keep state. Others may send, and without a message what they send is the
#: invented one.
QUIET = frozenset(
    "counters crypto geoip2 htable ipops jansson kx mqueue mtree ndb_redis phonenum pv pvx regex sdpops sqlops "
    "statistics tmrec uuid x xlog".split()
)
QUIET_CORE = frozenset(
    "dbg info notice warn err crit log is_myself_furi is_myself_ruri is_myself_turi is_INVITE".split()
)
#: Functions that answer, or make tm answer with 100.
_ANSWERS = frozenset(
    "t_relay t_relay_to_flags t_relay_to_proto t_relay_to_proto_addr t_relay_to_proxy t_relay_to_proxy_flags t_newtran "
    "t_suspend t_reply t_send_reply send_reply send_reply_mode sl_send_reply sl_reply_error async_sleep".split()
)
#: Branches of a message that a state tells.
_BRANCHES = 12


class Acts:
    """KSR calls on the message that the worker has."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._tmx: bool | None = None
        self._harmless: bool | None = None

    @property
    def has_tmx(self) -> bool:
        """Whether ``$T_req(...)`` is there: to ask for a variable that is not writes an error to the log."""
        if self._tmx is None:
            self._tmx = hasattr(self.host.ksr, "tmx")
        return self._tmx

    def no_message(self) -> bool:
        """Whether the callback runs without a message of its own."""
        get = self.host.ksr.pv.get
        return read(get, "$si") in FAKE_SOURCES and str(read(get, "$mb")).startswith(FAKES)

    def pv(self, name: str) -> Any:
        """str (latin-1), int or None."""
        return wire(self.host.ksr.pv.get, name)

    def set_pv(self, name: str, value: Any) -> None:
        """Raises :class:`StepError` and what the call raises."""
        pv = self.host.ksr.pv
        if value is None:
            pv.unset(name)
        elif isinstance(value, int):
            pv.seti(name, int(value))
        elif isinstance(value, str):
            pv.sets(name, value)
        else:
            raise StepError(f"{name} takes a number, a text or None, got {value!r}")

    def find(self, name: str) -> Any:
        """``hdr.append`` -> Kamailio's function. Raises :class:`StepError`."""
        found: Any = self.host.ksr
        path = name[4:] if name.startswith("KSR.") else name
        for part in path.split("."):
            found = None if part.startswith("_") else getattr(found, part, None)
            if found is None:
                break
        if not callable(found):
            raise StepError(f"KSR.{path} is no function of this server: its module is not loaded, or has none such")
        return found

    def check_quiet(self, name: str) -> None:
        """Raises :class:`StepError` for what may send, when there is no message that it could be about."""
        path = name[4:] if name.startswith("KSR.") else name
        module, _, function = path.rpartition(".")
        if module in QUIET or (not module and function in QUIET_CORE) or not self.no_message():
            return
        raise StepError(
            f"KSR.{path} may send, and this callback has no message: only functions that look can be called"
        )

    # -- what a state tells of the message ------------------------------------------------------------------------

    def routing(self, is_request: bool) -> dict[str, Any]:
        """The routing state that differs from that of a message nobody touched, by name."""
        state: dict[str, Any] = {}
        if is_request:
            uri = self.pv("$ru")
            if uri != self.pv("$ou"):
                state["$ru"] = uri
        for name, spec in (("$du", "$du"), ("flags", "$mf"), ("branch flags", "$bf"), ("send socket", "$fs")):
            value = self.pv(spec)
            if value:
                state[name] = value
        branches = []
        for n in range(_BRANCHES if is_request else 0):
            uri = self.pv(f"$(branch(uri)[{n}])")
            if uri is None:
                break
            branches.append(uri)
        if branches:
            state["branches"] = branches
        return state

    @property
    def can_update(self) -> bool:
        """Whether the message as it would leave may be looked at."""
        if self._harmless is None:
            numbers = str(self.pv("$version(num)") or "").split(".")[:2]
            self._harmless = tuple(int(each) for each in numbers if each.isdecimal()) < READING_HURTS
        return self._harmless

    def updated(self) -> str:
        """The message as it would leave now, without what sending adds (latin-1); '' when it must not be looked at."""
        return str(self.pv("$mbu") or "") if self.can_update else ""

    def watched(self, name: str) -> Any:
        """What a watch looks at: a pseudo-variable, or the bodies of a header's fields as they would leave now, joined
        by ``, ``, None without any."""
        if name.startswith("$"):
            return self.pv(name)
        bodies = []
        for line in self.updated().partition("\r\n\r\n")[0].split("\r\n")[1:]:
            header, _, body = line.partition(":")
            if header.strip().lower() == name.lower():
                bodies.append(body.strip())
        return ", ".join(bodies) if bodies else None

    def title(self, is_request: bool) -> str:
        """``INVITE alice -> bob`` or ``180 to INVITE``."""
        method = self.pv("$rm")
        if not is_request:
            return f"{self.pv('$rs')} to {method}"
        return f"{method} {self.pv('$fU') or self.pv('$fd') or '?'} -> {self.pv('$tU') or self.pv('$td') or '?'}"

    # -- what is sent and ended -----------------------------------------------------------------------------------

    def trying(self, calls: list[str]) -> None:
        """An INVITE that waits must not be sent again: 100, unless something was sent for it already."""
        if self.pv("$rm") == "INVITE" and not _ANSWERS.intersection(path.rpartition(".")[2] for path in calls):
            self._send_100()

    def trying_again(self) -> None:
        """A held INVITE came again: its 100 was lost."""
        if self.pv("$rm") == "INVITE":
            self._send_100()

    def _send_100(self) -> None:
        sl = getattr(self.host.ksr, "sl", None)
        if sl is not None:
            try:
                sl.send_reply(100, "Trying")
            except Exception:
                return  # the server's log has it

    def nothing_more(self) -> None:
        """Kamailio is to do nothing more with the message by itself: a reply is not forwarded, a branch not sent."""
        try:
            self.host.ksr.set_drop()
        except Exception:
            return

    def no_error(self) -> None:
        """t_relay(), which is not over, is not to answer with an error for having no branch (from 6.2 on t_release()
        does not take that back)."""
        tm = getattr(self.host.ksr, "tm", None)
        if tm is not None:
            try:
                tm.t_set_disable_internal_reply(1)
            except Exception:
                return

    def let_go(self) -> None:
        """The request's transaction goes without an answer: tm would send one at the end of the script. Not for one
        that was relayed: its timers would go as well."""
        tm = getattr(self.host.ksr, "tm", None)
        if tm is not None:
            try:
                tm.t_release()
            except Exception:
                return

    def check_answer(self, is_request: bool, code: int) -> None:
        """Raises :class:`StepError` when no final reply can be sent."""
        if not 200 <= code <= 699:
            raise StepError(f"answer() sends a final reply, 200 to 699, got {code}; KSR.sl.send_reply() sends any")
        if not is_request or self.no_message() or self.pv("$rm") == "ACK":
            kind = "reply" if not is_request else "ACK" if self.pv("$rm") == "ACK" else "event"
            raise StepError(f"a held {kind} cannot be answered; drop() or resume() end its wait")

    def reply(self, code: int, reason: str, in_transaction: bool) -> None:
        """A final reply: by the transaction where there is one. Raises :class:`StepError`."""
        ksr = self.host.ksr
        tm, sl = getattr(ksr, "tm", None), getattr(ksr, "sl", None)
        sent: Any = -1
        if in_transaction and tm is not None:
            sent = tm.t_reply(code, reason)
        elif sl is not None:
            sent = sl.send_reply(code, reason)
        elif tm is not None:
            sent = tm.t_reply(code, reason)
        else:
            raise StepError("the server has loaded neither sl nor tm: nothing can be answered")
        if isinstance(sent, int) and sent < 0:
            raise StepError("the reply could not be sent: see the server's log")
