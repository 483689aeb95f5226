"""The agent in one process of the server: what stands between Kamailio and the callbacks of the script.

A callback costs one read of the state page while nobody is attached. When the epoch there has moved, the process looks:
it connects to the node, or says goodbye, and carries out the orders that wait, always between two messages.
"""

from __future__ import annotations

import os
import sys
import time
import weakref
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from . import capture, folder, swapping
from .hold import Holds
from .link import Link, LinkLost, connect
from .recording import MOST_CALLS, Recording, plain
from .state import EPOCH, Page, PageError, check_folder

if TYPE_CHECKING:
    from collections.abc import Callable

#: What app_python3 calls whether the script has it or not; without them an error stays pending in the process.
OPTIONAL = ("ksr_reply_route", "ksr_onsend_route", "ksr_sipdump_event")
#: What a callback of the module sipdump is called with, for every message that comes or leaves.
DUMP = "sipdump:msg"
#: The method of the datagrams that wake idle processes; the Call-ID has the secret of the state page.
WAKE = "KSRWAKE"
#: For so long (seconds) after a node has gone such a datagram may still be on its way.
LINGER = 5.0
#: Lines of a process in the server's log.
MOST_SAID = 20
_OWN = os.path.join(os.path.dirname(os.path.realpath(__file__)), "")


class Run:
    """A callback that runs while somebody is attached. ``calls``: (path, arguments, result or the exception)."""

    __slots__ = ("callback", "calls", "started", "wall", "outer", "mi", "exited", "dropped", "seen")

    def __init__(self, callback: str, outer: Run | None) -> None:
        self.callback = callback
        self.outer = outer
        self.calls: list[tuple[str, tuple[Any, ...], Any]] = []
        self.mi = 0
        self.exited = False
        self.dropped = False
        #: What the capture began with, for who needs the message before the callback has ended.
        self.seen: dict[str, Any] | None = None
        self.wall = time.time()
        self.started = time.perf_counter()


