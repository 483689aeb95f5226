"""Captured messages: one, a list of some, and all of them as a lazy sequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from .errors import NotFound, UsageError
from .view import View, unwire

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .captures import Loaded, SavedCapture
    from .session import Session

#: Summaries asked for at once while iterating.
PAGE = 250


class Call(View):
    """A KSR call that a run made: ``name`` ("KSR.sl.send_reply"), ``args``, ``result``, ``error`` (text or None)."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.name = str(data.get("name", ""))
        self.args = tuple(unwire(arg) if isinstance(arg, str) else arg for arg in data.get("args") or ())
        result = data.get("result")
        self.result = unwire(result) if isinstance(result, str) else result
        self.error: str | None = data.get("error")
        #: Seconds, where it was measured (in a stepped run); else None.
        self.duration: float | None = data.get("duration")

    def __rich__(self) -> RenderableType:
        from .render.message import call_line

        return call_line(self)

    def to_json(self) -> Any:
        return {"name": self.name, "args": list(self.args), "result": self.result, "error": self.error}


class Calls(View, Sequence[Call]):
    """KSR calls in their order."""

    def __init__(self, calls: Sequence[Mapping[str, Any]]) -> None:
        self._calls = [Call(call) for call in calls]

    @overload
    def __getitem__(self, index: int) -> Call: ...
    @overload
    def __getitem__(self, index: slice) -> list[Call]: ...
    def __getitem__(self, index: int | slice) -> Call | list[Call]:
        return self._calls[index]

    def __len__(self) -> int:
        return len(self._calls)

    def __rich__(self) -> RenderableType:
        from .render.message import call_list

        return call_list(self._calls)

    def to_json(self) -> Any:
        return [call.to_json() for call in self._calls]


class CallbackRun(View):
    """One run of a callback for a message.

    ``callback``, ``route`` (Kamailio's kind of route), ``version`` of the callback that ran (``versions``: of the
    functions it calls too, where they were not as loaded), ``duration`` in seconds,
    ``result``, ``exited``, ``dropped``, ``exception`` and ``traceback`` (the script's frames), ``calls``.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self.callback = str(data.get("callback") or "")
        self.route = str(data.get("route") or "")
        self.version = data.get("version")
        #: Which version of each function it would have called: those that were not as loaded.
        versions: dict[str, int] = data.get("versions") or {}
        self.versions = {name: n for name, n in versions.items() if n != 1 or name == self.callback}
        self.duration: float | None = data.get("duration")
        self.result = data.get("result")
        self.exited = bool(data.get("exited"))
        self.dropped = bool(data.get("dropped"))
        self.exception: str | None = data.get("exception") or None
        self.traceback = str(data.get("traceback") or "")
        self.calls = Calls(data.get("calls") or [])

    def __rich__(self) -> RenderableType:
        from .render.message import run_view

        return run_view(self)

    def to_json(self) -> Any:
        return dict(self._data)


class Headers(View, Mapping[str, str]):
    """A message's headers as they came: by name in any case (the first of that name), or in order with ``items()``."""

    def __init__(self, pairs: Sequence[Sequence[str]]) -> None:
        self._pairs = [(str(name), unwire(str(body))) for name, body in pairs]

    def __getitem__(self, name: str) -> str:
        for each, body in self._pairs:
            if each.lower() == name.lower():
                return body
        raise NotFound(f"no header {name!r}; the message has: {', '.join(dict.fromkeys(n for n, _ in self._pairs))}")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(each.lower() == name.lower() for each, _ in self._pairs)

    def get_all(self, name: str) -> list[str]:
        """The bodies of every header of that name."""
        return [body for each, body in self._pairs if each.lower() == name.lower()]

    def pairs(self) -> list[tuple[str, str]]:
        """Names and bodies, in order, repeated ones too."""
        return list(self._pairs)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self._pairs))

    def __len__(self) -> int:
        return len(dict.fromkeys(name for name, _ in self._pairs))

    def __rich__(self) -> RenderableType:
        from .render.message import header_lines

        return header_lines(self._pairs)

    def to_json(self) -> Any:
        return [list(pair) for pair in self._pairs]


