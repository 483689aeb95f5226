"""The interactive shell: IPython's terminal shell with our names, prompt, toolbar, completion and errors."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from IPython.terminal.interactiveshell import TerminalInteractiveShell
from IPython.terminal.prompts import Prompts
from IPython.terminal.ptutils import IPythonPTCompleter
from prompt_toolkit.completion import CompleteEvent, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import PygmentsTokens, StyleAndTextTuples
from pygments.token import Token, _TokenType
from rich.text import Text
from traitlets.config import Config

from . import debugger, magics
from .complete import Completer
from .errors import KsrShellError
from .holds import HoldNews
from .ksr import Function, Ksr, Module
from .messages import Message
from .namespace import Command, Namespace
from .news import News
from .progress import make_room
from .render.console import clean, coloured, flat, plain
from .render.tables import since
from .runner import user_line
from .session import Session
from .view import View

if TYPE_CHECKING:
    from .fleet import Fleet

#: Seconds between two looks at the proxy's figures for the toolbar.
REFRESH = 1.0

_HERE = str(Path(__file__).parent) + os.sep


class Toolbar:
    """The proxy's figures at the bottom. A thread of its own asks for them, so that typing never waits."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.values: dict[str, Any] = {}
        self.lost = False
        #: What to show instead while it says something: the signature of the KSR call being typed.
        self.hint: Callable[[], str] = str
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ksrshell-toolbar", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    @property
    def connected(self) -> bool:
        return any(each.client.connected for each in self.session.members())

    def _run(self) -> None:
        while True:
            if self.connected:  # the client's reader reconnects, not this thread
                try:
                    self.values = self.session.figures(2.0)
                    self.lost = False
                except KsrShellError:
                    self.lost = True
            else:
                self.lost = True
            if self._stop.wait(REFRESH):
                return

    def __call__(self) -> StyleAndTextTuples:
        name = flat(self.session.name)
        hint = self.hint()
        if hint:
            return [("", f" {flat(hint)}")]
        if self.lost:
            if self.connected:
                return [("bold", f" {name}: no answer "), ("", " it is busy or stopped")]
            return [("bold", f" {name}: lost "), ("", " trying to reconnect ...")]
        values = self.values
        if not values:
            return [("bold", f" {name} ")]
        parts: StyleAndTextTuples = [("bold", f" {name} ")]
        held = values.get("held") or 0
        if held:  # first: in a narrow terminal the end is cut off
            parts.append(("bold", f" {held} held "))
        parts.append(("", f" {float(values.get('messages_per_s') or 0):.1f} messages/s "))
        parts.append(("", f" {values.get('transactions', 0)} transactions "))
        gone = f" ({values['gone']} gone)" if values.get("gone") else ""
        parts.append(("", f" {values.get('captured', 0)} captured{gone} "))
        return parts


class KsrPrompts(Prompts):
    """``demo [12 INVITE] In [3]:``"""

    shell: KsrShell

    def in_prompt_tokens(self) -> list[tuple[_TokenType, str]]:
        session = self.shell.session
        tokens: list[tuple[_TokenType, str]] = [
            (Token.Prompt.Mode, cast(Any, self).vi_mode()),
            (Token.Prompt, flat(session.name)[:16]),
        ]
        if isinstance(session.current, Message):
            what = session.current.method if session.current.is_request else str(session.current.status or "?")
            tokens.append((Token.OutPrompt, f" [{session.current.id} {flat(what)[:12]}]"))
        tokens += [
            (Token.Prompt, " In ["),
            (Token.PromptNum, str(self.shell.execution_count)),
            (Token.Prompt, "]: "),
        ]
        return tokens


class KsrCompleter(IPythonPTCompleter):
    """Ours where it has something to say, IPython's everywhere else."""

    def __init__(self, shell: KsrShell) -> None:
        cast(Any, super()).__init__(shell=shell)
        self._ours = shell.ours

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        found = self._ours.candidates(document.text_before_cursor)
        if found is None:
            yield from cast(Any, super()).get_completions(document, complete_event)
            return
        for each in found:
            yield Completion(
                each.text, start_position=-each.length, display=each.display or each.text, display_meta=flat(each.meta)
            )


