"""``ksrshell replay``: a script on the messages of a capture, without sockets."""

from __future__ import annotations

import gc
import json
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ksrcore.replay.player import Player
    from ksrcore.replay.result import Summary


@click.command()
@click.argument("capture", type=click.Path(path_type=Path))
@click.argument("script", type=click.Path())
@click.option(
    "--listen",
    "listens",
    multiple=True,
    metavar="PROTO:HOST:PORT",
    help="An address of the captured proxy; repeatable. Default: guessed from the capture.",
)
@click.option("--alias", "aliases", multiple=True, metavar="DOMAIN", help="A domain of the proxy's; repeatable.")
@click.option(
    "--modparam",
    "modparams",
    multiple=True,
    metavar="MODULE:NAME=VALUE",
    help="A module parameter by Kamailio's names; repeatable.",
)
@click.option(
    "--db", metavar="URL", default="", help="Database, such as sqlite:///file.db: read, never written. Default: empty."
)
@click.option("--where", metavar="EXPR", default="", help="Only calls of which a message matches; as msgs.where().")
@click.option("--limit", metavar="N", type=click.IntRange(1), help="Read only the first N messages of the capture.")
@click.option("--json", "as_json", is_flag=True, help="The outcome of each message as JSON.")
@click.option("--junit", metavar="FILE", type=click.Path(path_type=Path), help="Write JUnit XML, for CI.")
@click.option(
    "--expect",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Compare with FILE, the --json of an earlier replay, in place of the capture.",
)
@click.option("--strict", is_flag=True, help="What differs fails too: exit code 1.")
@click.option("-v", "--verbose", is_flag=True, help="Show every message, not only what raised or differs.")
@click.option(
    "--patience",
    metavar="SECONDS",
    type=click.FloatRange(0.01, 3600),
    default=1.0,
    show_default=True,
    help="A callback that runs longer counts as one that never ends.",
)
@click.option(
    "--debug", "level", type=click.IntRange(-3, 4), help="Log as serve does, at Kamailio's level. Default: no log."
)
def replay(
    capture: Path,
    script: str,
    listens: tuple[str, ...],
    aliases: tuple[str, ...],
    modparams: tuple[str, ...],
    db: str,
    where: str,
    limit: int | None,
    as_json: bool,
    junit: Path | None,
    expect: Path | None,
    strict: bool,
    verbose: bool,
    patience: float,
    level: int | None,
) -> None:
    """Run SCRIPT on the messages of CAPTURE that were sent to the proxy, and tell what it does with each.

    CAPTURE is pcap or pcapng (also gzipped), HEP3, or a text dump of SIPp, Kamailio's sipdump, sngrep or ngrep. The
    proxy runs without sockets on the capture's clock; nothing is sent and nothing written to a database. Where the
    capture shows what the real proxy sent, what differs is told.

    Exit code: 0; 1 when a callback raised (with --strict also when something differs); 2 when it cannot be done.

    \b
    Examples:
      ksrshell replay friday.pcap routes.py --alias example.com --db sqlite:////etc/kamailio/kamailio.db
      ksrshell replay friday.pcap routes.py --where 'fU == "alice"' -v
      ksrshell replay friday.pcap routes.py --strict --junit replay.xml
    """
    _log(level)
    try:
        summary = _replay(
            capture, script, listens, aliases, modparams, db, where, limit or 0, patience, progress=not as_json
        )
        if expect is not None:
            from ksrcore.replay.run import expect as compare

            compare(summary, expect)
        if junit is not None:
            from ksrcore.replay.junit import write_junit

            write_junit(junit, summary, strict)
    except OSError as error:
        raise _Unusable(f"cannot write {error.filename}: {error.strerror}") from None
    except _user_errors() as error:
        raise _Unusable(str(error)) from None
    if as_json:
        click.echo(json.dumps(summary.to_json(), indent=1))
    else:
        from .render.replay import show

        show(summary, verbose)
    sys.exit(130 if summary.interrupted else summary.status(strict))


class _Unusable(click.ClickException):
    exit_code = 2


def _user_errors() -> tuple[type[Exception], ...]:
    from ksrcore.capture.captured import CaptureError
    from ksrcore.capture.where import WhereError
    from ksrcore.kemi.declare import ParamError
    from ksrcore.net.address import AddressError
    from ksrcore.script.engine import ScriptError
    from ksrcore.store.errors import DatabaseError

    return CaptureError, WhereError, ParamError, AddressError, ScriptError, DatabaseError


def _log(level: int | None) -> None:
    if level is None:
        # What scripts log at each message would bury the report; it is there with --debug.
        logging.getLogger("ksrcore").setLevel(logging.CRITICAL + 1)
    else:
        from ksrcore.logs import log_to_stderr

        from .serve import python_level

        log_to_stderr(python_level(level))


def _replay(
    capture: Path,
    script: str,
    listens: tuple[str, ...],
    aliases: tuple[str, ...],
    modparams: tuple[str, ...],
    db: str,
    where: str,
    limit: int,
    patience: float,
    progress: bool,
) -> Summary:
    from ksrcore.net.address import parse_listen
    from ksrcore.replay.run import replay as run
    from ksrcore.store.database import Database

    database = Database.open(db) if db else None
    try:
        with _shown(progress) as (step, player_made):
            return run(
                capture,
                script,
                listens=[parse_listen(text) for text in listens],
                aliases=aliases,
                modparams=modparams,
                db=database,
                where=where,
                patience=patience,
                limit=limit,
                progress=step,
                player_made=player_made,
            )
    finally:
        if database is not None:
            database.close()


class _Shown:
    """The progress on a terminal, and Ctrl-C: the first ends the replay after the message at work."""

    def __init__(self) -> None:
        self.player: Player | None = None

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.player is None or self.player.stopped:
            raise KeyboardInterrupt
        self.player.stopped = True

    def player_made(self, player: Player) -> None:
        self.player = player


@contextmanager
def _shown(progress: bool) -> Iterator[tuple[Callable[[int, int], None], Callable[[Player], None]]]:
    from rich.console import Console
    from rich.progress import Progress

    shown = _Shown()
    console = Console(stderr=True)
    before = signal.signal(signal.SIGINT, shown.interrupt)
    # As the server does: the cyclic collector would stop single messages for tenths of a second.
    often = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(500_000, 50, 100)
    try:
        with Progress(console=console, transient=True, disable=not (progress and console.is_terminal)) as bar:
            task = bar.add_task("replaying", total=None)
            yield lambda done, of: bar.update(task, completed=done, total=of), shown.player_made
    finally:
        gc.set_threshold(*often)
        gc.unfreeze()
        signal.signal(signal.SIGINT, before)
