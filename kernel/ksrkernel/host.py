"""The proxy of a notebook: one of its own, started and ended with the kernel, or one that runs already."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from ksrshell.child import ChildProxy
from ksrshell.complete import Completer
from ksrshell.errors import KsrShellError, UsageError
from ksrshell.namespace import Line, Namespace
from ksrshell.open import OfflineClient
from ksrshell.session import Session, connect

#: The script of `%proxy start` without one: a cell with %%route gives it its first callback.
_EMPTY = """\
# An empty script: %%route adds functions to it.
import KSR


def ksr_request_route(msg):
    return 1
"""

USAGE = "%proxy start [SCRIPT] [options of ksrshell serve] | demo [--traffic] | attach [NAME] | stop"


class NoProxy(OfflineClient):
    """Stands where the connection will be, and says how to get one."""

    def __init__(self) -> None:
        super().__init__("no proxy")

    def call(self, method: str, params: Any = None, *, timeout: float | None = None) -> Any:
        if method in ("ksr.pvs", "ksr.routes", "system.listMethods"):
            return []  # completion asks
        raise UsageError("there is no proxy yet: %proxy demo, %proxy start SCRIPT or %proxy attach NAME gives one")


class Host:
    """Which proxy the names are of. ``close()`` ends what was started here; it is called with the kernel's end."""

    def __init__(self) -> None:
        self.session = Session(NoProxy())  # type: ignore[arg-type]
        self.namespace = Namespace(self.session)
        self.completer = Completer(self.namespace)
        self.child: ChildProxy | None = None
        self.what = ""
        self.listeners: list[Any] = []
        self._stack = ExitStack()

    # -- %proxy ---------------------------------------------------------------------------------------------------

    def magic(self, words: list[str]) -> Any:
        """``%proxy`` with these words."""
        if not words:
            return self.shown()
        verb, *rest = words
        if verb == "start":
            return self.start(rest)
        if verb == "demo":
            if rest not in ([], ["--traffic"]):
                raise UsageError("usage: %proxy demo [--traffic]")
            return self.demo(bool(rest))
        if verb == "attach":
            if len(rest) > 1:
                raise UsageError("usage: %proxy attach [NAME | PATH]")
            return self.attach(rest[0] if rest else None)
        if verb == "stop" and not rest:
            return self.stop()
        raise UsageError(f"usage: {USAGE}")

    def start(self, arguments: list[str]) -> Line:
        """A proxy of our own with ``ksrshell serve``'s arguments. Without --listen it takes a free port of this
        machine: notebooks do not get into each other's way, or into that of a proxy on 5060."""
        from ksrshell.demo.command import free_port

        self.close()
        with ExitStack() as stack:
            folder = self._folder(stack)
            script = arguments[0] if arguments and not arguments[0].startswith("-") else ""
            if not script:
                script = str(folder / "notebook.py")
                Path(script).write_text(_EMPTY, encoding="utf-8")
                arguments = [script, *arguments]
            names = {argument.partition("=")[0] for argument in arguments}
            if "--listen" not in names:
                port = free_port()
                arguments += ["--listen", f"udp:127.0.0.1:{port}", "--listen", f"tcp:127.0.0.1:{port}"]
            if "--db" not in names:
                arguments += ["--db", f"sqlite:///{folder / 'notebook.db'}"]
            if "--name" not in names and "--control" not in names:
                arguments += ["--name", _free_name(Path(script).stem)]
            child = stack.enter_context(ChildProxy(arguments, folder / "proxy.log"))
            self._take(child, stack, "started here, ends with the kernel")
        return self.shown()

    def demo(self, traffic: bool) -> Line:
        """The demo's proxy: two phones, registered, two calls made. ``traffic``: they go on calling."""
        from ksrshell.agent import AgentError
        from ksrshell.demo.command import playground

        self.close()
        try:
            with ExitStack() as stack:
                child, calls = stack.enter_context(playground())
                if traffic:
                    calls.start()
                self._take(child, stack, "the demo, ends with the kernel")
        except AgentError as error:
            raise KsrShellError(str(error)) from None
        return self.shown()

    def attach(self, name: str | None) -> Line:
        """A proxy that runs already, which goes on when the kernel ends."""
        session = connect(name, persistent=True)
        self.close()
        self._stack.callback(session.close)
        self._use(session, "runs by itself, and goes on when the kernel ends")
        return self.shown()

    def stop(self) -> Line:
        if not self.what:
            raise UsageError("there is no proxy to stop")
        name = self.session.name
        own = self.child is not None
        self.close()
        return Line(f"{name} is stopped" if own else f"no longer attached to {name}, which goes on")

    def shown(self) -> Line:
        """The proxy and the message in use, on a line each."""
        if not self.what:
            return Line(f"no proxy; {USAGE}")
        hello = self.session.hello
        listens = ", ".join(map(str, hello.get("listens") or ())) or "nothing"
        lines = [
            f"{self.session.name}: {hello.get('script') or 'no script'}, on {listens}; {self.what}",
            f"{len(self.session.msgs)} messages captured; {self._in_use()}",
        ]
        return Line("\n".join(lines), {"name": self.session.name, "listens": hello.get("listens")})

    def _in_use(self) -> str:
        current = self.session.current
        return "no message in use: use(msgs[-1])" if current is None else f"in use: {current.id} {current.title}"

    def ended(self) -> str:
        """How a proxy of our own ended, '' when it runs or is none of ours."""
        return self.child.ended(0.5) if self.child is not None else ""

    # -- its life -------------------------------------------------------------------------------------------------

    def _folder(self, stack: ExitStack) -> Path:
        _sweep()
        folder = Path(tempfile.mkdtemp(prefix=f"ksrshell-kernel-{os.getpid()}-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _take(self, child: ChildProxy, stack: ExitStack, what: str) -> None:
        session = connect(child.control)
        stack.callback(session.close)
        self._stack = stack.pop_all()
        self.child = child
        self._use(session, what)

    def _use(self, session: Session, what: str) -> None:
        self.session, self.what = session, what
        self.namespace.attach(session)
        self.completer.forget()
        session.client.on_event += self.listeners
        session.client.subscribe("exception", "reload", "held", "released", "log")
        self.completer.prefetch()

    def close(self) -> None:
        """End what was started, and have no proxy. Idempotent."""
        stack, self._stack = self._stack, ExitStack()
        self.child, self.what = None, ""
        self.session = Session(NoProxy())  # type: ignore[arg-type]
        self.namespace.attach(self.session)
        self.completer.forget()
        stack.close()


def _sweep() -> None:
    """Remove the folders of kernels that were killed: nobody else does."""
    for path in Path(tempfile.gettempdir()).glob("ksrshell-kernel-*-*"):
        found = re.fullmatch(r"ksrshell-kernel-(\d+)-\w+", path.name)
        if found is None or Path(f"/proc/{found[1]}").exists():
            continue
        with suppress(OSError):
            if path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.geteuid():
                shutil.rmtree(path, ignore_errors=True)


def _free_name(stem: str) -> str:
    """The script's name, with a number where another proxy has it: a notebook opened twice works twice."""
    from ksrshell.proxies import folder

    stem = "".join(char if char.isalnum() or char in "_-" else "_" for char in stem) or "notebook"
    taken = {os.path.basename(path) for path in folder().glob("*.sock")}
    return next(
        name
        for name in (stem, *(f"{stem}-{number}" for number in range(2, 10_000)))
        if f"{name}.sock" not in taken
    )  # fmt: skip