class KsrShell(TerminalInteractiveShell):
    """IPython's terminal shell on one proxy. Made by :func:`make_shell`."""

    session: Session
    namespace: Namespace
    ours: Completer
    toolbar: Toolbar

    def _extra_prompt_options(self) -> dict[str, Any]:
        options: dict[str, Any] = cast(Any, super())._extra_prompt_options()
        options["bottom_toolbar"] = self.toolbar
        # Asked again at every refresh: the message in use ends with the proxy's process.
        options["message"] = lambda: PygmentsTokens(cast(Any, self).prompts.in_prompt_tokens())
        options["refresh_interval"] = REFRESH
        return options

    def init_user_ns(self) -> None:
        """At the start, and after ``%reset`` has taken all names out: ours are there."""
        cast(Any, super()).init_user_ns()
        self.namespace.restore()

    def _inspect(self, meth: str, oname: str, namespaces: Any = None, **kw: Any) -> Any:
        """``name?``: ours explain themselves without the noise of a Python object's type and file."""
        info = self._object_find(oname, namespaces)
        if info.found and isinstance(info.obj, View):
            ours = isinstance(info.obj, Command | Function | Module | Ksr)
            self.say(info.obj if ours else Text(inspect.getdoc(type(info.obj)) or ""))
            return None
        return super()._inspect(meth, oname, namespaces, **kw)

    def _object_find(self, oname: str, namespaces: Any = None) -> Any:
        found = super()._object_find(oname, namespaces)
        if not found.found and oname.startswith("KSR."):
            # Unknown names raise our error, with the nearest ones, instead of IPython's "not found".
            value: Any = self.session.lead.KSR
            for part in oname.split(".")[1:]:
                value = getattr(value, part)
        return found

    def check_complete(self, code: str) -> tuple[str, str]:
        """IPython indents nothing below a cell magic; below ``%%swap`` and ``%%try`` there is Python."""
        status, indent = super().check_complete(code)
        first, newline, body = code.partition("\n")
        if status == "incomplete" and newline and first.split()[:1] in (["%%swap"], ["%%try"]):
            indent = super().check_complete(body)[1]
        return status, indent

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        """A user's mistake in one line, also when a value cannot be shown; an interrupt while we waited for the proxy
        too. IPython shows everything else.
        """
        _, error, tb = exc_tuple or sys.exc_info()
        frames = traceback.extract_tb(tb)
        ours = any(frame.filename.startswith(_HERE) for frame in frames)
        if isinstance(error, KeyboardInterrupt) and ours:
            self.notice("interrupted")
        elif isinstance(error, KsrShellError):
            cells = [frame.filename for frame in frames if "ipython-input" in frame.filename]
            self.notice(f"{error}{user_line(tb, cells[-1]) if cells else ''}", "red", wrap=sys.stdout.isatty())
            script = getattr(error, "traceback", "")
            if script:
                self.notice(script.rstrip("\n"), "bright_black")
        else:
            cast(Any, super()).showtraceback(exc_tuple, *args, **kwargs)

    def say(self, what: Any, *, wrap: bool = True) -> None:
        """Print a renderable, in colour where the terminal has them."""
        sys.stdout.write((coloured if sys.stdout.isatty() else plain)(what, wrap=wrap) + "\n")

    def notice(self, text: str, style: str = "yellow", *, wrap: bool = False) -> None:
        """A line that did not come from the user's input: above the prompt when there is one. ``wrap``: between words,
        else the terminal breaks it."""
        if debugger.tell is not None:
            debugger.tell(text)
            return
        make_room()
        self.say(Text("\n".join(map(clean, text.split("\n"))), style, overflow="ignore"), wrap=wrap)