class Agent:
    """One for each process; all share the page.

    ``handler``: what has the callbacks (the script's object, or its module). ``run``: the callback that runs, None
    outside; ``depth``: how deep. ``orders``: what the node may ask for, by name; those in ``anytime`` also while a
    message is held. ``seen[0]`` is the epoch that needs no look, -1: always look.
    """

    def __init__(self, ksr: Any, meeting: folder.Meeting) -> None:
        self.ksr = ksr
        self.meeting = meeting
        self.handler: Any = None
        self.module: ModuleType | None = None
        self.page: Page | None = None
        self.link: Link | None = None
        self.seen = [-1]
        self.words: Any = [0] * 8
        self.slot = -1
        self.slot_words: Any = [0] * 8
        self.rank = 0
        self.pid = 0
        self.epoch = -1
        self.run: Run | None = None
        self.depth = 0
        self.off = ""
        #: app_python3s: callbacks are a module's functions, without a message object; ``loading``: before its forks.
        self.static = self.loading = False
        self.fronts: list[Any] = []
        self.recording = Recording(self, ksr)
        self.capture = capture.Capture(self)
        self.swaps = swapping.Swaps(self)
        self.holds = Holds(self)
        self.orders: dict[str, Callable[..., Any]] = {
            "ping": lambda: {},
            "swap": self.swaps.apply,
            "rpc": self._rpc,
            "dumping": self._dumps,
        }
        self.anytime = {"ping"}
        #: The node has switched sipdump on: who finds it gone switches it off.
        self.dumping = False
        self.later: list[dict[str, Any]] = []
        self._linger = 0.0
        self._said = 0
        self._secret = ""
        self._home: str | None = None
        self._files: dict[str, bool] = {}
        here = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forked(here()))

    # -- the script's callbacks -----------------------------------------------------------------------------------

    def wrap(self, name: str) -> Callable[..., Any]:
        """The callback of that name. Raises AttributeError when the script has none, as Kamailio expects."""
        if self.pid != os.getpid():
            self.open(None)
        try:
            function = getattr(self.handler, name)
        except AttributeError:
            if name not in OPTIONAL:
                raise
            function = _nothing
        if not callable(function):
            return function  # type: ignore[no-any-return]
        if self.off:
            return plainly(function)
        words, seen, attached = self.words, self.seen, self._attached

        def callback(*args: Any) -> int:
            if words[EPOCH] != seen[0]:
                return attached(name, function, args)
            result = function(*args)
            return result if type(result) is int else _number(result)

        return callback

    def loaded(self, module: ModuleType) -> None:
        """The script was loaded, maybe again: what was swapped in was for the module of before."""
        again = self.module is not None
        self.module = module
        self.fronts.clear()
        self._home = None
        self._files.clear()
        if not again:
            return
        self.swaps.forget()
        link = self.link
        if link is not None:
            self.recording.start()
            try:
                link.send({"event": "reloaded"})
            except LinkLost:
                link.close()

    def renew(self) -> None:
        """The script's functions have changed: the wrappers are made anew when they are next asked for."""
        for front in self.fronts:
            front.renew()

    # -- beginning ------------------------------------------------------------------------------------------------

    def open(self, rank: int | None) -> None:
        """This process is one of the server's: find the page and take a slot in it. ``rank``: None when unknown."""
        pid = os.getpid()
        if self.pid == pid:
            return
        self.pid = pid
        self.rank = rank if rank is not None else 0
        self.renew()
        try:
            path = self.meeting.path(self.facts)
            check_folder(path, os.geteuid())
            page = Page(os.path.join(path, "state"))
            if page.owner != os.geteuid():
                raise PageError(f"{path} belongs to user {page.owner}, the process runs as {os.geteuid()}")
            page.hold_life()
            self.slot = page.take_slot(pid, self.rank, self.meeting.fd)
            if self.slot < 0:
                raise PageError(f"{path} has no slot left")
        except (OSError, PageError) as error:
            self.off = str(error)
            self.say(f"off in process {pid}: {error}")
            return
        self.page = page
        self.words = page.words
        self.slot_words = page.slot_words(self.slot)
        self._secret = page.secret
        # Epoch 0 and nobody attached is how every server begins: nothing to look at.
        if page.attached:
            self.seen[0] = -1
        else:
            self.epoch = self.seen[0] = page.epoch
            self.slot_words[1] = page.epoch

    def facts(self) -> dict[str, Any]:
        """About this server, for the state page."""
        return {
            "script": self.script,
            "pid": self.pid if self.rank == 0 else os.getppid(),
            "version": self._version(),
            "python": sys.version.split()[0],
            # Where a relative path of its command line begins: Kamailio has gone to / since.
            "pwd": os.environ.get("PWD", ""),
        }

    @property
    def script(self) -> str:
        path = getattr(self.module, "__file__", None) or ""
        return os.path.realpath(path) if path else ""

    def _version(self) -> str:
        try:
            return str(self.ksr.pv.get("$version(num)") or "")
        except Exception:
            return ""

    def say(self, text: str) -> None:
        """One line in the server's log; what says more than so many has been understood."""
        self._said += 1
        if self._said > MOST_SAID:
            return
        line = f"ksragent: {text}\n"
        for name in ("warn", "err", "info"):
            function = getattr(self.ksr, name, None)
            if function is not None:
                try:
                    function(line)
                except Exception:
                    continue
                return

    # -- while somebody is attached, or the epoch has moved -------------------------------------------------------

    def _attached(self, name: str, function: Callable[..., Any], args: tuple[Any, ...]) -> int:
        if self.page is None:
            if self.pid != os.getpid():
                self.open(None)
            return plainly(function)(*args)
        if args and args[-1] == DUMP:
            return self._dumped(function, args)
        if not self.depth:
            if self.words[EPOCH] != self.epoch:
                self.look()
            if name == "ksr_request_route" and self._woken():
                return 1
            if self.swaps.changed:
                self.swaps.changed = False
                function = self._now(name, function)
        link = self.link
        if link is not None and link.closed and not self.depth:
            self.leave()
            link = None
        if link is None:
            if not self.depth and self._linger and time.monotonic() > self._linger:
                self._linger = 0.0
                self.seen[0] = self.epoch
            result = function(*args)
            return result if type(result) is int else _number(result)
        return self._recorded(name, function, args)

    def _now(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function of that name after a swap; Kamailio has asked for the wrapper before."""
        found = getattr(self.handler, name, None)
        if callable(found):
            return found  # type: ignore[no-any-return]
        return _nothing if name in OPTIONAL else function

    def _recorded(self, name: str, function: Callable[..., Any], args: tuple[Any, ...]) -> int:
        run = self.run = Run(name, self.run)
        self.depth += 1
        error: BaseException | None = None
        result: Any = None
        holds = self.holds
        seen = run.seen = self.capture.begin(run)
        try:
            if holds.active():
                msg = args[0] if args and not self.static else None
                result = holds.run(name, msg, partial(function, *args))
            else:
                result = function(*args)
            return result if type(result) is int else _number(result)
        except SystemExit:
            run.exited = True
            raise
        except BaseException as raised:
            error = raised
            raise
        finally:
            seconds = time.perf_counter() - run.started
            self.depth -= 1
            self.run = run.outer
            self.slot_words[2] += run.outer is None
            if error is not None:
                self.slot_words[3] += 1
            self.capture.end(run, seen, result, error, seconds)
            error = None  # its frames hold this one
            if not self.depth and (self.later or self.words[EPOCH] != self.epoch):
                self.look()  # what came meanwhile waits for no further message

    def _dumped(self, function: Callable[..., Any], args: tuple[Any, ...]) -> int:
        """sipdump tells of a message, which is not Kamailio's current one: what leaves is told, what comes is known."""
        try:
            leaves = self.ksr.pv.get("$sipdump(tag)") == "snd"
        except Exception:
            leaves = False
        # Between two messages: a worker's when one comes, and a timer's, which has no others.
        if not self.depth and (not leaves or self.rank < 1) and self.words[EPOCH] != self.epoch:
            self.look()
        link = self.link
        if leaves and link is not None and not link.closed:
            self.capture.dumped(self.run)
        return _number(function(*args))

    def _dumps(self, on: bool) -> dict[str, Any]:
        self.dumping = on
        return {}

    def _undump(self) -> None:
        """The node that has switched sipdump on was killed: nobody needs it."""
        self.dumping = False
        page = self.page
        if page is None or (page.attached and page.node and os.path.exists(f"/proc/{page.node}")):
            return
        try:
            self._rpc("sipdump.enable", [0])
        except Exception as error:
            self.say(f"sipdump stays on: {type(error).__name__}: {error}")

    # -- what holds need ------------------------------------------------------------------------------------------

    def is_script(self, filename: str) -> bool:
        """Whether that file is one of the script's: its own, one beside or below it, or what was swapped in."""
        if filename.startswith("<swap "):
            return True
        if self._home is None:
            self._home = os.path.join(os.path.dirname(self.script), "")
        found = self._files.get(filename)
        if found is None:
            real = os.path.realpath(filename)
            found = real.startswith(self._home) and not real.startswith(_OWN) and "/site-packages/" not in real
            self._files[filename] = found
        return found

    def other(self, order: dict[str, Any]) -> None:
        """An order that came while a message is held. Raises :class:`LinkLost`."""
        self.carry_out(order, held=True)

    def made(self, path: str, args: tuple[Any, ...], result: Any) -> None:
        """A KSR call was made on a held message, by order: it is noted with those of its callback."""
        if self.run is not None and len(self.run.calls) < MOST_CALLS:
            self.run.calls.append((path, args, result))

    def _woken(self) -> bool:
        """Whether this is a datagram of the node's that was only to wake the process."""
        try:
            get = self.ksr.pv.get
            return bool(get("$rm") == WAKE and get("$ci") == self._secret)
        except Exception:
            return False

    def look(self) -> None:
        """The epoch has moved: connect, or leave, and carry out what waits."""
        page = self.page
        if page is None:
            return
        epoch = page.epoch
        try:
            if not page.attached:
                self.leave()
            elif not self._visit(page):
                self._visit(page)  # that node had gone, and another one is there
        except (LinkLost, OSError):
            self.leave()
        except Exception as error:
            # A defect of ours is not the script's: the callback is to run all the same.
            self.say(f"the link to the node is given up: {type(error).__name__}: {error}")
            self.leave()
        self.epoch = epoch
        self.slot_words[1] = epoch

    def _visit(self, page: Page) -> bool:
        """Connect, unless it is connected, and carry out what waits. False: the node that it was connected to has gone.
        Raises :class:`LinkLost` and OSError for one that is new."""
        if self.link is None:
            self._join(page)
            self.obey()
            return True
        try:
            self.obey()
        except LinkLost:
            self.leave()
            return False
        return True

    def _join(self, page: Page) -> None:
        link = Link(connect(os.path.dirname(page.path)))
        link.send(
            {
                "event": "hello",
                "pid": self.pid,
                "rank": self.rank,
                "generation": page.generation,
                "swaps": self.swaps.numbers(),
                "path": sys.path[:64],
                "python": sys.version.split()[0],
            }
        )
        self.link = link
        self.seen[0] = -1
        page.set_linked(self.slot, True)
        self.capture.clear()
        self.recording.start()

    def lost(self) -> None:
        """The node has gone while a callback runs; the rest is done when it has ended."""
        if self.depth:
            link = self.link
            if link is not None:
                link.close()
        else:
            self.leave()

    def leave(self) -> None:
        """Nobody is attached any more: as it was before."""
        link, self.link = self.link, None
        if link is not None:
            link.close()
        if self.recording.on:
            self.recording.stop()
        self.holds.detached()
        self.later.clear()
        if self.dumping:
            self._undump()
        if self.page is not None:
            self.page.set_linked(self.slot, False)
        self._linger = time.monotonic() + LINGER
        self.seen[0] = -1

    # -- orders ---------------------------------------------------------------------------------------------------

    def obey(self) -> None:
        """Carry out the orders that wait. Raises :class:`LinkLost`."""
        link = self.link
        if link is None:
            return
        later, self.later = self.later, []
        for order in later:
            self.carry_out(order)
        for order in link.poll():
            self.carry_out(order)

    def carry_out(self, order: dict[str, Any], *, held: bool = False) -> None:
        """One order, answered. ``held``: a message is held, so what changes the script waits until it has gone on.

        Raises :class:`LinkLost`.
        """
        name = str(order.get("do"))
        if not held and self.holds.order(order):
            return
        if held and name not in self.anytime:
            self.later.append(order)
            return
        link = self.link
        if link is None:
            raise LinkLost("closed")
        id = order.get("id")
        function = self.orders.get(name)
        try:
            if function is None:
                raise ValueError(f"the agent knows no order {name!r}")
            result = function(**{key: value for key, value in order.items() if key not in ("id", "do")})
            answer = {"re": id, "result": result}
        except LinkLost:
            raise
        except (KeyboardInterrupt, SystemExit, Exception) as error:
            answer = {"re": id, "error": failure(error)}
        link.send(answer)

    def _rpc(self, method: str, params: list[Any]) -> Any:
        """A command of the server's own RPC, through the module jsonrpcs."""
        import json

        module = getattr(self.ksr, "jsonrpcs", None)
        if module is None:
            raise RuntimeError("the server has not loaded jsonrpcs")
        module.exec(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}))
        text = self.ksr.pv.get("$jsonrpl(body)")
        return {"code": self.ksr.pv.get("$jsonrpl(code)"), "body": plain(text) if text is None else text}


