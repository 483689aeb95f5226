"""Captured messages into files, and files of captured messages into the session. Files are this program's user's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import NotFound, UsageError
from .messages import Message, MessageList
from .progress import progress
from .view import View

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ksrcore.capture.captured import Captured

    from .session import Session

#: Messages that cross the channel in one call.
_BATCH = 250
#: What is loaded at most unless told otherwise: as many as the recorder keeps.
_LIMIT = 10_000
_COMMENT = re.compile(r"^message (\d+)(?:, because of (\d+))?")


class SavedCapture(View):
    """What was written: ``path``, ``count`` of messages, ``masked``; ``gone``: those the proxy has no longer."""

    def __init__(self, path: Path, count: int, masked: bool, gone: int) -> None:
        self.path = path
        self.count = count
        self.masked = masked
        self.gone = gone

    def __rich__(self) -> RenderableType:
        from rich.text import Text

        text = f"{self.count} message{'' if self.count == 1 else 's'} saved in {self.path}"
        text += ", users and credentials masked" if self.masked else ""
        return Text(text + (f"; {self.gone} were gone" if self.gone else ""))

    def to_json(self) -> Any:
        return {"path": str(self.path), "count": self.count, "masked": self.masked, "gone": self.gone}


def save(
    session: Session, messages: Iterable[Message], path: str | Path, form: str = "", mask: bool = False
) -> SavedCapture:
    """Write messages to a capture file. Raises :class:`UsageError` for a name or form that is none."""
    from ksrcore.capture.captured import CaptureError
    from ksrcore.capture.writer import save as write

    ids = [message.id for message in messages]
    if not ids:
        raise NotFound("no message to save")
    target = Path(path).expanduser()
    try:
        count = write(target, _fetched(session, ids), form=form, mask=mask)
    except CaptureError as error:
        raise UsageError(str(error)) from None
    return SavedCapture(target, count, mask, len(ids) - count)


def _fetched(session: Session, ids: list[int]) -> Iterator[Captured]:
    from ksrcore.capture.captured import Captured

    with progress("messages saved", len(ids)) as shown:
        for at in range(0, len(ids), _BATCH):
            batch = ids[at : at + _BATCH]
            for each in session.call("ksr.capture.get", {"ids": batch})["messages"]:
                comment = f"message {each['id']}"
                if each["cause"]:
                    comment += f", because of {each['cause']}"
                (src_ip, src_port), (dst_ip, dst_port) = each["src"], each["dst"]
                yield Captured(
                    each["time"],
                    each["proto"],
                    src_ip,
                    src_port,
                    dst_ip,
                    dst_port,
                    each["data"].encode("latin-1"),
                    each["conid"],
                    each["out"],
                    "\n".join([comment, *each["ran"]]),
                )
            shown.step(len(batch))


class Loaded(MessageList):
    """The messages of a file, now in the capture, as a list. ``summary``: what was read, ``proxy``: whose messages;
    ``stopped``: the limit left some in the file."""

    def __init__(self, messages: list[Message], summary: str, proxy: str, stopped: bool) -> None:
        super().__init__(messages)
        self.summary = summary
        self.proxy = proxy
        self.stopped = stopped

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        from .render.console import flat

        lines = [flat(self.summary), f"proxy {self.proxy}"]
        if self:
            lines.append(f"loaded as messages {self[0].id} to {self[-1].id}: use(msgs[{self[0].id}])")
        if self.stopped:
            lines.append(f"only the first {len(self)} were loaded: load(..., limit=N, where=...) takes others")
        return Group(*map(Text, lines))

    def to_json(self) -> Any:
        return {
            "summary": self.summary,
            "proxy": self.proxy,
            "stopped": self.stopped,
            "ids": [message.id for message in self],
        }


def load(session: Session, path: str | Path, limit: int = _LIMIT, proxy: str | Iterable[str] = ()) -> Loaded:
    """Put the messages of a capture file among the captured ones. Raises :class:`UsageError` for what is none."""
    from ksrcore.capture.captured import CaptureError
    from ksrcore.capture.parties import Parties
    from ksrcore.capture.reader import CaptureFile
    from ksrcore.net.address import AddressError, parse_listen

    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise UsageError(f"limit is a number of messages, 1 or more, got {limit!r}")
    source = Path(path).expanduser()
    try:
        listens = [parse_listen(text) for text in ([proxy] if isinstance(proxy, str) else proxy)]
        parties = Parties([(listen.host, listen.port) for listen in listens])
        file = CaptureFile(source)
        # Only what is loaded is held, and the recorder bounds that.
        messages = list(islice(file, limit + 1))
    except (CaptureError, AddressError) as error:
        raise UsageError(str(error)) from None
    stopped = len(messages) > limit
    del messages[limit:]
    for message in messages:
        parties.count(message)
    added = [(each, direction) for each in messages if (direction := parties.direction(each)) is not None]
    if not added:
        raise NotFound(f"{source.name}: no message comes from or goes to {parties.text}")
    ids = _added(session, added, source.name)
    kept = {message.id: message for message in session.msgs[ids[0] : ids[-1] + 1]}
    return Loaded([kept[id] for id in ids if id in kept], file.summary(), parties.text, stopped)


def _added(session: Session, messages: list[tuple[Captured, bool]], origin: str) -> list[int]:
    ids: list[int] = []
    known: dict[int, int] = {}
    with progress("messages loaded", len(messages)) as shown:
        for at in range(0, len(messages), _BATCH):
            batch = []
            places: dict[int, int] = {}
            for place, (message, out) in enumerate(messages[at : at + _BATCH]):
                given: dict[str, Any] = {
                    "time": message.time,
                    "proto": message.proto if message.proto != "sctp" else "udp",
                    "src": [message.src_ip, message.src_port],
                    "dst": [message.dst_ip, message.dst_port],
                    "data": message.data.decode("latin-1"),
                    "conid": message.conid,
                    "out": out,
                }
                if found := _COMMENT.match(message.comment):
                    # A capture of ours: ids are new ones, what belongs together stays so.
                    old, cause = int(found.group(1)), int(found.group(2) or 0)
                    if cause in places:
                        given["cause"] = places[cause] - place
                    elif cause in known:
                        given["cause"] = known[cause]
                    places[old] = place
                batch.append(given)
            new = session.call("ksr.capture.add", {"messages": batch, "origin": origin})["ids"]
            known |= {old: new[place] for old, place in places.items()}
            ids += new
            shown.step(len(batch))
    return ids