def make_shell(namespace: Namespace, folder: Path, *, user_config: bool = True) -> KsrShell:
    """The shell over the session of ``namespace``; history and IPython's own files go to ``folder``.

    ``user_config``: the user's own IPython configuration (colours, vi keys ...) counts too.
    """
    config = Config()
    if user_config:
        from IPython.terminal.ipapp import load_default_config

        config = cast(Any, load_default_config)()
    config.HistoryManager.hist_file = str(folder / "history.sqlite")
    config.Completer.use_jedi = False  # it knows nothing of KSR, and guesses slowly
    config.TerminalInteractiveShell.simple_prompt = False  # IPython falls back to it when stderr is a file
    config.TerminalInteractiveShell.term_title = False
    config.TerminalInteractiveShell.confirm_exit = False
    session = namespace.session
    shell_class = cast(Any, KsrShell)
    # The prompt is built inside IPython's constructor and asks for these.
    shell_class.session, shell_class.namespace = session, namespace
    shell_class.ours, shell_class.toolbar = Completer(namespace), Toolbar(session)
    shell = cast(
        KsrShell,
        shell_class.instance(
            config=config, user_ns=namespace, ipython_dir=str(folder / "ipython"), banner1="", banner2=""
        ),
    )
    shell.prompts = cast(Any, KsrPrompts)(shell)
    if shell.pt_app is not None:
        shell.pt_app.completer = KsrCompleter(shell)
        buffer = shell.pt_app.default_buffer
        shell.toolbar.hint = lambda: shell.ours.signature(buffer.document.text_before_cursor)
    for name, function in magics.LINE.items():
        theirs = cast(Any, shell).find_line_magic(name)
        cast(Any, shell).register_magic_function(_magic(namespace, function, name, theirs), "line", name)
    for name, function in magics.CELL.items():
        cast(Any, shell).register_magic_function(_magic(namespace, function, name), "cell", name)
    formatter: Any = cast(Any, shell).display_formatter.formatters["text/plain"]
    formatter.for_type(View, _pretty)
    # HTML is for notebooks: making it here would cost and show nothing.
    cast(Any, shell).display_formatter.mimebundle_formatter.for_type(View, _no_html)
    return shell


def _magic(namespace: Namespace, function: magics.Magic, name: str, theirs: Any = None) -> Callable[..., Any]:
    """``theirs``: IPython's own magic of that name, which runs where the arguments are for it."""

    def run(line: str, cell: str | None = None) -> Any:
        if theirs is not None and not magics.ours(namespace, name, line):
            return theirs(line)
        return function(namespace, line, cell)

    run.__name__ = function.__name__
    run.__doc__ = function.__doc__
    return run


def _no_html(view: View) -> None:
    """The terminal has no use for it."""


def _pretty(view: View, printer: Any, cycle: bool) -> None:
    """A value at the prompt: rendered at the terminal's width, in its colours."""
    text = (coloured if sys.stdout.isatty() else plain)(view)
    # As one text without width: IPython's printer would break lines by counting escape sequences.
    printer.text(text)


def banner(session: Session) -> Text:
    """Name, version, script, addresses, uptime; then three lines that say what to try first."""
    hello = session.hello
    out = Text()
    kamailio = hello.get("engine") == "kamailio"
    name, version = clean(session.name), hello.get("version", "")
    out.append(f"ksrshell on {name}, Kamailio {version}" if kamailio else f"ksrshell {version} on {name}", "bold")
    script = clean(str(hello.get("script") or "no script"))
    if len(out) + len(script) > 76:
        script = os.path.basename(script)
    out.append(f"  {script}\n")
    listens = ", ".join(map(str, hello.get("listens") or [])) or "nothing"
    out.append(f"listening on {listens}, up {since(float(hello.get('started') or time.time()))}\n", "bright_black")
    message = _example(session)
    lines: tuple[tuple[str, str], ...] = (
        ("msgs", "what went through; flow(msgs[-1]) draws a call"),
        (f"use({message})", 'then KSR.pv.get("$ru"), KSR.sl.<TAB>; effects()'),
        (f"s = step({message})", "then s.next(), s.next_call(); %ksrhelp: the rest"),
    )
    if kamailio:
        lines = (
            ("msgs", "what goes through from now on; routes; stats"),
            ('hold("ksr_route_relay")', "one waits in its worker; held[0].step()"),
            ('step(msgs[-1], engine="embedded")', "on a core beside it; %ksrhelp: the rest"),
        )
    wide = max(19, *(len(code) for code, _ in lines))
    for code, text in lines:
        out.append(f"  {code:<{wide}}", "cyan")
        out.append(f" {text}\n")
    out.rstrip()
    return out


def fleet_banner(fleet: Fleet) -> Text:
    """The nodes, and three lines that say what is different with several."""
    out = Text(f"ksrshell on {len(fleet)} nodes\n", "bold")
    for name in fleet:
        hello = fleet[name].hello
        script = os.path.basename(str(hello.get("script") or "")) or "no script"
        version = hello.get("version", "") if hello.get("engine") == "kamailio" else ""
        engine = " ".join(str(part) for part in (hello.get("engine"), version) if part)
        out.append(f"  {clean(name)}", "bold")
        out.append(f"  {clean(engine)}  {clean(script)}\n")
    first = clean(next(iter(fleet)))
    for code, text in (
        ('rpc("core.uptime")', "every call is made on all nodes; nodes shows them"),
        (f'nodes["{first}"].msgs[-1]', "one of them"),
        (f'swap(f, canary="{first}")', "one first, the others when it did well"),
    ):
        out.append(f"  {code:<26}", "cyan")
        out.append(f" {text}\n")
    out.rstrip()
    return out


