"""``ksrshell run``: serve and attach in one terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .child import ChildProxy, end_on_signals
from .errors import KsrShellError
from .serve import serve_options


@click.command()
@click.argument("script", type=click.Path())
@serve_options
@click.option("-c", "code", metavar="CODE", help="Run CODE as at the prompt instead of the shell, and end.")
@click.option("--json", "as_json", is_flag=True, help="With -c: the last expression's value as JSON.")
def run(
    script: str,
    listens: tuple[str, ...],
    aliases: tuple[str, ...],
    modparams: tuple[str, ...],
    db: str,
    name: str,
    control: str,
    follow: bool,
    heps: tuple[str, ...],
    hep_send: str,
    rpc_socket: str,
    rpc_fifo: str,
    defines: tuple[str, ...],
    level: int,
    code: str | None,
    as_json: bool,
) -> None:
    """Run SCRIPT (a KEMI script or a kamailio.cfg) as a SIP proxy and open the shell on it, which ends it.

    The proxy's log goes to NAME.log in the state folder.

    \b
    Examples:
      ksrshell run routes.py --alias example.com
      ksrshell run routes.py -c 'len(routes)'
    """
    from ksrcore.state import StateError, state_dir

    from .attach import check_terminal, open_shell

    check_terminal(code, as_json)
    end_on_signals()
    arguments = [script, "--debug", str(level)]
    for option, values in (
        ("--listen", listens), ("--alias", aliases), ("--modparam", modparams), ("--hep", heps), ("--define", defines),
    ):  # fmt: skip
        for value in values:
            arguments += [option, value]
    if follow:
        arguments.append("--reload")
    for option, value in (
        ("--db", db),
        ("--name", name),
        ("--control", control),
        ("--hep-send", hep_send),
        ("--rpc-socket", rpc_socket),
        ("--rpc-fifo", rpc_fifo),
    ):
        if value:
            arguments += [option, value]
    try:
        # The proxy itself refuses a name that is no word.
        log = state_dir() / f"{(name or Path(script).stem).replace('/', '_') or 'proxy'}.log"
        with ChildProxy(arguments, log) as proxy:
            status = open_shell(proxy.control, code=code, as_json=as_json, ended=proxy.ended)
    except (KsrShellError, StateError) as error:
        raise click.ClickException(str(error)) from None
    sys.exit(status)
