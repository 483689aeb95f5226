"""``ksrshell serve``: the proxy alone, in the foreground; and what ``run`` and ``demo`` share with it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import click

_OPTIONS: list[Callable[[Any], Any]] = [
    click.option(
        "--listen",
        "listens",
        multiple=True,
        metavar="PROTO:HOST:PORT",
        help="Where to receive SIP; repeatable. Default: udp:127.0.0.1:5060 and tcp:127.0.0.1:5060.",
    ),
    click.option("--alias", "aliases", multiple=True, metavar="DOMAIN", help="A domain of this proxy's; repeatable."),
    click.option(
        "--modparam",
        "modparams",
        multiple=True,
        metavar="MODULE:NAME=VALUE",
        help="A module parameter by Kamailio's names; repeatable.",
    ),
    click.option(
        "--db", metavar="URL", default="", help="Database, such as sqlite:///file.db. Default: in the state folder."
    ),
    click.option("--name", default="", help="The name for attach and ps. Default: the script's."),
    click.option("--control", metavar="PATH", default="", help="The control socket. Default: in the runtime folder."),
    click.option("--reload", "follow", is_flag=True, help="Swap in what changes in SCRIPT when it is saved."),
    click.option(
        "--hep",
        "heps",
        multiple=True,
        metavar="udp:HOST:PORT",
        help="Receive HEP, as Kamailio's siptrace sends it, into the capture; repeatable.",
    ),
    click.option(
        "--hep-send",
        metavar="udp:HOST:PORT",
        default="",
        help="Mirror what is received and sent as HEP3, for Homer or sngrep.",
    ),
    click.option(
        "--rpc-socket",
        metavar="PATH",
        default="",
        help="Answer RPC commands on this Unix datagram socket, as Kamailio's jsonrpcs does (kamcli).",
    ),
    click.option(
        "--rpc-fifo", metavar="PATH", default="", help="Answer RPC commands from this fifo, as jsonrpcs does (kamctl)."
    ),
    click.option(
        "-A",
        "--define",
        "defines",
        multiple=True,
        metavar="NAME[=VALUE]",
        help="As Kamailio's -A: what a kamailio.cfg, or KSR.kx.get_def, finds defined; repeatable.",
    ),
    click.option(
        "--debug",
        "level",
        type=click.IntRange(-3, 4),
        default=2,
        show_default=True,
        help="Kamailio's log level: -1 errors, 0 warnings, 1 notices, 2 info, 3 debug.",
    ),
]


def serve_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that serve and run take."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("script", type=click.Path())
@serve_options
@click.option("--while-stdin", is_flag=True, hidden=True, help="End when standard input ends.")
def serve(
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
    while_stdin: bool,
) -> None:
    """Run SCRIPT as a SIP proxy in the foreground: a KEMI script in Python, or a kamailio.cfg that loads one.

    Prints "ready NAME CONTROL-PATH" once it answers, logs to standard error, ends on SIGTERM or Ctrl-C.

    \b
    Examples:
      ksrshell serve routes.py --listen udp:10.0.0.1:5060 --alias example.com
      ksrshell serve routes.py --modparam tm:fr_timer=10000 --debug 3
      ksrshell serve /etc/kamailio/kamailio.cfg -A WITH_AUTH --db sqlite:///kamailio.db
    """
    from ksrcore.logs import log_to_stderr
    from ksrcore.server import Options, ServeError
    from ksrcore.server import serve as run_proxy

    log_to_stderr(python_level(level))
    options = Options(
        script=script, aliases=list(aliases), modparams=list(modparams), db=db, name=name, control=control
    )
    options.listens = list(listens)
    options.defines = list(defines)
    for param, path in (("dgram_socket", rpc_socket), ("fifo_name", rpc_fifo)):
        if path:
            # As a shell completes them: from here.
            options.modparams.append(f"jsonrpcs:{param}={os.path.abspath(path)}")
    if rpc_socket or rpc_fifo:
        options.modparams.append("jsonrpcs:transport=0")
    options.ready = _ready
    options.while_stdin = while_stdin
    options.reload = follow
    options.heps = list(heps)
    options.hep_send = hep_send
    try:
        run_proxy(options)
    except ServeError as error:
        raise click.ClickException(str(error)) from None


def python_level(level: int) -> int:
    """Kamailio's log level as Python's logging has it."""
    if level <= -1:
        return logging.ERROR
    # 25 is NOTICE, which Python has not.
    return {0: logging.WARNING, 1: 25, 2: logging.INFO}.get(level, logging.DEBUG)


def _ready(name: str, path: str) -> None:
    click.echo(f"ready {name} {path}")
    sys.stdout.flush()
