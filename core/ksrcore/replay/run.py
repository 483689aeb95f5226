"""A replay from beginning to end: look at the capture, play it, compare, sum up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from ..capture.captured import CaptureError
from ..capture.parties import Address, Parties
from ..capture.reader import CaptureFile
from ..net.address import Listen, canonical_ip
from ..store.database import Database
from .player import PATIENCE, Player
from .result import Summary
from .survey import survey

__all__ = ["expect", "replay"]


def replay(
    path: str | Path,
    script: str,
    *,
    listens: Iterable[Listen] = (),
    aliases: Iterable[str] = (),
    modparams: Iterable[str] = (),
    db: Database | None = None,
    where: str = "",
    patience: float = PATIENCE,
    limit: int = 0,
    progress: Callable[[int, int], None] | None = None,
    player_made: Callable[[Player], None] | None = None,
) -> Summary:
    """Play the capture at ``path`` to ``script`` and tell what became of each message.

    ``listens``: the captured proxy's addresses, guessed when there are none. ``db`` is read only; without, the script
    sees empty tables. ``limit``: messages that are read, 0 for all. ``progress(done, all)`` is called now and then;
    ``player_made`` gets the player, whose ``stopped`` ends the replay in order, as an interrupt does.

    Raises CaptureError, WhereError, ScriptError, ParamError, AddressError, DatabaseError.
    """
    listens, aliases = list(listens), list(aliases)
    given: list[Address] = [(listen.host, listen.port) for listen in listens]
    hosts = [ip for ip in map(canonical_ip, aliases) if ip and not listens]
    parties = Parties(given, hosts)
    file = CaptureFile(path)
    found = survey(islice(file, limit or None), parties)
    if not parties.addresses:
        raise CaptureError(f"{path}: no message comes from or goes to {', '.join(aliases)}")
    player = Player(
        script, found, listens=listens, aliases=aliases, modparams=modparams, db=db, where=where, patience=patience
    )
    if player_made is not None:
        player_made(player)
    try:
        try:
            for done, message in enumerate(islice(file, limit or None)):
                if player.stopped:
                    break
                if progress is not None and not done % 20:
                    progress(done, found.messages)
                player.play(message)
        except KeyboardInterrupt:
            player.stopped = True
        if progress is not None and not player.stopped:
            progress(found.messages, found.messages)
        player.compare()
        if not player.results and not player.stopped and not where:
            raise CaptureError(
                f"{path}: no message was sent to {parties.text}: name the proxy's address with --listen PROTO:HOST:PORT"
            )
    finally:
        player.close()
    return Summary(
        file.summary(),
        script,
        parties.text,
        not (given or hosts),
        player.results,
        player.unrelated,
        player.left_out,
        player.compared,
        interrupted=player.stopped,
    )


def expect(summary: Summary, path: Path) -> None:
    """Compare with an earlier replay of the capture, as ``--json`` has written it, in place of the capture.

    Raises CaptureError for a file that is none.
    """
    try:
        data: Any = json.loads(path.read_text())
        before = {int(each["number"]): (str(each["message"]), str(each["outcome"])) for each in data["results"]}
    except OSError as error:
        raise CaptureError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise CaptureError(f"{path} holds no outcomes: write them with ksrshell replay --json > FILE") from None
    summary.against = path.name
    summary.compared = True
    for result in summary.results:
        title, outcome = before.pop(result.number, ("", ""))
        if not title:
            result.differences = ["not in it"]
        elif (title, outcome) != (result.title, result.outcome):
            result.differences = [f"was {title}: {outcome}, now {result.title}: {result.outcome}"]
        else:
            result.differences = []
    if before and summary.results:
        summary.results[-1].differences.append(f"{len(before)} more messages are in it")
