"""The fixture ``ksr``: a proxy on a script, for one test."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ksrcore.kemi.declare import KsrError
from ksrcore.kemi.facade import KsrNotImplemented
from ksrcore.run import CORE_ONREPLY_ROUTE, EVENT_ROUTE, REQUEST_ROUTE, ROUTE_NAMES, Run
from ksrcore.sip.errors import SipError
from ksrcore.sip.message import SipMessage
from ksrcore.tm import replies, uas

from . import dialog, messages, state
from .errors import NotThere, UsageError
from .messages import SOURCE, Fields, Message
from .mocks import _UNSET, KsrMock, find_decl, make_mock
from .options import Options, unix_time
from .report import render
from .result import Result
from .sent import Sent
from .snapshots import Snapshots
from .world import World

if TYPE_CHECKING:
    from ksrcore.kemi.facade import KsrModule

__all__ = ["Ksr"]

__tracebackhide__ = True

_ROUTES = {name: route for route, name in ROUTE_NAMES.items()}


class Ksr:
    """The proxy of one test. Nothing of it is left for the next.

    The script is loaded when the test begins (marker ``ksr``, ini option ``ksr_script``) or with :meth:`load`.
    """

    def __init__(self, folders: Iterable[Path], options: Options, snapshot: Snapshots) -> None:
        self._folders = list(folders)
        self._options = options
        self._world: World | None = None
        self._done: list[World] = []
        self._mocks: dict[str, KsrMock] = {}
        #: Compares outcomes with those of earlier runs: ``assert r == ksr.snapshot``.
        self.snapshot = snapshot
        #: Addresses of host names: ``ksr.dns["gw.example.net"] = "10.0.0.9:5070"`` (or several, or [] for none).
        self.dns: dict[str, str | list[str]] = {}
        #: Where nothing can be sent: ``ksr.unreachable.add("10.0.0.9")``, or with a port.
        self.unreachable: set[str] = set()

    # -- the script ---------------------------------------------------------------------------------------------------

    def load(self, path: str | Path, **options: Any) -> None:
        """Load a script, with options as the marker takes them. A script loaded before is gone, with all its state.

        A relative path is looked for beside the test, then in pytest's root directory.
        """
        found = self._find(path)
        options_ = self._options.with_(options, "ksr.load()")
        if self._world is not None:
            self._world.close()
            self._done.append(self._world)
            self._world = None
        self._world = World(found, options_, self._mocks, self.dns, self.unreachable)

    def _find(self, path: str | Path) -> Path:
        for folder in self._folders:
            found = (folder / path).resolve()
            if found.is_file():
                return found
        places = " nor in ".join(dict.fromkeys(map(str, self._folders)))
        raise UsageError(f"there is no script {path}, neither in {places}" if " nor " in places
                         else f"there is no script {path} in {places}")  # fmt: skip

    def close(self) -> None:
        """The test has ended."""
        if self._world is not None:
            self._world.close()

    @property
    def world(self) -> World:
        """The proxy underneath."""
        if self._world is None:
            raise UsageError(
                'no script is loaded: give one with @pytest.mark.ksr("router.py"), the ini option '
                'ksr_script = router.py, or ksr.load("router.py")'
            )
        return self._world

    @property
    def script(self) -> Any:
        """The object with the callbacks: what ``mod_init()`` returned, or the module."""
        return self.world.script.handler

    @property
    def module(self) -> Any:
        """The script's module: its globals as attributes."""
        return self.world.script.module

    @property
    def KSR(self) -> KsrModule:
        """The KSR object the script imports; outside a callback its functions see a made-up message."""
        return self.world.ksr

    # -- messages -----------------------------------------------------------------------------------------------------

    def request(
        self,
        method: str = "INVITE",
        uri: str = "sip:bob@example.com",
        *,
        from_: str = "sip:alice@example.com",
        to: str | None = None,
        src: str = SOURCE,
        proto: str | None = None,
        dst: str = "",
        headers: Fields | None = None,
        body: str = "",
        call_id: str | None = None,
        cseq: int = 1,
        from_tag: str | None = None,
        to_tag: str | None = None,
        route: Iterable[str] | str = (),
    ) -> Message:
        """A request with everything it needs: Via, Max-Forwards, From, To, Call-ID, CSeq, Contact where it belongs.

        ``src``: where it comes from, ``10.0.0.1:5060`` or ``tcp:10.0.0.1:5060``; ``dst``: to which of the proxy's
        sockets, ``127.0.0.1:5060``. ``to`` is the Request-URI by default (for a REGISTER the From). ``headers``
        replaces fields of those names and adds others; None leaves one out. ``to_tag`` and ``route`` make it one of a
        dialog; see also :meth:`in_dialog`. Call-ID, branch and tag are new each time: give the same message to
        :meth:`route` twice for a retransmission.
        """
        return messages.build_request(
            self.world.numbers, method, uri, from_=from_, to=to, src=src, proto=proto, dst=dst, headers=headers,
            body=body, call_id=call_id, cseq=cseq, from_tag=from_tag, to_tag=to_tag, route=route,
        )  # fmt: skip

    def route(self, message: Message | str | bytes, *, src: str | None = None, proto: str | None = None) -> Result:
        """The proxy gets a message: what :meth:`request` makes, or text or bytes of a request or reply.

        Text may be indented as a whole, and its lines may end in a newline alone. ``src``: where it comes from, by
        default the address in its topmost Via.
        """
        return self._result(self.world.receive(messages.read(message, src, proto)))

    def reply(
        self,
        to: Result | Sent,
        code: int,
        reason: str = "",
        *,
        headers: Fields | None = None,
        body: str = "",
        to_tag: str | None = None,
    ) -> Result:
        """Whoever got the relayed request replies to it.

        ``to``: a request that was sent (``r.relayed[0]``), or a result: of its one relayed request, or of the one whose
        reply made it.
        """
        request = self._relayed(to)
        message = messages.build_reply(self.world.numbers, request, code, reason, headers, body, to_tag)
        step = self.world.receive(message, f"{message.title}, to {request.method} {request.uri}")
        return self._result(step, request)

    @staticmethod
    def _relayed(to: Result | Sent) -> Sent:
        if isinstance(to, Sent):
            if not to.is_request:
                raise UsageError(f"only a request can be replied to, {to!r} is none")
            return to
        if not isinstance(to, Result):
            raise UsageError(f"ksr.reply() takes a result or a request of r.relayed, got {type(to).__name__}")
        relayed = to.relayed
        if len(relayed) == 1:
            return relayed[0]
        if relayed:
            there = ", ".join(f"r.relayed[{n}] to {sent.to}" for n, sent in enumerate(relayed))
            raise UsageError(f"{len(relayed)} requests were relayed: say which is replied to: {there}")
        if to._replied_to is not None:
            return to._replied_to
        raise NotThere(f"no request was relayed that could be replied to: {to.summary}")

    def cancel(self, to: Result | Message, *, headers: Fields | None = None) -> Result:
        """The caller cancels his INVITE."""
        return self.route(dialog.cancel(self.world, to, headers))

    def ack(self, to: Result) -> Result:
        """The caller acknowledges the final reply in a result: hop by hop when it is negative, else in its dialog."""
        return self.route(dialog.ack(self.world, to))

    def bye(self, to: Result, *, by: str = "caller") -> Result:
        """The caller hangs up, or the callee."""
        return self.in_dialog("BYE", to, by=by)

    def in_dialog(
        self, method: str, to: Result, *, by: str = "caller", headers: Fields | None = None, body: str = ""
    ) -> Result:
        """A request in the dialog that the reply of a result has set up (RFC 3261 12.2.1.1).

        ``by``: "caller", or "callee" (then the result must be that of :meth:`reply`).
        """
        return self.route(dialog.request(self.world, method, to, by, headers, body))

    def authenticated(self, request: Message, user: str, password: str) -> Result:
        """Route the request, answer the 401 or 407 that must come, and give the result of the second attempt.

        ``user``: the name for the credentials, ``alice``. An INVITE's challenge is acknowledged.
        """
        request = messages.read(request)
        first = self.route(request)
        challenge = first.reply
        if challenge.code not in (401, 407):
            raise NotThere(f"a 401 or 407 was expected, to be answered: {first.summary}")
        if request.method == "INVITE":
            self.ack(first)
        return self.route(messages.authorized(self.world.numbers, request, challenge, user, password))

    # -- single callbacks and functions -------------------------------------------------------------------------------

    def call(self, name: str, message: Message | str | bytes | None = None, *args: Any, route: str = "") -> Result:
        """One function for a message: a callback or other function of the script, or a KSR function (``KSR.pv.get``).

        A function of the script gets the message and ``args``, a KSR function ``args``. ``route``: in which kind of
        route (request, reply, branch, failure, onreply, onsend, event), by default that of the message. What it
        returned is ``r.value``.
        """
        world = self.world
        taken = messages.read(message) if message is not None else self.request()
        kind = route or ("request" if taken.is_request else "reply")
        if kind not in _ROUTES:
            raise UsageError(f"there is no route of the kind {kind!r}; there are: {', '.join(_ROUTES)}")
        decl = find_decl(world.proxy.modules, name) if name.startswith("KSR.") else None
        if decl is None:
            self._function(name)
        with world.step(f"{name} for {taken.title}", taken) as step:
            run = self._run(taken, _ROUTES[kind])
            if decl is None:
                world.script.call(run, name, *args)
                step.value = run.result
            else:
                outer, world.proxy.env.run = world.proxy.env.run, run
                try:
                    step.value = world.dispatch(decl, args)
                except KsrNotImplemented:
                    pass  # told at the end of the step
                except KsrError as error:
                    raise UsageError(str(error)) from None
                except SystemExit:
                    run.exited = True
                finally:
                    world.proxy.env.run = outer
            if kind == "request":
                for done in world.proxy.request_done:
                    done(run)
            world.settle()
        return self._result(step)

    def _function(self, name: str) -> None:
        script = self.world.script
        if not script.has(name):
            known = ", ".join(route.name for route in script.routes())
            raise UsageError(f"the script has no function {name!r}; it has: {known}")

    def _run(self, message: Message, route: int) -> Run:
        proxy = self.world.proxy
        rcv = self.world.rcv(message)
        record = proxy.recorder.add(proxy.wall(), rcv, message.wire)
        try:
            msg = SipMessage(record.data, rcv)
        except SipError as error:
            raise UsageError(f"the message cannot be parsed: {error}") from None
        msg.id = record.id
        return Run(proxy, msg, route, record)

    def failure(
        self, name: str, request: Message | str | bytes, *, reply: str = "SIP/2.0 408 Timeout", timeout: bool = False
    ) -> Result:
        """Run a failure route for a request that was relayed to its Request-URI and got ``reply``.

        ``reply``: its status line; ``timeout``: nobody replied, and fr_timer has fired (which makes a 408). The
        request route and branch routes do not run.
        """
        world = self.world
        taken = messages.read(request)
        if not taken.is_request:
            raise UsageError(f"a failure route is about a request, got {taken!r}")
        self._function(name)
        code, reason = _status(reply)
        run = self._run(taken, REQUEST_ROUTE)
        world.requests[taken.headers.get("Call-ID", ""), taken.headers.get("CSeq", "")] = taken
        engine = world.proxy.modules.tm.engine
        sent: list[Sent] = []
        with world.step("setting up a transaction", taken) as setup:
            world.proxy.script = None
            try:
                uas.relay(engine, run)
                for done in world.proxy.request_done:
                    done(run)
            finally:
                world.proxy.script = world.script
            sent = [each for each in setup.sent if each.relayed]
        world.steps.remove(setup)
        t = run.t
        if t is None or not sent:
            raise UsageError(f"{taken!r} cannot be relayed to its Request-URI, so nothing can fail")
        t.on_failure = name
        if timeout:
            client = t.branches[0]
            with world.step(f"{name} for {taken.title}: timeout", taken) as step:
                client.timed_out = True
                replies.settle(engine, t, client, 408, None, run.record)
                world.settle()
            return self._result(step, sent[0])
        message = messages.build_reply(world.numbers, sent[0], code, reason, None, "", None)
        with world.step(f"{name} for {taken.title}: {code} {reason}", taken) as step:
            engine.reply_in(self._run(message, CORE_ONREPLY_ROUTE))
            world.settle()
        return self._result(step, sent[0])

    def event(self, name: str, message: Message | str | bytes | None = None, *, callback: str = "") -> Result:
        """An event route: the callback that a module's parameter names, with the event's name.

        ``name``: ``htable:expired:ipban``, ``tm:local-request``, ``xhttp:request``. ``callback``: the function, when no
        modparam names it. ``message``: what it is about, by default the made-up one of timers.
        """
        world = self.world
        if not callback:
            callback = self._event_callback(name)
        self._function(callback)
        taken = messages.read(message) if message is not None else None
        with world.step(f"event {name}", taken) as step:
            run = self._run(taken, EVENT_ROUTE) if taken is not None else world.proxy.fake_run()
            run.route = EVENT_ROUTE
            world.script.call(run, callback, name)
            step.value = run.result
            world.settle()
        return self._result(step)

    def _event_callback(self, name: str) -> str:
        module, colon, event = name.partition(":")
        found = self.world.proxy.modules.get(module) if colon else None
        if found is None or not event:
            raise UsageError(f'an event is named MODULE:EVENT, such as "htable:mod-init"; got {name!r}')
        own = {"local-response": "event_callback_lres_sent", "filtered-ack": "event_callback_fl_ack"}
        param = own.get(event, "event_callback")
        callback = getattr(found, param, "")
        if not isinstance(callback, str) or not callback:
            raise UsageError(
                f'no callback is set for {name}: modparams=["{module}:{param}=FUNCTION"], '
                'or give it here: callback="FUNCTION"'
            )
        return callback

    # -- time ---------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The proxy's time: unix seconds. It moves with :meth:`advance` only."""
        return self.world.proxy.wall_offset + self.world.now

    @now.setter
    def now(self, value: float | datetime) -> None:
        """Put the calendar to another date; no timer fires for it."""
        proxy = self.world.proxy
        proxy.wall_offset = unix_time(value, "ksr.now") - self.world.now

    def advance(self, seconds: float) -> Result:
        """Let time pass: retransmissions, timeouts and other timers come when they are due."""
        if seconds < 0:
            raise UsageError(f"time goes on only: ksr.advance({seconds!r})")
        return self._result(self.world.advance(seconds))

    # -- state --------------------------------------------------------------------------------------------------------

    @property
    def location(self) -> state.Contacts:
        """The contacts of registered users."""
        return state.Contacts(self.world.proxy)

    @property
    def htable(self) -> state.Htables:
        """Hash tables by name."""
        return state.Htables(self.world.proxy)

    @property
    def shv(self) -> state.Shared:
        """Shared variables."""
        return state.Shared(self.world.proxy)

    def subscriber(self, user: str, password: str, domain: str, *, realm: str | None = None) -> None:
        """A user who can authenticate. ``realm``: that of the challenges, by default the domain."""
        state.add_subscriber(self.world.proxy, user, password, domain, realm)

    def address(self, group: int, address: str, *, port: int = 0, tag: str = "") -> None:
        """An address (``10.0.0.5``, ``10.0.0.0/8``, a domain) in a group of permissions' table; port 0 is any."""
        state.add_address(self.world.proxy, group, address, port, tag)

    def mock(self, name: str, returns: Any = _UNSET, *, side_effect: Any = None) -> KsrMock:
        """Stand in for a KSR function until the test ends, also for one that ksrshell has not.

        ``returns``: what it gives (default: 1, True, '' or None by its type); ``side_effect``: as with
        :class:`unittest.mock.Mock`, a function, an exception or a list of results. Gives the Mock.
        """
        decl = find_decl(self.world.proxy.modules, name)
        mock = make_mock(decl, returns, side_effect)
        self._mocks[decl.path] = mock
        return mock

    # -- options and what was seen ------------------------------------------------------------------------------------

    @property
    def allow_exceptions(self) -> bool:
        """False: an exception in the script ends the test. True: it is in ``r.exception``."""
        return self.world.options.allow_exceptions

    @allow_exceptions.setter
    def allow_exceptions(self, value: bool) -> None:
        self.world.options = self.world.options.with_({"allow_exceptions": value}, "ksr")

    @property
    def sent(self) -> list[Sent]:
        """Everything that was sent in this test, in order."""
        return [sent for step in self.world.steps for sent in step.sent]

    def report(self) -> str:
        """What was done and what the script did, as a failed test prints it; '' before there is anything."""
        parts = [render(world.steps, world.shown) for world in (*self._done, self._world) if world is not None]
        return "\n\n".join(part for part in parts if part)

    def _result(self, step: Any, replied_to: Sent | None = None) -> Result:
        return Result(self.world, step, replied_to)

    def __repr__(self) -> str:
        return f"<ksr {self._world.path.name if self._world is not None else 'without a script'}>"


def _status(line: str) -> tuple[int, str]:
    head, _, rest = line.strip().partition(" ")
    code, _, reason = rest.partition(" ")
    if head != "SIP/2.0" or not (code.isascii() and code.isdigit()) or not 300 <= int(code) <= 699:
        raise UsageError(f"a negative status line such as 'SIP/2.0 486 Busy Here' was expected, got {line!r}")
    return int(code), reason
