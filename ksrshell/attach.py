"""``ksrshell attach``: the shell on a running proxy, or code run on it."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from .errors import KsrShellError


@click.command()
@click.argument("proxies", metavar="[NAME|PATH|@FILE]...", nargs=-1)
@click.option("-c", "code", metavar="CODE", help="Run CODE (statements, the last expression is shown) and exit.")
@click.option("--json", "as_json", is_flag=True, help="With -c: the last expression's value as JSON.")
def attach(proxies: tuple[str, ...], code: str | None, as_json: bool) -> None:
    """The shell on a running proxy: by NAME, by its control socket's PATH, or the only one that runs.

    With several, or @FILE with a name or path on each line, every call is made on all of them and gives results by
    node.

    \b
    Examples:
      ksrshell attach
      ksrshell attach demo -c 'msgs.where("is_request")[-1].raw'
      ksrshell attach node1 node2 -c 'rpc("core.uptime")'
      ksrshell attach @nodes.txt
      ksrshell attach --json -c '[m.callid for m in msgs.where("status >= 400")]'
    """
    if len(proxies) > 1 or proxies and proxies[0].startswith("@"):
        sys.exit(open_fleet(proxies, code, as_json))
    sys.exit(open_shell(proxies[0] if proxies else None, code, as_json))


def open_shell(
    proxy: str | None, code: str | None = None, as_json: bool = False, *, ended: Callable[[], str] | None = None
) -> int:
    """Attach and run ``code``, or the shell when there is none. Returns the exit code.

    ``ended``: asked when the connection is lost, how a proxy of our own ended ('' when it still runs); the shell ends
    with it.

    Raises :class:`click.ClickException` when there is no proxy to attach to or no terminal for the shell.
    """
    from .session import connect

    check_terminal(code, as_json)
    try:
        session = connect(proxy, persistent=code is None)
    except KsrShellError as error:
        raise click.ClickException(str(error)) from None
    with session:
        if code is not None:
            from .namespace import Namespace
            from .runner import run

            return run(Namespace(session), code, as_json=as_json)
        from .shell import start

        return start(session, ended=ended)


def open_fleet(names: tuple[str, ...], code: str | None, as_json: bool) -> int:
    """Attach to all of them and run ``code``, or the shell. Returns the exit code."""
    from .fleet import connect_all
    from .fleet.names import FleetNamespace

    check_terminal(code, as_json)
    try:
        fleet = connect_all(names, persistent=code is None)
    except KsrShellError as error:
        raise click.ClickException(str(error)) from None
    with fleet:
        if code is not None:
            from .runner import run

            return run(FleetNamespace(fleet), code, as_json=as_json)
        from .shell import start_fleet

        return start_fleet(fleet)


def check_terminal(code: str | None, as_json: bool) -> None:
    """Raises :class:`click.ClickException` when there is neither code nor a terminal for the shell."""
    if as_json and code is None:
        raise click.UsageError("--json needs -c CODE")
    if code is None and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.ClickException("the shell needs a terminal; without one, use -c CODE")