class Message(View):
    """One captured message. What is not in its summary is fetched when first asked for.

    ``id``, ``time`` (local, aware), ``out`` (sent by the proxy), ``proto``, ``src`` and ``dst`` ("ip:port"),
    ``is_request``, ``method`` (a reply's: that of its CSeq), ``status`` and ``reason`` (replies), ``ruri``, ``callid``,
    ``cseq``, ``from_uri``, ``to_uri``, ``size`` in bytes, ``error`` (why it could not be used).
    """

    def __init__(self, session: Session, summary: Mapping[str, Any]) -> None:
        self._session = session
        self._summary = summary
        get = summary.get
        self.id = int(summary["id"])
        self.timestamp = float(get("time") or 0.0)
        self.out = bool(get("out"))
        self.proto = str(get("proto") or "")
        self.src = str(get("src") or "")
        self.dst = str(get("dst") or "")
        self.is_request = bool(get("is_request"))
        self.method = unwire(str(get("method") or ""))
        self.status: int | None = get("status") or None
        self.reason = unwire(str(get("reason") or ""))
        self.ruri = unwire(str(get("ruri") or ""))
        self.callid = unwire(str(get("callid") or ""))
        self.cseq = get("cseq")
        self.from_uri = unwire(str(get("from") or ""))
        self.to_uri = unwire(str(get("to") or ""))
        self.size = int(get("size") or 0)
        self.error = str(get("error") or "")
        #: Where it is from when it never was on the proxy's wire, such as "made by hand"; empty for all others.
        self.origin = str(get("origin") or "")
        #: The names of the callbacks that ran for it.
        self.callbacks: list[str] = list(get("callbacks") or ())

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp).astimezone()

    @property
    def title(self) -> str:
        """Its first line in short: ``INVITE sip:bob@example.com`` or ``180 Ringing``."""
        if self.is_request:
            return f"{self.method} {self.ruri}".strip()
        return f"{self.status or '?'} {self.reason}".strip()

    @cached_property
    def _details(self) -> Mapping[str, Any]:
        details: Mapping[str, Any] = self._session.call("ksr.message", {"id": self.id})
        return details

    def _fresh(self) -> Mapping[str, Any]:
        """The details again while the message may still be at work: replies cause more to be sent later."""
        self.__dict__.pop("_details", None)
        return self._details

    @property
    def raw(self) -> bytes:
        """The bytes of the wire."""
        return str(self._details["data"]).encode("latin-1")

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def headers(self) -> Headers:
        return Headers(self._details.get("headers") or [])

    @property
    def runs(self) -> list[CallbackRun]:
        """The callbacks that ran for it, in order."""
        return [CallbackRun(run) for run in self._fresh().get("runs") or []]

    @property
    def versions(self) -> dict[str, int]:
        """Which versions of the script's functions handled it: of its callbacks, and of every other function that was
        not as it was loaded."""
        return {name: number for run in self.runs for name, number in run.versions.items()}

    @property
    def calls(self) -> Calls:
        """The KSR calls of all its runs, in order."""
        return Calls([call for run in self._fresh().get("runs") or [] for call in run.get("calls") or []])

    @property
    def sent(self) -> MessageList:
        """The messages sent because of it, those that are still in the capture."""
        found = []
        for id in self._fresh().get("sent") or []:
            try:
                found.append(self._session.message(int(id)))
            except NotFound:
                continue
        return MessageList(found)

    @property
    def cause(self) -> Message | None:
        """The message because of which the proxy sent this one; None for one that came in, or that a timer sent."""
        id = int(self._summary.get("cause") or 0)
        return self._session.message(id) if id else None

    @property
    def exception(self) -> str | None:
        """What a callback raised for it, in one line; None when nothing went wrong."""
        return self._fresh().get("exception") or None

    @property
    def traceback(self) -> str:
        """The script's frames of that exception; empty when there was none."""
        return "\n".join(run.traceback for run in self.runs if run.traceback)

    def pv(self, name: str) -> str | int | None:
        """The value of a pseudo-variable for this message as it came: ``m.pv("$ru")``, transformations too."""
        value: str | int | None = self._session.call("ksr.pv", {"id": self.id, "names": [name]})[name]
        return unwire(value) if isinstance(value, str) else value

    def flow(self) -> Any:
        """The call that it belongs to, as a ladder."""
        return self._session.flow(self)

    def save(self, path: str | Path, *, form: str = "", mask: bool = False) -> SavedCapture:
        """Write it to a capture file, as ``msgs.save`` does."""
        from .captures import save

        return save(self._session, [self], path, form, mask)

    def __rich__(self) -> RenderableType:
        from .render.message import message_view

        return message_view(self)

    def to_json(self) -> Any:
        return dict(self._details)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and (other.id, other._session) == (self.id, self._session)

    def __hash__(self) -> int:
        return hash(self.id)


