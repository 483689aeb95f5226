"""What came of a step: what a test asserts on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksrcore.debug.states import outgoing
from ksrcore.kemi.facade import from_wire

from .calls import Call, Matches, Replied
from .errors import NotThere
from .headers import Headers, split_message
from .mocks import find_decl
from .report import render, summary
from .sent import Sent
from .steps import Callback, Log, Step

if TYPE_CHECKING:
    from ksrcore.run import Run

    from .messages import Message
    from .world import World

__all__ = ["Result"]

__tracebackhide__ = True


class Result:
    """What happened in one step: a message came in, a reply came back, time passed.

    It does not change any more: what comes later is in the result of the later step.
    """

    def __init__(self, world: World, step: Step, replied_to: Sent | None = None) -> None:
        self._world = world
        self._step = step
        self._replied_to = replied_to
        #: What the function returned, for ``ksr.call``; else what the first callback did.
        self.value: Any = step.value
        if self.value is None and step.first_callbacks:
            self.value = step.first_callbacks[0].result
        #: The message that came in, None when there was none.
        self.message: Message | None = step.message
        #: Everything the proxy sent, in order.
        self.sent: list[Sent] = step.sent
        #: The callbacks that ran, in the order they began.
        self.callbacks: list[Callback] = step.callbacks
        #: The KSR calls the script made, in order.
        self.ksr_calls: list[Call] = step.calls
        #: What the proxy and the script logged.
        self.logs: list[Log] = step.logs
        #: Why the proxy could not use the message, '' usually.
        self.error = step.error
        run = self._run()
        msg = run.msg if run is not None else None
        #: ``$ru`` and ``$du`` after the route, '' when it is no request.
        self.ruri = from_wire(msg.uri) if msg is not None and msg.is_request else ""
        self.dst = from_wire(msg.dst_uri) if msg is not None else ""
        #: The numbers of the message's flags and of its branch flags that are set.
        self.flags = _numbers(msg.flags) if msg is not None else frozenset()
        self.bflags = _numbers(msg.bflags) if msg is not None else frozenset()
        self._outgoing = ""
        if msg is not None and msg.is_request and not self.relayed:
            self._outgoing = outgoing(msg, world.proxy.listens)

    def _run(self) -> Run | None:
        """The run of the last callback that was called by the proxy itself."""
        callbacks = self._step.first_callbacks
        return callbacks[-1].run if callbacks else None

    # -- what was sent ------------------------------------------------------------------------------------------------

    @property
    def replies(self) -> list[Sent]:
        """The replies sent upstream, in order."""
        return [sent for sent in self.sent if not sent.is_request]

    @property
    def replied(self) -> Replied:
        """True when there was a reply (100 does not count). ``r.replied(404)``, ``r.replied(404, "Not Found")``."""
        return Replied(self.replies, self.summary)

    @property
    def reply(self) -> Sent:
        """The last reply. Raises :class:`NotThere`, which fails the test, when there was none."""
        replies = self.replies
        if not replies:
            raise NotThere(f"there is no reply: {self.summary}")
        return replies[-1]

    @property
    def relayed(self) -> list[Sent]:
        """The requests of others that were sent on, without repetitions."""
        return [sent for sent in self.sent if sent.relayed and not sent.again]

    def relayed_to(self, target: str) -> Matches:
        """The requests relayed to a URI or an address: ``sip:bob@10.0.0.2``, ``10.0.0.2:5060``, ``tcp:10.0.0.2``."""
        found = [sent for sent in self.relayed if sent.went_to(target)]
        return Matches(found, f"relayed to {target}", self.summary)

    @property
    def retransmissions(self) -> list[Sent]:
        """What was sent once more, requests and replies."""
        return [sent for sent in self.sent if sent.again]

    @property
    def cancels(self) -> list[Sent]:
        """The CANCELs that were sent, without repetitions."""
        return [sent for sent in self.sent if sent.is_request and sent.method == "CANCEL" and not sent.again]

    @property
    def dropped(self) -> bool:
        """Whether nothing at all was sent."""
        return not self.sent

    # -- what became of the message -----------------------------------------------------------------------------------

    @property
    def headers_added(self) -> Headers:
        """Header fields of the (first) relayed request that the one that came in did not have; Via is left out.

        When nothing was relayed: those it would have had.
        """
        return self._changes()[0]

    @property
    def headers_removed(self) -> Headers:
        """Header fields that came in and are not in the (first) relayed request."""
        return self._changes()[1]

    def _changes(self) -> tuple[Headers, Headers]:
        if self.message is None or not self.message.is_request:
            return Headers([]), Headers([])
        relayed = self.relayed
        left = relayed[0].headers.fields if relayed else split_message(self._outgoing)[1] if self._outgoing else []
        came = self.message.headers.fields
        added = [field for field in _without(left, came) if field[0].lower() not in ("via", "v")]
        removed = [field for field in _without(came, left) if field[0].lower() not in ("via", "v")]
        return Headers(added), Headers(removed)

    # -- what the script did ------------------------------------------------------------------------------------------

    def called(self, name: str, *args: Any) -> Matches:
        """The calls of a KSR function (``KSR.sl.send_reply``); with arguments those that began with them.

        A name that Kamailio does not have is an error: ``assert not r.called(...)`` with a typo would prove nothing.
        """
        decl = find_decl(self._world.proxy.modules, name)
        calls = [call for call in self.ksr_calls if call.name == decl.path]
        found = [call for call in calls if call.args[: len(args)] == args]
        asked = f"called {decl.path}{'(' + ', '.join(map(repr, args)) + ')' if args else ''}"
        others = ", ".join(map(repr, calls)) or f"{len(self.ksr_calls)} other KSR calls were made"
        return Matches(found, asked, others)

    def ran(self, name: str) -> Matches:
        """The callbacks of that name that ran."""
        found = [callback for callback in self.callbacks if callback.name == name]
        return Matches(found, f"ran {name}", f"callbacks: {', '.join(each.name for each in self.callbacks) or 'none'}")

    def logged(self, text: str, level: str = "") -> Matches:
        """The log lines with that text in them, of a level such as ``WARNING`` when one is given."""
        found = [log for log in self.logs if text in log.text and level in ("", log.level)]
        asked = f"logged {text!r}{f' as {level}' if level else ''}"
        return Matches(found, asked, f"{len(self.logs)} lines were logged")

    @property
    def exception(self) -> BaseException | None:
        """The first exception of a callback, None when there was none."""
        return next((each.exception for each in self.callbacks if each.exception is not None), None)

    # -- for people ---------------------------------------------------------------------------------------------------

    @property
    def summary(self) -> str:
        """What was sent, in a few words."""
        return summary(self.sent)

    @property
    def trace(self) -> str:
        """What the script did, line by line with the KSR calls, as a failed test prints it."""
        return render([self._step], self._world.shown)

    def __repr__(self) -> str:
        return f"<{self._step.title}>"


def _numbers(flags: int) -> frozenset[int]:
    return frozenset(bit for bit in range(flags.bit_length()) if flags >> bit & 1)


def _without(fields: list[tuple[str, str]], others: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The fields that are not among the others, each as often as it is missing there."""
    left = list(others)
    found = []
    for field in fields:
        if field in left:
            left.remove(field)
        else:
            found.append(field)
    return found
