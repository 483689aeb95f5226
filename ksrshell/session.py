"""A session with a proxy: the vocabulary of the prompt, for programs as well (``ksrshell.connect()``)."""

from __future__ import annotations

import getpass
import re
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .client import Client
from .effects import Effects
from .errors import Disconnected, KsrShellError, NotFound, RemoteError, UsageError
from .flow import Flow
from .holds import Disarmed, HeldList, Hold, Holds, arm
from .ksr import Ksr
from .messages import Message, MessageList, Messages
from .nodes import revive
from .progress import progress
from .proxies import resolve
from .routes import Routes, Swapped, Versions, source_of
from .stepper import STEP_TIMEOUT, Step
from .trial import Saved, Trial, merged
from .view import View

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .captures import Loaded
    from .compose import Made
    from .figures import Latency, Traffic
    from .phones import Phone
    from .replaying import Replay
    from .sending import Sending
    from .trace import Trace

#: Seconds in which a process that is ending is waited for, and started again.
_ENDING = 5.0
#: Messages that new code is tried on in one call to the proxy: an interrupt comes through between two.
_BATCH = 50


class Stats(View):
    """The proxy's figures at the moment of asking: ``stats["messages_per_s"]``; shown as a table."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _values(self) -> dict[str, Any]:
        return self._session.figures()

    def __getitem__(self, name: str) -> Any:
        values = self._values()
        if name not in values:
            raise NotFound(f"no figure {name!r}; there are: {', '.join(values)}")
        return values[name]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._values())

    def __rich__(self) -> RenderableType:
        from .render.tables import stats_table

        return stats_table(self._values(), self._session.hello)

    def to_json(self) -> Any:
        return self._values()


class Session:
    """Everything the prompt offers, on one connection.

    ``msgs``, ``KSR``, ``routes`` and ``stats`` are live: they ask the proxy when they are used. ``current`` is the
    message in use, None when there is none.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.current: Message | None = None
        self._sandbox: int | None = None
        self._api: tuple[int, list[dict[str, Any]]] | None = None
        self._sandbox_process = -1
        self._using = threading.Lock()
        self._phones: list[Phone] = []
        self.msgs = Messages(self)
        self.KSR = Ksr(self)
        self.routes = Routes(self)
        self.stats = Stats(self)
        self.holds = Holds(self)
        self.held = HeldList(self)

    @property
    def name(self) -> str:
        """The proxy's name."""
        return self.client.name

    @property
    def hello(self) -> dict[str, Any]:
        """What the proxy said of itself: name, pid, version, script, listens, aliases, started, engine, python."""
        return self.client.hello

    def call(
        self, method: str, params: dict[str, Any] | list[Any] | None = None, *, timeout: float | None = None
    ) -> Any:
        """A method of the control channel, raw."""
        return self.client.call(method, params, timeout=timeout)

    @property
    def lead(self) -> Session:
        """Who is asked where several proxies would answer the same; see :class:`~ksrshell.fleet.fleet.Fleet`."""
        return self

    def members(self) -> list[Session]:
        """The sessions with one proxy each that this one is made of."""
        return [self]

    def figures(self, timeout: float | None = None) -> dict[str, Any]:
        """What ``ksr.stats`` answers, for the toolbar."""
        values: dict[str, Any] = self.call("ksr.stats", timeout=timeout)
        return values

    def __repr__(self) -> str:
        return f"<session with {self.name}>"

    def api(self) -> list[dict[str, Any]]:
        """What ``KSR`` has (docs/control-channel.md), asked once a process."""
        process = self.client.process
        if self._api is None or self._api[0] != process:
            self._api = process, self.call("ksr.api")
        return self._api[1]

    def close(self) -> None:
        for each in self._phones:
            each.close()
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- messages -------------------------------------------------------------------------------------------------

    def message(self, id: int) -> Message:
        """The message with that id. Raises :class:`NotFound`."""
        page = self.call("ksr.messages", {"after": id - 1, "before": id + 1, "limit": 1})
        if page["messages"]:
            return Message(self, page["messages"][0])
        if not page["last"]:
            raise NotFound(f"no message {id}: nothing was captured yet")
        if id < page["first"]:
            raise NotFound(f"message {id} is gone: the capture holds {page['first']} to {page['last']}")
        raise NotFound(f"no message {id} yet: the newest is {page['last']}")

    def pick(self, m: Message | int | None) -> Message:
        """The message meant by what a user gave: a message, an id, a distance from the end, None for the one in use."""
        if isinstance(m, Message):
            return m
        if isinstance(m, int) and not isinstance(m, bool):
            return self.msgs[m]
        if m is None:
            if self.current is None:
                raise UsageError("no message is in use: say which, as in msgs[-1], or use(msgs[-1]) first")
            return self.current
        if isinstance(m, MessageList | Messages):
            raise UsageError("expected one message, got several: pick one, such as [-1]")
        raise UsageError(f"expected a message or its id, got {type(m).__name__}")

    def use(self, m: Message | int | None, *, engine: str = "") -> Message | None:
        """Make ``KSR`` apply to message ``m``, in a new sandbox. ``use(None)`` ends that.

        ``engine="embedded"``: of a message of a Kamailio, on the embedded core beside it.
        """
        message = None if m is None else self.pick(m)
        with self._using:
            self._close_sandbox()
            if message is not None:
                self._open_sandbox(message, engine)
            self.current = message
        return message

    def _open_sandbox(self, message: Message, engine: str) -> None:
        self._sandbox = int(self.call("ksr.sandbox.open", _with(engine, {"id": message.id}))["sandbox"])
        self._sandbox_process = self.client.process

    def _close_sandbox(self) -> None:
        sandbox, self._sandbox = self._sandbox, None
        if sandbox is not None and self._sandbox_process == self.client.process:
            with suppress(KsrShellError):
                self.call("ksr.sandbox.close", {"sandbox": sandbox})

    def _current_sandbox(self) -> int:
        """The sandbox of the message in use. Raises :class:`UsageError` when there is none, or the proxy is another."""
        with self._using:
            if self.current is None:
                raise UsageError("KSR needs a message to work on: use(msgs[-1]) first")
            if self._sandbox is None or self._sandbox_process != self.client.process:
                self.current = self._sandbox = None
                raise UsageError(f"{self.name} is a new process and has not seen that message: use(msgs[-1]) again")
            return self._sandbox

    def sandbox_call(self, name: str, args: tuple[Any, ...], live: bool = False) -> Any:
        """Run the KEMI function ``name`` ("sl.send_reply") on the message in use; ``live``: for real."""
        params = {"sandbox": self._current_sandbox(), "name": name, "args": list(args)}
        try:
            return self.call("ksr.sandbox.call", {**params, "live": True} if live else params, timeout=STEP_TIMEOUT)[
                "result"
            ]
        except TypeError as error:
            if isinstance(error, KsrShellError):
                raise
            raise UsageError(f"KSR.{name}: arguments are numbers and text, got {args!r}") from None

    def forget(self) -> None:
        """The proxy is a new process: ids and sandboxes of the old one mean nothing any more."""
        self.current = None
        self._sandbox = None

    # -- what the prompt calls ------------------------------------------------------------------------------------

    def effects(self) -> Effects:
        """What the KSR calls since ``use(m)`` would have sent and changed."""
        sandbox = self._current_sandbox()
        about = f"{self.name}: {self.current.id} {self.current.title}" if self.current is not None else ""
        return Effects(self.call("ksr.sandbox.effects", {"sandbox": sandbox}), about)

    def step(self, m: Message | int | None = None, callback: str | None = None, *, engine: str = "") -> Step:
        """Step through the script with message ``m`` (default: the one in use), from ``callback`` on.

        Without ``callback`` it is the one Kamailio would call: ``ksr_request_route`` for a request.
        ``engine="embedded"``: with a message of a Kamailio, on the embedded core beside it.
        """
        message = self.pick(m)
        params: dict[str, Any] = _with(engine, {"id": message.id})
        if callback is not None:
            params["callback"] = callback
        return Step(self, message, self.call("ksr.step.start", params, timeout=STEP_TIMEOUT))

    def trace(self, m: Message | int | None = None, callback: str | None = None, *, engine: str = "") -> Trace:
        """Run a callback with message ``m`` to its end, in a sandbox, and record every step of it."""
        from .trace import fetch

        message = self.pick(m)
        params: dict[str, Any] = _with(engine, {"id": message.id})
        if callback is not None:
            params["callback"] = callback
        return fetch(self, message, int(self.call("ksr.trace", params, timeout=STEP_TIMEOUT)["step"]))

    def swap(
        self,
        new: str | Path | Callable[..., Any] = "",
        *,
        pin: bool = False,
        try_on: int = 0,
        remove: str | Iterable[str] = (),
    ) -> Swapped:
        """Replace functions and constants of the script, all between two messages or none: source text, a function you
        have defined, or a file.

        ``pin``: transactions in progress end on the old version. ``try_on``: refuse when the new code raises on one of
        so many of the newest requests. ``remove``: names to take out.
        """
        names = [remove] if isinstance(remove, str) else [str(name) for name in remove]
        nothing = isinstance(new, str) and not new.strip()
        params: dict[str, Any] = {"source": "" if nothing and names else source_of(new), "who": who()}
        if pin:
            params["pin"] = True
        if try_on:
            params["try_on"] = _number(try_on, "try_on")
        if names:
            params["remove"] = names
        return Swapped(self.call("ksr.swap", params, timeout=STEP_TIMEOUT))

    def try_swap(self, new: str | Path | Callable[..., Any], on: Any = 50, *, engine: str = "") -> Trial:
        """What new code would change, without changing anything: captured messages go through the old and the new code
        in sandboxes. ``on``: messages, as ``msgs.where('method == "INVITE"')``, or how many of the newest requests."""
        if isinstance(on, int) and not isinstance(on, bool):
            limit = {"limit": _number(on, "on"), "where": "is_request and not out"}
            ids = [message["id"] for message in self.call("ksr.messages", limit)["messages"]]
        elif isinstance(on, Message):
            ids = [on.id]
        else:
            ids = [message.id for message in on if not message.out]
        if not ids:
            raise NotFound("no captured request to try it on")
        source = source_of(new)
        answers = []
        with progress("messages tried", len(ids)) as shown:
            for at in range(0, len(ids), _BATCH):
                batch = ids[at : at + _BATCH]
                params = _with(engine, {"source": source, "ids": batch})
                answers.append(self.call("ksr.try", params, timeout=STEP_TIMEOUT))
                shown.step(len(batch))
        return Trial(self, merged(answers))

    def versions(self, name: str) -> Versions:
        """Every version of a function or constant of the script since it was loaded."""
        return Versions(name, self.call("ksr.versions", {"name": name}))

    def rollback(self, name: str | None = None, n: int | None = None) -> Swapped:
        """Back to version ``n`` of a function, or to the one before the current; without a name: take back the latest
        swap, all of it."""
        if n is not None and (not isinstance(n, int) or isinstance(n, bool)):
            raise UsageError(f"rollback() expects a version's number, as versions({name!r}) shows them, got {n!r}")
        params: dict[str, Any] = {} if name is None else {"name": name}
        if n is not None:
            params["number"] = n
        return Swapped(self.call("ksr.rollback", params), "rolled back")

    def save(self, diff: bool = False) -> Saved:
        """Write what was swapped into the script's file, touching only its lines; ``diff=True`` only shows it."""
        return Saved(self.call("ksr.save", {"diff": bool(diff)}))

    def load(self, path: str | Path, limit: int = 10_000, proxy: str | Iterable[str] = ()) -> Loaded:
        """Put the SIP messages of a capture file (pcap, pcapng, HEP3, text dumps) among the captured ones, flagged."""
        return self.msgs.load(path, limit=limit, proxy=proxy)

    def replay(self, capture: str | Path, **options: Any) -> Replay:
        """Play a capture to the script's file, in this program, on the capture's clock; nothing is sent.

        Options are those of ``ksrshell replay``: listens, aliases, modparams (lists), db (a URL), where, limit.
        """
        from .replaying import replay

        return replay(self, capture, **options)

    def flow(self, m: Message | int | str | None = None) -> Flow:
        """The call of a message, or of a Call-ID, as a ladder; default: of the message in use, or the newest."""
        if isinstance(m, str):
            # Back to a character a byte, as the proxy has it.
            params: dict[str, Any] = {"callid": m.encode("utf-8", "surrogatepass").decode("latin-1")}
        else:
            params = {"id": (self.msgs[-1] if m is None and self.current is None else self.pick(m)).id}
        answer = self.call("ksr.flow", params)
        if not answer["messages"]:
            raise NotFound(f"no captured message has the Call-ID {m!r}")
        messages = [Message(self, each) for each in answer["messages"]]
        return Flow(messages[0].callid, messages, self.name, self.hello.get("listens") or ())

    def hold(
        self,
        where: str | int | Callable[..., Any] = "",
        if_: str = "",
        *,
        hits: int = 1,
        once: bool = False,
        timeout: float | None = None,
        log: str = "",
        watch: str = "",
        keep: bool = False,
    ) -> Hold:
        """Hold the live messages that come to ``where`` and match ``if_``, one by one, while all others flow.

        ``where``: a function of the script, a line (42, "route.py:42", "ksr_route_relay:+3"), a KSR function
        ("KSR.tm.t_relay"), "exception", or nothing: where its first callback begins. ``if_``: a filter as
        ``msgs.where()`` takes it. ``hits``: from which match on. ``once``: disarm it then. ``timeout``: seconds until
        the message goes on by itself (20, at most four fifths of fr_timer). ``log``: stop nothing, write "text with
        {method} {$ru} {local}". ``watch``: hold where "$du", or a header, changes. ``keep``: it stays armed when this
        session ends.
        """
        params: dict[str, Any] = {"if": if_, "hits": hits, "once": once, "log": log, "watch": watch, "keep": keep}
        if timeout is not None:
            params["timeout"] = timeout
        return arm(self, where, params)

    def unhold(self, hold: Hold | int | None = None) -> Disarmed:
        """Disarm a hold, or all of them. What they hold stays held: ``held[0].resume()`` lets it go."""
        if hold is None:
            return Disarmed(each.disarm() for each in self.holds.values())
        return Disarmed([(hold if isinstance(hold, Hold) else self.holds[hold]).disarm()])

    def sip(self, text: str, *, fill: bool = False) -> Made:
        """Make a message from text and use it: it goes into the capture, flagged as made by hand, and is not routed.

        Lines may end with a bare LF, Content-Length is put right, what is missing is said. ``fill``: mandatory header
        fields that are missing are made up.
        """
        from .compose import Made, compose

        if not isinstance(text, str):
            raise UsageError(f"sip() expects the text of a message, got {type(text).__name__}")
        composed = compose(text, fill=fill)
        message = Message(self, self.call("ksr.message.add", {"data": composed.data}))
        self.use(message)
        return Made(message, composed)

    def send(
        self,
        method: str = "OPTIONS",
        uri: str = "",
        *,
        user: str = "alice",
        password: str | None = None,
        headers: Iterable[str] = (),
        body: str = "",
        wait: bool = True,
        timeout: float = 10.0,
    ) -> Sending:
        """Send a request through the proxy, for real, from a user agent on this machine; shows the dialog as a ladder.

        A call that is answered is hung up. ``uri``: default the proxy's domain; ``user`` and ``password``: who sends,
        and what answers a challenge (the demo's are known); ``headers``: lines such as "Subject: test"; ``wait=False``
        comes back at once: ``.wait()``, ``.flow``. ``timeout``: seconds for which it is repeated without an answer.
        """
        from .sending import send

        return send(self, method, uri, user=user, password=password, headers=list(headers), body=body, wait=wait,
                    timeout=timeout)  # fmt: skip

    def phone(
        self, user: str, *, answer: int = 200, ring: float = 0.1, password: str | None = None, register: bool = True
    ) -> Phone:
        """A phone on this machine: registers at the proxy, rings for ``ring`` seconds when it is called, and answers.

        ``answer``: 200, another final status such as 486, or 0: never, until the caller gives up. It is there until
        the session ends or ``.close()``. ``password`` answers a challenge; ``register=False``: the proxy is not told.
        """
        from .phones import phone

        made = phone(self, user, answer, ring, password, register)
        self._phones.append(made)
        return made

    def latency(self, limit: int = 1000) -> Latency:
        """How long the callbacks took for the newest messages: median, percentiles, histogram."""
        from .figures import latency

        return latency(self, _positive(limit, "limit"))

    def traffic(self, limit: int = 1000) -> Traffic:
        """The newest messages over time, by method and class of reply."""
        from .figures import traffic

        return traffic(self, _positive(limit, "limit"))

    def rpc(self, method: str, *params: Any) -> Any:
        """One of Kamailio's RPC commands: ``rpc("ul.lookup", "location", "alice")``; ``rpc("system.listMethods")``."""
        if not isinstance(method, str) or not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)+", method):
            raise UsageError(f"rpc() expects a command such as 'ul.dump', got {method!r}")
        try:
            return self.call(method, list(params))
        except RemoteError as error:
            if error.code != -32601 and error.message != "Method Not Found":  # a Kamailio's words
                raise
            raise NotFound(f"the proxy has no command {method!r}; rpc('system.listMethods') lists them") from None


def _number(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 1000:
        raise UsageError(f"{name} is a number of messages, 1 to 1000, got {value!r}")
    return value


def _positive(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError(f"{name} is a number of messages, 1 or more, got {value!r}")
    return value


def who() -> str:
    """Who swaps: the user of this terminal, for the version's history."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _with(engine: str, params: dict[str, Any]) -> dict[str, Any]:
    return {**params, "engine": engine} if engine else params


def connect(name_or_path: str | Path | None = None, *, timeout: float = 10.0, persistent: bool = False) -> Session:
    """A session with a running proxy: by name, by its control socket's path, or the only one that runs.

    ``timeout`` is in seconds, for each call. ``persistent``: reconnect in the background when the proxy went away.
    """
    end = time.monotonic() + _ENDING
    while True:
        try:
            client = Client(resolve(name_or_path), timeout=timeout, persistent=persistent)
            break
        except Disconnected:
            # It is just ending. The node of a Kamailio is started again, whatever else went away is named.
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
    client.revive = revive
    return Session(client)
