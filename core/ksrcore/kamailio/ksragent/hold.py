"""Holding messages in a worker: which, where, and what the worker does for the node while a message waits.

Everything happens in the worker's own thread, inside the callback: a held message keeps its worker until it goes on.
The node arms holds (order ``arm``), says whether a message may be held (order ``grant``), and gives orders while it
is; without a node, or when its time is over, the message goes on.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from .hold_acts import Acts
from .hold_held import Drop, Live
from .hold_keys import reply_key, request_key
from .hold_names import RE_LIMIT, LogText, Names, compiled, matches, untold
from .link import LinkLost
from .state import HELD_AT, HELD_SLOTS, PROC_SLOTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from .link import Link
    from .state import Page

    class Host(Protocol):
        """What holds need of the agent."""

        ksr: Any
        link: Link | None
        page: Page | None
        slot: int
        run: Any
        capture: Any

        def is_script(self, filename: str) -> bool:
            """Whether that file is one of the script's."""

        def other(self, order: dict[str, Any]) -> None:
            """An order of the node's that is none of a held message's."""

        def say(self, text: str) -> None:
            """One line in the server's log."""

        def made(self, path: str, args: tuple[Any, ...], result: Any) -> None:
            """A KSR call was made by order."""

        def lost(self) -> None:
            """The node has gone."""


#: Seconds that a worker waits for the node's word whether a message may be held.
GRANT = 0.5
#: Bytes of a slot of the held table. Each process has two of them, by its place in the table of processes.
_SLOT = 16
#: What ``$mt`` is of a reply.
_REPLY = 2
#: Processes whose slots are looked at beside those that were there when the agent joined.
_MORE = 32


class Hold:
    """An armed hold, as the node sends it: ``id kind name file line early late log watch at``.

    ``kind``: ``entry function line call exception watch``; ``at``: its place, for people.
    """

    __slots__ = ("id", "kind", "name", "file", "line", "early", "late", "log", "watch", "at")

    def __init__(self, spec: dict[str, Any]) -> None:
        self.id: int = spec["id"]
        self.kind: str = spec["kind"]
        self.name: str = spec.get("name", "")
        self.file: str = spec.get("file", "")
        self.line: int = spec.get("line", 0)
        self.early = compiled(spec.get("early", ""))
        self.late = compiled(spec.get("late", ""))
        self.log = LogText(spec["log"]) if spec.get("log") else None
        self.watch: str = spec.get("watch", "")
        self.at: str = spec.get("at", "")


class Called:
    """A callback of the script, and what came of it: whatever fails around it, that is what Kamailio gets."""

    __slots__ = ("call", "made", "result", "error")

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.made = False
        self.result: Any = None
        self.error: BaseException | None = None

    def __call__(self) -> Any:
        self.made = True
        try:
            self.result = self.call()
        except BaseException as error:
            self.error = error
            raise
        return self.result

    def outcome(self) -> Any:
        """Its result, also when it was not called yet. Raises what the script raised."""
        if not self.made:
            return self.call()
        if self.error is None:
            return self.result
        if isinstance(self.error, Drop):
            return 1
        raise self.error