class MessageList(View, Sequence[Message]):
    """A fixed list of messages, counted from 0 as lists are."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = list(messages)

    def save(self, path: str | Path, *, form: str = "", mask: bool = False) -> SavedCapture:
        """Write them to a capture file, as ``msgs.save`` does."""
        from .captures import save

        if not self._messages:
            raise NotFound("no message to save")
        return save(self._messages[0]._session, self._messages, path, form, mask)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> MessageList: ...
    def __getitem__(self, index: int | slice) -> Message | MessageList:
        if isinstance(index, slice):
            return MessageList(self._messages[index])
        try:
            return self._messages[index]
        except IndexError:
            raise NotFound(f"no message at position {index}: the list has {len(self)}") from None

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, MessageList | list) else NotImplemented

    def __rich__(self) -> RenderableType:
        from rich.text import Text

        from .render.tables import messages_table

        return messages_table(self._messages) if self._messages else Text("no messages", "bright_black")

    def to_json(self) -> Any:
        return [dict(message._summary) for message in self._messages]


class Messages(View, Sequence[Message]):
    """The captured messages, oldest first, as they are at the moment of asking.

    ``msgs[-1]`` is the newest, ``msgs[12]`` the message with id 12 (ids never change), ``msgs[0]`` the oldest that is
    still kept. Slices take ids and distances from the end alike: ``msgs[10:20]``, ``msgs[-5:]``.
    """

    def __init__(self, session: Session, where: str | None = None) -> None:
        self._session = session
        self._where = where

    def where(self, expression: str) -> Messages:
        """Those for which ``expression`` holds: ``msgs.where('method == "INVITE" and fU == "alice"')``.

        Names are a message's fields (method, status, ruri, callid, src, dst, out, exception ...; <TAB> lists them) and
        pseudo-variables without their ``$``; ``hdr("User-Agent")``, ``pv("$(ru{uri.host})")``,
        ``called("KSR.sl.send_reply")``, ``re("^sip:1", ruri)``, ``len(...)`` and ``lower(...)`` are its functions.
        """
        if not isinstance(expression, str) or not expression.strip():
            raise UsageError("where() expects an expression as text, such as 'method == \"INVITE\"'")
        if self._where is not None:
            expression = f"({self._where}) and ({expression})"
        messages = Messages(self._session, expression)
        messages._page(limit=1)  # a mistake in the expression shows here, not when it is first used
        return messages

    def save(self, path: str | Path, *, form: str = "", mask: bool = False) -> SavedCapture:
        """Write them to a new capture file: ``msgs.save("x.pcapng")``, ``msgs[-20:].save("x.pcap", mask=True)``.

        Its name ends in .pcapng, which Wireshark shows as SIP whatever the ports are, or .pcap, which every tool reads;
        ``form="ip"`` or ``"pdu"`` chooses otherwise. ``mask``: credentials, users and numbers are replaced.
        """
        from .captures import save

        return save(self._session, list(self), path, form, mask)

    def load(self, path: str | Path, *, limit: int = 10_000, proxy: str | Iterable[str] = ()) -> Loaded:
        """Put the SIP messages of a capture file among the captured ones: then use(), step() and flow() take them.

        pcap, pcapng, HEP3, or text of SIPp, Kamailio's sipdump, sngrep or ngrep. ``proxy``: the captured proxy's
        addresses, such as "udp:10.0.0.1:5060"; guessed when not given.
        """
        from .captures import load

        return load(self._session, path, limit, proxy)

    def _page(self, **params: Any) -> dict[str, Any]:
        if self._where is not None:
            params["where"] = self._where
        page: dict[str, Any] = self._session.call("ksr.messages", params)
        return page

    def _fetch(self, **params: Any) -> list[Message]:
        found = [Message(self._session, summary) for summary in self._page(**params)["messages"]]
        return sorted(found, key=lambda message: message.id)

    def _between(self, after: int, before: int | None = None) -> Iterator[Message]:
        """Messages with ids above ``after`` and below ``before``, page by page."""
        while True:
            params = {"after": after, "limit": PAGE, "newest": False}
            if before is not None:
                params["before"] = before
            page = self._fetch(**params)
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].id

    def __iter__(self) -> Iterator[Message]:
        # Up to what is there now: a loop over live traffic would not end.
        return self._between(0, int(self._page(limit=1)["last"]) + 1)

    def __len__(self) -> int:
        if self._where is not None:
            return sum(1 for _ in self)
        page = self._page(limit=1)
        return int(page["last"]) - int(page["first"]) + 1 if page["last"] and page["messages"] else 0

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> MessageList: ...
    def __getitem__(self, index: int | slice) -> Message | MessageList:
        if isinstance(index, slice):
            return self._slice(index)
        if not isinstance(index, int):
            raise UsageError(f"expected a message's id or a distance from the end, such as [12] or [-1], got {index!r}")
        if index > 0:
            return self._by_id(index)
        if index == 0:
            found = self._fetch(limit=1, newest=False)
        else:
            found = self._fetch(limit=-index)
            if len(found) < -index:
                found = []
        if not found:
            count = len(self)
            raise NotFound(f"msgs[{index}]: {count or 'no'} message{'' if count == 1 else 's'} {self._which()}")
        return found[0]

    def _which(self) -> str:
        return f"captured where {self._where}" if self._where is not None else "captured"

    def _by_id(self, id: int) -> Message:
        if self._where is None:
            return self._session.message(id)
        found = self._fetch(after=id - 1, before=id + 1, limit=1)
        if not found:
            self._session.message(id)  # gone, or never there: that says it better
            raise NotFound(f"message {id} is not one where {self._where}; positive numbers are ids, [0] is the first")
        return found[0]

    def _slice(self, index: slice) -> MessageList:
        start, stop = index.start, index.stop
        if not all(part is None or isinstance(part, int) for part in (start, stop, index.step)) or index.step == 0:
            raise UsageError("a slice of messages takes ids or distances from the end, such as [10:20] or [-5:]")
        if start is not None and start < 0:
            # Counted from the end; whatever arrives meanwhile is left out.
            found = self._fetch(limit=-start)
            if stop is not None:
                found = found[: max(0, len(found) + stop)] if stop < 0 else [m for m in found if m.id < stop]
        else:
            after = max(0, (start or 0) - 1)
            before = stop if stop is not None and stop >= 0 else int(self._page(limit=1)["last"]) + 1
            found = list(self._between(after, before))
            if stop is not None and stop < 0:
                newest = {message.id for message in self._fetch(limit=-stop)}
                found = [message for message in found if message.id not in newest]
        return MessageList(found[:: index.step] if index.step is not None else found)

    def __rich__(self) -> RenderableType:
        from .render.console import height
        from .render.tables import messages_table

        page = self._page(limit=max(5, min(40, height() - 9)))
        newest = sorted((Message(self._session, summary) for summary in page["messages"]), key=lambda m: m.id)
        return messages_table(
            newest, first=int(page["first"]), last=int(page["last"]), gone=int(page["gone"]), where=self._where
        )

    def to_json(self) -> Any:
        return [dict(message._summary) for message in self]
