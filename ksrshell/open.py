"""``ksrshell open``: the shell on a recording, without a proxy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from .errors import KsrShellError, UsageError

if TYPE_CHECKING:
    from .session import Session


@click.command("open")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-c", "code", metavar="CODE", help="Run CODE (statements, the last expression is shown) and exit.")
@click.option("--json", "as_json", is_flag=True, help="With -c: the last expression's value as JSON.")
def open_(file: Path, code: str | None, as_json: bool) -> None:
    """The shell on a recorded run, FILE.ksr, which is t there: t.next(), t.back(), t.when("$du"), t.show().

    No proxy is needed, and nothing of the recorded script is run.
    """
    from .attach import check_terminal

    check_terminal(code, as_json)
    session = offline(file.name)
    try:
        from .trace import open_trace

        trace = open_trace(file, session)
    except KsrShellError as error:
        raise click.ClickException(str(error)) from None
    names = {"t": trace}
    if code is not None:
        from .namespace import Namespace
        from .runner import run

        namespace = Namespace(session)
        namespace.add(names, trace.replay)
        sys.exit(run(namespace, code, as_json=as_json))
    from .shell import start_offline

    sys.exit(start_offline(session, names, trace.replay, trace))


class OfflineClient:
    """Stands where the connection to a proxy would be, and says that there is none."""

    connected = True
    process = 0
    persistent = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.hello: dict[str, Any] = {"name": name}
        self.on_event: list[Callable[[dict[str, Any]], None]] = []
        self.on_lost: Any = None
        self.on_back: Any = None

    def call(self, method: str, params: Any = None, *, timeout: float | None = None) -> Any:
        if method == "ksr.stats":
            return {}  # the toolbar asks
        if method in ("ksr.api", "ksr.pvs", "ksr.routes", "system.listMethods"):
            return []  # completion asks
        raise UsageError("this needs a proxy, and what is open is a recording: only t is there (%ksrhelp t)")

    def subscribe(self, *events: str) -> None:
        """Nothing will happen."""

    def close(self) -> None:
        """Nothing is open."""


def offline(name: str) -> Session:
    """A session without a proxy: what needs one says so."""
    from .session import Session

    return Session(cast(Any, OfflineClient(name)))