class Holds:
    """The holds of one worker.

    The boundary asks :meth:`active` before each callback and, when it is true, lets :meth:`run` call it; KSR calls of
    the script come by :meth:`before_call` and :meth:`after_call` while ``live`` is not None.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.armed: list[Hold] = []
        self.live: Live | None = None
        self.acts = Acts(host)
        #: Numbers of what was asked of the node.
        self._asked = 0
        self._empty = b""
        #: What is left alone from now on, because it failed.
        self._broken: Live | None = None

    # -- orders of the node ---------------------------------------------------------------------------------------

    def order(self, order: dict[str, Any]) -> bool:
        """Carry out an order for holds, outside a held message; False: it is none. ``arm``: ``holds`` are armed now."""
        do = str(order.get("do"))
        if do == "arm":
            try:
                self.arm(order["holds"])
            except (SyntaxError, ValueError, KeyError, TypeError) as error:
                self.fail(order, type(error).__name__, str(error))
            else:
                self.answer(order, {"armed": len(self.armed)})
        elif do == "grant":
            # The node's word comes when the message has gone on.
            if order.get("held"):
                self.send({"event": "hold.unasked", "ask": order.get("ask")})
            self.answer(order, {})
        elif do.startswith("hold."):
            self.fail(order, "StepError", f"held {order.get('held')} waits no more")
        else:
            return False
        return True

    def arm(self, specs: list[dict[str, Any]]) -> None:
        """These holds and no others. Raises what compiling one raises; the node has checked them."""
        self.armed = [Hold(spec) for spec in specs]
        if self.live is not None:
            self.live.disarm({hold.id for hold in self.armed})

    def detached(self) -> None:
        """The node is gone: nothing is armed any more; what is held goes on."""
        self.armed = []
        if self.live is not None:
            self.live.detached()
        self.mark([], 0)

    def answer(self, order: dict[str, Any], result: Any) -> None:
        self.send({"re": order.get("id"), "result": result})

    def fail(self, order: dict[str, Any], kind: str, text: str, **more: Any) -> None:
        self.send({"re": order.get("id"), "error": {"type": kind, "text": text, **more}})

    def send(self, message: dict[str, Any]) -> None:
        """Raises :class:`LinkLost`."""
        if self.host.link is None:
            raise LinkLost("no node")
        self.host.link.send(message)

    # -- at the boundary ------------------------------------------------------------------------------------------

    def active(self) -> bool:
        """Whether a callback is any of our business: something is armed here, or held by some worker."""
        return bool(self.armed) or self.live is not None or self._some_held()

    def _some_held(self) -> bool:
        page = self.host.page
        if page is None:
            return False
        empty = self._empty
        if not empty:
            known = min(PROC_SLOTS, max(len(page.procs()), self.host.slot) + _MORE, HELD_SLOTS // 2)
            empty = self._empty = bytes(2 * known * _SLOT)
        return page.map[HELD_AT : HELD_AT + len(empty)] != empty

    def run(self, name: str, msg: Any, call: Callable[[], Any]) -> Any:
        """Call a callback of the script. ``msg``: Kamailio's object, None under app_python3s. What the script raises is
        raised; one that is ended, or whose message is absorbed, returns 1 and is marked as dropped."""
        script = Called(call)
        try:
            return self._run(name, msg, script)
        except Exception as error:
            if error is script.error:
                raise
            self.broken(error)
            return script.outcome()

    def forked(self) -> None:
        """This is another process now, in the middle of a callback: nothing is held in it."""
        self.armed = []
        self.live = None
        sys.settrace(None)

    def broken(self, error: BaseException) -> None:
        """A defect of ours: the script is to know nothing of it. Nothing is held here until holds are armed again."""
        live = self.live
        if live is not None:
            if live is self._broken:
                return
            self._broken = live
        text = f"{type(error).__name__}: {error}"
        self.host.say(f"holds do not work in this process: {text}")
        number = live.held or live.last if live is not None else 0
        try:
            self.detached()
            self.send({"event": "hold.failed", "held": number, "text": f"holds do not work in this worker: {text}"})
        except Exception as again:
            self.host.say(f"{type(again).__name__}: {again}")

    def _run(self, name: str, msg: Any, call: Callable[[], Any]) -> Any:
        live = self.live
        if live is not None:
            # What an order runs is not held.
            return call() if live.busy else self._nested(live, name, call)
        if msg is None:
            is_request = self.host.ksr.pv.get("$mt") != _REPLY
        else:
            is_request = getattr(msg, "Type", "") != "SIP_REPLY"
        if self._absorbs(is_request):
            self._dropped()
            return 1
        wanted = self._wanted(name, is_request) if self.armed else []
        if not wanted:
            return call()
        live = self.live = Live(self, wanted, name, is_request)
        result: Any = None
        error: BaseException | None = None
        try:
            result = self._nested(live, name, call)
            return result
        except BaseException as raised:
            error = raised
            raise
        finally:
            try:
                live.finish(result, error)
            except Exception as failed:
                self.broken(failed)
            self.live = self._broken = None
            error = None  # its frames hold this one

    def _nested(self, live: Live, name: str, call: Callable[[], Any]) -> Any:
        result: Any = 1
        try:
            live.enter(name)
            try:
                result = call()
            finally:
                live.leave()
        except Drop:
            result = 1
        except BaseException:
            if not live.ending:
                raise
        if live.ending:
            self._dropped()
            self.acts.nothing_more()
        return result

    def _dropped(self) -> None:
        if self.host.run is not None:
            self.host.run.dropped = True

    def _wanted(self, name: str, is_request: bool) -> list[Hold]:
        """The holds that this message may be held by, as far as is known when it comes."""
        get = self.host.ksr.pv.get
        names = Names(get, is_request, came=True, callbacks=(name,))
        found = []
        of: Names | None = None
        for hold in self.armed:
            if not matches(hold.early, names):
                if is_request or not self.acts.has_tmx:
                    continue
                # A reply is wanted when its request is.
                of = of or Names(get, False, came=True, request=True)
                if not matches(hold.early, of):
                    continue
            found.append(hold)
        if untold:
            self._tell_slow()
        if found and self.acts.no_message():
            found = [hold for hold in found if hold.early is None and hold.kind not in ("entry", "watch")]
        return found

    def _tell_slow(self) -> None:
        """Patterns that took too long match nothing any more: whoever armed them has to know."""
        while untold:
            text = f"re({untold.pop()!r}, ...) took more than {RE_LIMIT:g} s of CPU in a worker: it matches nothing now"
            try:
                self.send({"event": "hold.slow", "text": text})
            except LinkLost:
                return

    # -- what belongs to messages that others hold ----------------------------------------------------------------

    def _absorbs(self, is_request: bool) -> bool:
        """Whether this message belongs to one that another worker holds: it comes again, or its time comes."""
        page = self.host.page
        if page is None or not self._some_held():
            return False
        now = int(time.time())
        keys = {hash: pid for _, hash, pid, until in page.held() if until >= now and pid != os.getpid()}
        if not keys or self.acts.no_message():
            return False
        get = self.host.ksr.pv.get
        key = request_key(get) if is_request else reply_key(get)
        pid = keys.get(key)
        if pid is None:
            return False
        if is_request:
            self.acts.trying_again()
        else:
            self.acts.nothing_more()
        try:
            run = self.host.run
            mi = run.mi if run is not None else 0
            self.send({"event": "hold.absorbed", "pid": pid, "mi": mi, "title": self.acts.title(is_request)})
        except LinkLost:
            pass  # it is absorbed all the same: its time will be over
        return True

    def mark(self, keys: list[int], until: float) -> None:
        """These keys belong to the message that this worker holds; none: it holds nothing."""
        page, slot = self.host.page, self.host.slot
        if page is None or slot < 0:
            return
        for at in range(2):
            key = keys[at] if at < len(keys) else 0
            # A second more: rounding must not end it before the message goes on.
            page.set_held(2 * slot + at, key, os.getpid() if key else 0, int(until) + 1 if key else 0)

    # -- KSR calls of the script ----------------------------------------------------------------------------------

    def before_call(self, path: str, args: tuple[Any, ...]) -> None:
        """The script is about to call ``path`` (``KSR.hdr.append``). May wait; raises :class:`Drop`."""
        live = self.live
        if live is not None and not live.busy and live is not self._broken:
            try:
                live.before_call(path, args)
            except Exception as error:
                self.broken(error)

    def after_call(self, path: str, args: tuple[Any, ...], result: Any, seconds: float) -> None:
        """It was made; ``result`` is the exception when it raised."""
        live = self.live
        if live is not None and not live.busy and live is not self._broken:
            try:
                live.tracer.after_call(path, args, result, seconds)
            except Exception as error:
                self.broken(error)
            if live.ending:
                raise Drop

    # -- the node's word ------------------------------------------------------------------------------------------

    def ask(self, hold: Hold, held: int, route: str) -> dict[str, Any]:
        """Whether a message may be held by that hold: ``{"held": number, "seconds": ...}``, empty: it goes on.

        ``held``: the number under which it is held already; ``route``: the kind of route it is in. Raises
        :class:`LinkLost`.
        """
        self._asked += 1
        number = self._asked
        proto = str(self.acts.pv("$pr") or "").lower()
        self.send({"event": "hold.ask", "ask": number, "hold": hold.id, "held": held, "route": route, "proto": proto})
        deadline = time.monotonic() + GRANT
        while True:
            order = self._next(deadline)
            if order is None:
                self.send({"event": "hold.unasked", "ask": number})
                return {}
            if order.get("do") == "grant" and order.get("ask") == number:
                self.answer(order, {})
                return order if order.get("held") else {}
            self._other(order)

    def _other(self, order: dict[str, Any]) -> None:
        if order.get("do") in ("arm", "grant"):
            self.order(order)
        else:
            self.host.other(order)

    def _next(self, deadline: float) -> dict[str, Any] | None:
        if self.host.link is None:
            raise LinkLost("no node")
        return self.host.link.wait(deadline)

    def wait(self, deadline: float) -> dict[str, Any] | None:
        """The next order about the held message; None: its time is over. Raises :class:`LinkLost`."""
        while True:
            order = self._next(deadline)
            if order is None or str(order.get("do")).startswith("hold."):
                return order
            self._other(order)


__all__ = ["Drop", "Hold", "Holds", "LinkLost"]
