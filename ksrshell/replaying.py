"""``replay("x.pcap")`` at the prompt: the script's file on a capture, in this program."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import NotFound, UsageError
from .progress import progress
from .view import View

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ksrcore.replay.result import Result, Summary

    from .session import Session


class Replay(View):
    """What a script did with a capture. ``results``: one a message, with ``number title outcome sent raised
    differences seconds``; ``raised`` and ``differing``: those of them."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary

    @property
    def results(self) -> list[Result]:
        return self.summary.results

    @property
    def raised(self) -> list[Result]:
        return self.summary.raised

    @property
    def differing(self) -> list[Result]:
        return self.summary.differing

    def __len__(self) -> int:
        return len(self.results)

    def __rich__(self) -> RenderableType:
        from .render.replay import replay_view

        return replay_view(self.summary, len(self) <= 30)

    def to_json(self) -> Any:
        return self.summary.to_json()


def replay(
    session: Session,
    capture: str | Path,
    *,
    script: str | Path = "",
    listens: Iterable[str] = (),
    aliases: Iterable[str] = (),
    modparams: Iterable[str] = (),
    db: str = "",
    where: str = "",
    limit: int = 0,
) -> Replay:
    """Play the capture to ``script``, by default that of the session's proxy, as it is in its file.

    ``aliases``: those of the session's proxy beside. An interrupt ends it with what there is. Raises
    :class:`UsageError` for what cannot be used.
    """
    from ksrcore.capture.captured import CaptureError
    from ksrcore.capture.where import WhereError
    from ksrcore.kemi.declare import ParamError
    from ksrcore.net.address import AddressError, parse_listen
    from ksrcore.replay.player import Player
    from ksrcore.replay.run import replay as run
    from ksrcore.script.engine import ScriptError
    from ksrcore.store.database import Database
    from ksrcore.store.errors import DatabaseError

    path = str(script or session.hello.get("script") or "")
    if not path:
        raise NotFound("this proxy runs no script: name one, replay(capture, script=...)")
    players: list[Player] = []
    database = None
    try:
        database = Database.open(db) if db else None
        with progress("messages replayed") as shown, _quiet():

            def step(done: int, of: int) -> None:
                shown.total = of
                shown.step(done - shown.done)

            summary = run(
                Path(capture).expanduser(),
                path,
                listens=[parse_listen(text) for text in listens],
                aliases=[*session.hello.get("aliases", ()), *aliases],
                modparams=modparams,
                db=database,
                where=where,
                limit=limit,
                progress=step,
                player_made=players.append,
            )
    except (CaptureError, WhereError, ParamError, AddressError, ScriptError, DatabaseError) as error:
        raise UsageError(str(error)) from None
    finally:
        if database is not None:
            database.close()
    return Replay(summary)


@contextmanager
def _quiet() -> Iterator[None]:
    """What scripts log is not for the prompt; what they raise is in the results."""
    log = logging.getLogger("ksrcore")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)