def _example(session: Session) -> str:
    """A message worth trying things on: the newest INVITE that came in, by its id; most of the others are replies."""
    with suppress(KsrShellError):
        found = session.msgs.where('is_request and not out and method == "INVITE"')[-1:]
        if found:
            return str(found[0].id)
    return "msgs[-1]"


def start(session: Session, *, ended: Callable[[], str] | None = None) -> int:
    """Run the shell until the user leaves it, or the proxy ``ended`` for good. Returns the exit code.

    ``ended()`` says how a proxy of our own ended, '' while it runs; None: it may come back, we wait for it.
    """
    shell = make_shell(Namespace(session), _state_folder())
    how = ""

    def lost(text: str) -> bool:
        nonlocal how
        how = ended() if ended is not None else ""
        if how:
            session.client.persistent = False
            shell.notice(how, "red")
            # The way of SIGTERM: at once, whatever the prompt waits for.
            signal.pthread_kill(cast(int, threading.main_thread().ident), signal.SIGTERM)
        return bool(how)

    follow(shell, session, lost)
    code = _run(shell, banner(session))
    return 1 if how else code


def start_fleet(fleet: Fleet) -> int:
    """Run the shell on several proxies until the user leaves it. Returns the exit code."""
    from .fleet.names import FleetNamespace

    shell = make_shell(FleetNamespace(fleet), _state_folder())
    for name in fleet:
        follow(shell, fleet[name], lambda text: False, f"{name}: ")
    return _run(shell, fleet_banner(fleet))


def follow(shell: KsrShell, session: Session, ended: Callable[[str], bool], prefix: str = "") -> None:
    """Tell the user what happens at a proxy while the prompt waits. ``ended(text)``: asked when the connection is lost;
    True when the user knows already."""

    def notice(text: str, style: str = "yellow") -> None:
        shell.notice(prefix + text, style)

    def lost(text: str) -> None:
        shell.toolbar.lost = not shell.toolbar.connected
        if not ended(text):
            notice(f"{text}; trying to reconnect", "red")

    def back(text: str, same: bool) -> None:
        shell.toolbar.lost = False
        if not same:
            session.forget()
        notice(text, "green")

    client = session.client
    client.on_event += [News(notice), HoldNews(notice, bool(prefix))]
    with suppress(KsrShellError):
        client.subscribe("exception", "reload", "held", "released", "log")
    client.on_lost, client.on_back = lost, back


def _run(shell: KsrShell, greeting: Text) -> int:
    shell.say(greeting)
    shell.toolbar.start()
    threading.Thread(target=shell.ours.prefetch, name="ksrshell-prefetch", daemon=True).start()
    try:
        with _orderly_end():
            cast(Any, shell).mainloop()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 1
    finally:
        for each in shell.session.members():
            each.client.on_lost = each.client.on_back = None
        shell.toolbar.stop()
    return 0


def start_offline(session: Session, names: dict[str, Any], stepping: Any, what: Any) -> int:
    """Run the shell without a proxy: ``names`` are there, ``what`` is shown first. Returns the exit code."""
    shell = make_shell(Namespace(session), _state_folder())
    shell.namespace.add(names, stepping)
    shell.say(what)
    try:
        with _orderly_end():
            cast(Any, shell).mainloop()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 1
    return 0


@contextmanager
def _orderly_end() -> Iterator[None]:
    """A closed terminal (SIGHUP) and SIGTERM end the shell by SystemExit: a demo's proxy and folder go with it."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGHUP, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _state_folder() -> Path:
    """Where the history lasts; a folder for this run alone when the state folder cannot be made."""
    import atexit
    import shutil
    import tempfile

    from ksrcore.state import StateError, state_dir

    try:
        return state_dir()
    except StateError as error:
        sys.stderr.write(f"the history of this session will not be kept: {error}\n")
        folder = Path(tempfile.mkdtemp(prefix="ksrshell-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder


__all__ = ["KsrShell", "banner", "make_shell", "start"]
