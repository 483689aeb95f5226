"""What an adapter debugs: a proxy it attached to or launched, by way of the control channel."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from ..child import ChildProxy
from ..errors import KsrShellError, UsageError
from ..session import Session, connect
from ..stepper import STEP_TIMEOUT
from ..view import unwire

Body = dict[str, Any]


class Threadlike:
    """A message that is debugged, which the protocol calls a thread: held (``live``) or stepped in a sandbox.

    ``step`` is its number on the control channel, ``held`` the number it has as a held message (0: none), ``history``
    its states so far (docs/control-channel.md) and ``at`` the one that is shown.
    """

    def __init__(self, id: int, name: str, step: int, state: Body, held: int = 0) -> None:
        self.id = id
        self.name = name
        self.step = step
        self.held = held
        self.history = [state]
        self.at = 0

    @property
    def state(self) -> Body:
        return self.history[self.at]

    @state.setter
    def state(self, state: Body) -> None:
        self.history[self.at] = state

    @property
    def past(self) -> bool:
        """Whether an earlier state of a live message is shown, where nothing can be evaluated any more."""
        return self.at + 1 < len(self.history)

    @property
    def live(self) -> bool:
        return bool(self.held)

    @property
    def done(self) -> bool:
        return bool(self.state.get("done"))

    def ending(self) -> str:
        """How its run ended, for the debug console."""
        state = self.state
        if state.get("exception"):
            return f"{self.name}: {str(state['exception']).splitlines()[-1]}"
        how = " by exit" if state.get("exited") else " by drop" if state.get("dropped") else ""
        sent = len((state.get("effects") or {}).get("sent") or [])
        return f"{self.name}: {state.get('callback', 'the callback')} ended{how}, {sent} sent"


class Target:
    """A session with a proxy, and what the adapter needs of it. ``child``: a proxy of our own, which ends with us."""

    def __init__(self, session: Session, timeout: float | None, child: ChildProxy | None = None) -> None:
        self.session = session
        self.timeout = timeout
        self.child = child
        self._ids = count(1)
        self._sources: dict[int, str] = {}
        self._listener: Callable[[Body], None] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def attach(cls, arguments: Body) -> Target:
        proxy = arguments.get("proxy")
        if proxy is not None and not isinstance(proxy, str):
            raise UsageError(f"proxy is a name or the path of a control socket, got {proxy!r}")
        return cls(connect(proxy), _timeout(arguments))

    @classmethod
    def launch(cls, arguments: Body) -> Target:
        program, options = arguments.get("program"), arguments.get("args") or []
        if not isinstance(program, str) or not program:
            raise UsageError(f"launch needs program, the path of a routing script; got {program!r}")
        if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
            raise UsageError(f"args is a list of texts, got {options!r}")
        timeout = _timeout(arguments)
        folder = tempfile.TemporaryDirectory(prefix="ksrshell-dap-")
        try:
            child = ChildProxy([program, *options], Path(folder.name) / "proxy.log")
            try:
                target = cls(connect(child.control), timeout, child)
            except BaseException:
                child.close()
                raise
        except BaseException:
            folder.cleanup()
            raise
        target._folder = folder
        return target

    def describe(self) -> str:
        hello = self.session.hello
        return f"{hello.get('name')} (process {hello.get('pid')}, {hello.get('script') or 'no script'})"

    def listen(self, listener: Callable[[Body], None]) -> None:
        """``listener(event)`` gets "held", "released", "log" and, at the end, "lost"; it must not call the proxy."""
        self._listener = listener
        client = self.session.client
        client.on_event.append(listener)
        client.on_lost = lambda text: listener({"event": "lost", "text": text})
        client.subscribe("held", "released", "log")

    def close(self, stop: bool = False) -> None:
        """Leave; a launched proxy ends, one that was attached to only when ``stop``. What we hold is released."""
        if self._listener is not None:
            self.session.client.on_lost = None
            self.session.client.on_event.remove(self._listener)
            self._listener = None
        if stop and self.child is None:
            with suppress(KsrShellError):
                self.session.call("ksr.stop")
        self.session.close()
        if self.child is not None:
            self.child.close()
        if self._folder is not None:
            self._folder.cleanup()

    # -- breakpoints ----------------------------------------------------------------------------------------------

    def arm(self, **spec: Any) -> int:
        """A hold; its number. Raises :class:`KsrShellError` with the reason why there cannot be one."""
        params = {key: value for key, value in spec.items() if value != ""}
        if self.timeout is not None:
            params["timeout"] = float(self.timeout)
        # Our holds go with us.
        return int(self.session.call("ksr.hold.arm", {**params, "keep": False})["id"])

    def disarm(self, hold: int) -> None:
        """Take a hold back. One that fired ``once`` is gone already."""
        with suppress(KsrShellError):
            self.session.call("ksr.hold.disarm", {"id": hold})

    # -- messages -------------------------------------------------------------------------------------------------

    def held(self, event: Body) -> Threadlike:
        """The message of a "held" event."""
        state = dict(event.get("state") or self.session.call("ksr.step.state", {"step": event["step"]}))
        return Threadlike(next(self._ids), str(event["text"]), int(event["step"]), state, int(event["held"]))

    def step(self, message: Any, callback: str) -> Threadlike:
        """A captured message, stopped in a sandbox at the first line of its callback."""
        if not isinstance(message, int) or isinstance(message, bool):
            raise UsageError(f"message is the id of a captured message, got {message!r}")
        params: Body = {"id": message, **({"callback": callback} if callback else {})}
        state = self.session.call("ksr.step.start", params, timeout=STEP_TIMEOUT)
        return Threadlike(next(self._ids), f"message {message}", int(state["step"]), state)

    def order(self, thread: Threadlike, op: str) -> None:
        """Move it. A live one cannot go back: its earlier states are shown again, until it goes on from the last."""
        if not thread.live:
            thread.state = self._do(thread, op)
        elif op in ("back", "first"):
            if not thread.at:
                raise UsageError("this is where the message was held: nothing of its run was seen before")
            thread.at = 0 if op == "first" else thread.at - 1
        elif thread.at + 1 < len(thread.history):
            thread.at += 1
        else:
            thread.history.append(self._do(thread, op))
            thread.at += 1

    def _do(self, thread: Threadlike, op: str) -> Body:
        state: Body = self.session.call("ksr.step.do", {"step": thread.step, "op": op}, timeout=STEP_TIMEOUT)
        return state

    def resume(self, thread: Threadlike) -> None:
        """Let a held message go on; its "released" event follows."""
        self.session.call("ksr.hold.resume", {"held": thread.held})

    # -- values ---------------------------------------------------------------------------------------------------

    def _step(self, method: str, thread: Threadlike, **params: Any) -> Any:
        if thread.past:
            raise UsageError("the live message has gone on from here: step forward to where it stands")
        return self.session.call(f"ksr.step.{method}", {"step": thread.step, **params}, timeout=STEP_TIMEOUT)

    def evaluate(self, thread: Threadlike, expression: str) -> str:
        """A pseudo-variable when it begins with ``$``, else a Python expression in the stopped frame."""
        if expression.startswith("$"):
            value = self._step("pv", thread, name=expression)["value"]
            return "<null>" if value is None else unwire(str(value))
        return str(self._step("eval", thread, expr=expression)["repr"])

    def pvs(self, thread: Threadlike, names: Iterable[str]) -> Body:
        """Values of pseudo-variables; those that have no meaning for this message are left out."""
        found: Body = {}
        for name in names:
            with suppress(KsrShellError):
                value = self._step("pv", thread, name=name)["value"]
                found[name] = unwire(value) if isinstance(value, str) else value
        return found

    def headers(self, thread: Threadlike) -> list[tuple[str, str]]:
        """The headers of the message as it would leave now."""
        id = int(thread.state.get("message") or 0)
        if not id:
            return []
        came = str(self.session.call("ksr.message", {"id": id})["data"])
        text = unwire(patched(came, str((thread.state.get("effects") or {}).get("diff") or "")))
        head = text.partition("\r\n\r\n")[0].replace("\r\n ", " ").replace("\r\n\t", " ")
        lines = [line.partition(":") for line in head.split("\r\n")[1:] if ":" in line]
        names: Body = {}
        found = []
        for name, _, body in lines:
            key = name.strip()
            names[key] = names.get(key, 0) + 1
            # Names of variables are unique in a scope.
            found.append((key if names[key] == 1 else f"{key}[{names[key] - 1}]", body.strip()))
        return found

    def set_local(self, thread: Threadlike, name: str, value: str) -> str:
        return str(self._step("set", thread, name=name, expr=value)["repr"])

    def set_pv(self, thread: Threadlike, name: str, value: str) -> str:
        """Write a pseudo-variable: a number, or text with or without quotes."""
        plain = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
        expression = plain if plain.lstrip("-").isdigit() and plain == value else repr(plain)
        before = self.evaluate(thread, name)
        self._step("set", thread, name=name, expr=expression)
        after = self.evaluate(thread, name)
        # As in Kamailio, writing what is read-only is logged there, and changes nothing.
        if after == before != plain:
            raise UsageError(f"{name} cannot be written, it is still {after}")
        return after

    def set_header(self, thread: Threadlike, name: str, value: str) -> str:
        """Replace a header that the message has once."""
        if "[" in name or sum(key.partition("[")[0] == name for key, _ in self.headers(thread)) > 1:
            raise UsageError(f"{name} is there more than once: edit it with KSR calls in the debug console")
        for expression in (f"KSR.hdr.remove({name!r})", f"KSR.hdr.append({f'{name}: {value}' + chr(13) + chr(10)!r})"):
            self._step("eval", thread, expr=expression)
        return value

    def complete(self, text: str, thread: Threadlike | None) -> list[Body]:
        """What fits after ``text`` in the debug console: KSR functions, pseudo-variables, local variables."""
        import re

        from ..complete import Completer
        from ..namespace import Namespace

        found = Completer(Namespace(self.session)).candidates(text) or []
        targets = [{"label": c.text, "start": len(text) - c.length, "length": c.length} for c in found]
        word = re.search(r"(?:^|[^\w.$])([A-Za-z_]\w*)$", text)
        if thread is not None and word is not None:
            start = len(text) - len(word[1])
            for name in thread.state.get("locals") or {}:
                if name.startswith(word[1]):
                    targets.append({"label": name, "start": start, "length": len(word[1]), "type": "variable"})
        return targets

    # -- sources --------------------------------------------------------------------------------------------------

    def source_of(self, file: str) -> Body:
        """A file as the protocol names it; swapped code, which is in no file, by a reference."""
        if not file.startswith("<"):
            return {"name": Path(file).name, "path": file}
        number = next((n for n, name in self._sources.items() if name == file), 0)
        if not number:
            number = len(self._sources) + 1
            self._sources[number] = file
        return {"name": file.strip("<>"), "sourceReference": number}

    def content(self, reference: int, path: str) -> str:
        file = self._sources.get(reference) or path
        return "\n".join(self.session.call("ksr.source", {"file": file})["lines"]) + "\n"

    def sources(self) -> list[Body]:
        """The files the script's functions are in."""
        files = {str(route["file"]): None for route in self.session.call("ksr.routes")}
        return [self.source_of(file) for file in files]

    def code_lines(self, path: str) -> list[int]:
        """The lines of a file of the script on which a breakpoint can be."""
        return list(self.session.call("ksr.source", {"file": path})["code"])


def patched(text: str, diff: str) -> str:
    """A message with a unified diff of its lines applied: the message as it would leave."""
    if not diff:
        return text
    lines = text.replace("\r\n", "\n").splitlines()
    out: list[str] = []
    at = 0
    for line in diff.splitlines()[2:]:
        if line.startswith("@@"):
            start, _, count = line.split()[1].removeprefix("-").partition(",")
            # A hunk that removes nothing counts from the line before it.
            first = int(start) if count == "0" else int(start) - 1
            out += lines[at:first]
            at = first
        elif line.startswith("+"):
            out.append(line[1:])
        else:
            if line.startswith(" "):
                out.append(line[1:])
            at += 1
    return "\r\n".join([*out, *lines[at:]])


def _timeout(arguments: Body) -> float | None:
    timeout = arguments.get("timeout")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout <= 0):
        raise UsageError(f"timeout is a number of seconds, got {timeout!r}")
    return timeout