def failure(error: BaseException) -> dict[str, Any]:
    """An exception for the node."""
    found = {"type": type(error).__name__, "text": str(error)}
    line = getattr(error, "lineno", None)
    if isinstance(line, int):
        found["line"] = str(line)
    return found


def _forked(agent: Agent | None) -> None:
    """A child process. One that a callback of the script has made is none of the server's: it has no link, and does not
    keep the page alive. The server's own find their page when they begin."""
    if agent is None or not agent.depth or agent.pid == os.getpid():
        return
    agent.pid = os.getpid()
    link, agent.link = agent.link, None
    if link is not None:
        link.close()
    agent.run = None
    agent.dumping = False
    agent.holds.forked()
    page, agent.page = agent.page, None
    for each in (page, agent.meeting.kept):
        if each is not None:
            each.let_go()
    agent.meeting.kept = None


def _nothing(*args: Any) -> int:
    return 1


def _number(result: Any) -> int:
    """What Kamailio gets: always an int, because anything else makes the next KSR call of the process fail."""
    if result is None:
        return 1
    try:
        return int(result)
    except Exception:
        return 1


def plainly(function: Callable[..., Any]) -> Callable[..., int]:
    """The callback with nothing around it but the care for its result."""

    def callback(*args: Any) -> int:
        result = function(*args)
        return result if type(result) is int else _number(result)

    return callback
