"""The names a prompt has: the same for the terminal, for ``attach -c`` and for notebooks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .messages import Message
from .view import View

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .session import Session


class Command(View):
    """A function of the prompt. Typed without parentheses it shows how to call it."""

    def __init__(self, function: Callable[..., Any], examples: tuple[str, ...]) -> None:
        self._function = function
        self.examples = examples
        self.__name__ = function.__name__
        self.__doc__ = inspect.getdoc(function)
        self.__signature__ = inspect.signature(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            self.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            raise UsageError(f"{self.__name__}{self.usage}: {error}") from None
        return self._function(*args, **kwargs)

    @property
    def usage(self) -> str:
        """The parameters, without their types: ``(m=None)``."""
        parts = []
        for each in self.__signature__.parameters.values():
            star = "*" if each.kind is inspect.Parameter.VAR_POSITIONAL else ""
            default = "" if each.default is inspect.Parameter.empty else f"={each.default!r}"
            parts.append(f"{star}{each.name}{default}")
        return f"({', '.join(parts)})"

    def __rich__(self) -> RenderableType:
        from .render.help import command_help

        return command_help(self)

    def to_json(self) -> Any:
        raise UsageError(f"{self.__name__} is a function: call it, {self.__name__}{self.usage}")


class Line(View):
    """One line of text for people; ``value`` is what it stands for."""

    def __init__(self, text: str, value: Any = None) -> None:
        self.text = text
        self.value = value

    def __rich__(self) -> RenderableType:
        from rich.text import Text

        from .render.console import clean

        return Text(clean(self.text))

    def to_json(self) -> Any:
        return self.value if self.value is not None else self.text


#: What ``%ksrhelp`` shows: name, example, what it does.
TOPICS = (
    ("msgs", "msgs[-1]  msgs[12]", "captured messages: by id, from the end"),
    ("where", "msgs.where('method == \"INVITE\"')", "those that match; fields, pseudo-variables"),
    ("message", "m = msgs[-1]; m.raw; m.calls", "its bytes, its KSR calls; m.<TAB>"),
    ("flow", "flow(msgs[-1])", "the call of a message as a ladder"),
    ("use", "use(msgs[-1])", "KSR.* now works on it, in a sandbox"),
    ("sip", "%%sip, then a message below", "a message from text: in the capture, in use"),
    ("send", 'send("INVITE", "sip:bob@...")', "real SIP from a built-in phone, as a ladder"),
    ("phone", 'phone("bob", answer=486)', "a phone here: registers, rings, answers"),
    ("KSR", 'KSR.pv.get("$ru")', "Kamailio's functions; KSR.sl.send_reply?"),
    ("effects", "effects()", "what that would have sent and changed"),
    ("step", "s = step(msgs[-1]); s.next()", "walk through the script with a message"),
    ("view", "s.view() or %view", "the same on the whole screen, with keys"),
    ("trace", "t = trace(msgs[-1]); t.show()", 'the whole run; t.when("$du"), t.save("x.ksr")'),
    ("hold", 'hold("ksr_route_relay")', "live: the next call waits there, others flow"),
    ("held", "held[0].step(); held[0].resume()", "those that wait; .KSR .drop() .answer(486)"),
    ("holds", "holds; unhold(1)", "what is armed, how often it was met"),
    ("routes", 'routes["ksr_route_relay"]', "the script's functions: use, time, source"),
    ("swap", "%%swap, then the new def below", "replace a function while calls run"),
    ("try_swap", "try_swap(new_relay)", "what new code would change, on what came in"),
    ("versions", 'versions("ksr_route_relay")', "what it was, who changed it, when"),
    ("rollback", 'rollback("ksr_route_relay")', "back to the version before, or to any"),
    ("save", "save()", "write what was swapped into the script's file"),
    ("load", 'load("friday.pcap")', "a capture's messages; msgs.save() writes one"),
    ("replay", 'replay("friday.pcap")', "the script's file on a capture: what differs"),
    ("rpc", 'rpc("ul.dump")', "Kamailio's RPC commands"),
    ("latency", "latency()", "how long the callbacks took"),
    ("traffic", "traffic()", "messages over time, by kind"),
    ("stats", "stats", "the proxy's figures"),
)

EXAMPLES: dict[str, tuple[str, ...]] = {
    "use": ("use(msgs[-1])", "use(12)", "use(None)"),
    "effects": ("effects()", "effects().diff"),
    "step": ("s = step(msgs[-1])", "s.next()", "s.back()", 's.when("$du")', 's = step(msgs[-1], "ksr_failure_manage")'),
    "trace": ("t = trace(msgs[-1])", "t.show()", "t[12]", 't.when("$du")', 't.save("x.ksr")'),
    "swap": ('swap("def ksr_route_relay(self, msg): ...")', "swap(my_function, try_on=50)", 'swap(remove="old_one")'),
    "try_swap": ("try_swap(my_function)", "try_swap(my_function, on=msgs.where('method == \"INVITE\"'))"),
    "save": ("save(diff=True)", "save()"),
    "versions": ('versions("ksr_route_relay")', 'versions("ksr_route_relay")[2].diff'),
    "rollback": ('rollback("ksr_route_relay")', 'rollback("ksr_route_relay", 1)', "rollback()"),
    "hold": (
        'hold("ksr_route_relay", if_=\'method == "INVITE" and rU == "bob"\')',
        'hold("KSR.tm.t_relay", once=True, timeout=20)',
        'hold("ksr_route_relay:+2", log="{method} {$ru} {user}")',
        'hold(watch="$du")',
    ),
    "unhold": ("unhold(1)", "unhold()"),
    "flow": ("flow(msgs[-1])", "flow(12)"),
    "sip": ('sip("OPTIONS sip:a@b SIP/2.0\\nVia: ...")', 'sip("INVITE sip:bob@b SIP/2.0", fill=True)'),
    "send": ('send("OPTIONS")', 'send("INVITE", "sip:bob@demo.example")', 'send("INVITE", uri, wait=False)'),
    "phone": ('phone("bob")', 'phone("bob", answer=486)', 'phone("carol", answer=0, password="secret")'),
    "latency": ("latency()", 'latency()["ksr_request_route"].percentile(0.99)'),
    "traffic": ("traffic()", "traffic(limit=100)"),
    "load": ('load("friday.pcap")', 'load("x.pcapng", proxy="udp:10.0.0.1:5060")', 'msgs[-20:].save("x.pcapng")'),
    "replay": ('replay("friday.pcap")', 'replay("friday.pcap", where=\'fU == "alice"\')'),
    "rpc": ('rpc("ul.dump")', 'rpc("stats.get_statistics", "all")'),
}


class Current(Enum):
    """The default of ``use``: without an argument it gives the message in use."""

    CURRENT = "the message in use"

    def __repr__(self) -> str:
        return "<the message in use>"


class Namespace(dict[str, Any]):
    """The names, over one session. ``stepping`` is the step that ``%step next`` and its kin move."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.stepping: Any = None
        self._names = self._make()
        self.restore()

    def restore(self) -> None:
        """Put our names (back) in: ``%reset`` takes all out."""
        self.update(self._names)

    def attach(self, session: Session) -> None:
        """Another session: all names are of it from now on."""
        self.session = session
        self.stepping = None
        self._names |= self._make()
        self.restore()

    def add(self, names: dict[str, Any], stepping: Any) -> None:
        """More names, that ``%reset`` leaves too; ``stepping`` is what ``%next`` and its kin move."""
        self._names |= names
        self.stepping = stepping
        self.restore()

    def _make(self) -> dict[str, Any]:
        session = self.session

        def use(m: Message | int | Current | None = Current.CURRENT, *, engine: str = "") -> Any:
            """Make KSR apply to message m, in a new sandbox: a message or its id. use(None) ends that.

            ``engine="embedded"``: of a message of a Kamailio, on the embedded core beside it.
            """
            if isinstance(m, Current):
                return session.pick(None)
            message = session.use(m, engine=engine)
            if message is None:
                return Line("no message in use")
            return Line(f"using {message.id} {message.title}", message)

        def step(m: Message | int | None = None, callback: str | None = None, *, engine: str = "") -> Any:
            self.stepping = session.step(m, callback, engine=engine)
            return self.stepping

        def trace(m: Message | int | None = None, callback: str | None = None, *, engine: str = "") -> Any:
            found = session.trace(m, callback, engine=engine)
            self.stepping = found.replay
            return found

        step.__doc__ = session.step.__doc__
        trace.__doc__ = session.trace.__doc__
        functions: list[Callable[..., Any]] = [
            use,
            session.effects,
            step,
            trace,
            session.swap,
            session.try_swap,
            session.versions,
            session.rollback,
            session.save,
            session.flow,
            session.sip,
            session.send,
            session.phone,
            session.latency,
            session.traffic,
            session.hold,
            session.unhold,
            session.load,
            session.replay,
            session.rpc,
        ]
        commands = {f.__name__: Command(f, EXAMPLES[f.__name__]) for f in functions}
        return {
            **commands, "msgs": session.msgs, "KSR": session.KSR, "routes": session.routes, "stats": session.stats,
            "holds": session.holds, "held": session.held,
        }  # fmt: skip


class Help(View):
    """What ``%ksrhelp`` shows: the vocabulary, one line each."""

    def __rich__(self) -> RenderableType:
        from .render.help import topics_help

        return topics_help(TOPICS)

    def to_json(self) -> Any:
        return [list(topic) for topic in TOPICS]
