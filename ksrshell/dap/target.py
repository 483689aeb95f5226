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
from ..messages import Message
from ..session import Session, connect
from ..stepper import Step
from ..view import unwire

Body = dict[str, Any]


class Threadlike:
    """A message that is debugged, which the protocol calls a thread: held (``live``) or stepped in a sandbox.

    ``held`` is the number it has as a held message (0: none).
    """

    def __init__(self, id: int, name: str, step: Step, held: int = 0) -> None:
        self.id = id
        self.name = name
        self.step = step
        self.held = held

    @property
    def state(self) -> Body:
        """What is shown of it (docs/control-channel.md)."""
        return dict(self.step.to_json())

    @property
    def live(self) -> bool:
        return bool(self.held)

    @property
    def done(self) -> bool:
        return self.step.done

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
        message = Message(self.session, event.get("summary") or {"id": event.get("message") or 0})
        step = Step(self.session, message, event["state"])
        return Threadlike(next(self._ids), str(event["text"]), step, int(event["held"]))

    def step(self, message: Any, callback: str) -> Threadlike:
        """A captured message, stopped in a sandbox at the first line of its callback."""
        if not isinstance(message, int) or isinstance(message, bool):
            raise UsageError(f"message is the id of a captured message, got {message!r}")
        step = self.session.step(message, callback or None)
        return Threadlike(next(self._ids), f"message {message}", step)

    def resume(self, thread: Threadlike) -> None:
        """Let a held message go on; its "released" event follows."""
        self.session.call("ksr.hold.resume", {"held": thread.held})

    # -- values ---------------------------------------------------------------------------------------------------

    def evaluate(self, thread: Threadlike, expression: str) -> str:
        """A pseudo-variable when it begins with ``$``, else a Python expression in the stopped frame."""
        if not expression.startswith("$"):
            return thread.step.eval(expression)
        value = thread.step.pv(expression)
        return "<null>" if value is None else str(value)

    def pvs(self, thread: Threadlike, names: Iterable[str]) -> Body:
        """Values of pseudo-variables; those that have no meaning for this message are left out."""
        found: Body = {}
        for name in names:
            with suppress(KsrShellError):
                found[name] = thread.step.pv(name)
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
        return thread.step.set(name, value)

    def set_pv(self, thread: Threadlike, name: str, value: str) -> str:
        """Write a pseudo-variable: a number, or text with or without quotes."""
        plain = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
        expression = plain if plain.lstrip("-").isdigit() and plain == value else repr(plain)
        before = self.evaluate(thread, name)
        thread.step.set(name, expression)
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
            thread.step.eval(expression)
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
