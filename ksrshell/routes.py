"""The routing script's functions: which there are, how they are used, their versions; replacing them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import NotFound, UsageError
from .view import View

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .session import Session


class Route(View):
    """A function of the script: ``name``, ``callback`` (Kamailio calls it), ``version`` (1: as loaded), ``hits``,
    ``average`` and ``longest`` run in seconds (None: never ran), ``exceptions``, ``file``, ``line``, ``source``.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self.name = str(data["name"])
        self.callback = bool(data.get("callback"))
        self.version = int(data.get("version") or 1)
        self.versions = int(data.get("versions") or 1)
        self.hits = int(data.get("hits") or 0)
        self.average: float | None = data.get("average")
        self.longest: float | None = data.get("longest")
        self.exceptions = int(data.get("exceptions") or 0)
        self.file = str(data.get("file") or "")
        self.line = int(data.get("line") or 1)
        self.source = str(data.get("source") or "")

    def __rich__(self) -> RenderableType:
        from .render.tables import route_view

        return route_view(self)

    def to_json(self) -> Any:
        return dict(self._data)


class Routes(View, Mapping[str, Route]):
    """The script's functions by name, as they are at the moment of asking: ``routes["ksr_route_relay"].source``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _table(self) -> dict[str, Route]:
        return {entry["name"]: Route(entry) for entry in self._session.call("ksr.routes")}

    def __getitem__(self, name: str) -> Route:
        table = self._table()
        try:
            return table[name]
        except KeyError:
            raise NotFound(no_route(name, list(table))) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._table())

    def __len__(self) -> int:
        return len(self._table())

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def __rich__(self) -> RenderableType:
        from .render.tables import routes_table

        return routes_table(list(self._table().values()))

    def to_json(self) -> Any:
        return [route.to_json() for route in self._table().values()]


def no_route(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 3)
    return f"the script has no function {name!r}; " + (f"nearest: {', '.join(near)}" if near else "see: routes")


class Version(View):
    """One version of a function: ``number``, ``current``, ``time``, ``who``, ``source``, ``diff`` to the one before,
    ``in_file`` (the script's file has it), ``removed`` (it takes the function out)."""

    def __init__(self, name: str, data: Mapping[str, Any]) -> None:
        from .effects import Diff

        self._data = data
        self.name = name
        self.number = int(data["number"])
        self.current = bool(data.get("current"))
        self.time = datetime.fromtimestamp(float(data.get("time") or 0.0)).astimezone()
        self.who = str(data.get("who") or "")
        self.source = str(data.get("source") or "")
        self.removed = bool(data.get("removed"))
        self.in_file = bool(data.get("in_file"))
        self.diff = Diff(str(data.get("diff_to_previous") or ""))

    def __rich__(self) -> RenderableType:
        from .render.tables import version_view

        return version_view(self)

    def to_json(self) -> Any:
        return dict(self._data)


class Versions(View, Mapping[int, Version]):
    """The versions of one function by number: ``versions("ksr_route_relay")[2].diff``."""

    def __init__(self, name: str, data: list[Mapping[str, Any]]) -> None:
        self.name = name
        self._versions = {int(entry["number"]): Version(name, entry) for entry in data}

    def __getitem__(self, number: int) -> Version:
        try:
            return self._versions[number]
        except KeyError:
            known = ", ".join(map(str, self._versions))
            raise NotFound(f"{self.name} has no version {number!r}; it has: {known}") from None

    def __iter__(self) -> Iterator[int]:
        return iter(self._versions)

    def __len__(self) -> int:
        return len(self._versions)

    def __rich__(self) -> RenderableType:
        from .render.tables import versions_table

        return versions_table(list(self._versions.values()))

    def to_json(self) -> Any:
        return [version.to_json() for version in self._versions.values()]


class Swapped(View):
    """What a swap or rollback did: ``swapped``, pairs of function and version now in use (0: gone); ``warnings``;
    how many transactions are ``pinned`` to what they began with, and how many pins ``ended``."""

    def __init__(self, data: Mapping[str, Any], verb: str = "swapped") -> None:
        self._data = data
        self._verb = verb
        self.swapped = [(str(entry["name"]), int(entry["version"])) for entry in data.get("swapped") or []]
        self.warnings = [str(warning) for warning in data.get("warnings") or []]
        self.pinned = int(data.get("pinned") or 0)
        self.ended = int(data.get("ended") or 0)
        self.tried = int(data.get("tried") or 0)
        #: Of a Kamailio: dicts with ``pid rank status version``; status is ``applied`` or ``waiting``.
        self.workers: list[dict[str, Any]] = list(data.get("workers") or [])
        self._new = {str(entry["name"]) for entry in data.get("swapped") or [] if entry.get("new")}

    def __rich__(self) -> RenderableType:
        from rich.text import Text

        from .render.console import clean

        out = Text()
        for name, version in self.swapped:
            if not version:
                out.append(f"removed {clean(name)}\n", "yellow")
                continue
            if self._verb == "swapped" and (version == 1 or name in self._new):
                out.append(f"added {clean(name)}: the script had nothing of this name\n", "yellow")
                continue
            out.append(f"{self._verb} {clean(name)}: version {version} from the next message on\n", "green")
        for warning in self.warnings:
            out.append(f"warning: {clean(warning)}\n", "yellow")
        if self.tried:
            out.append(f"tried on {_count(self.tried, 'message')}: it raises on none that the old code took\n")
        if self.pinned:
            out.append(f"{_count(self.pinned, 'transaction')} in progress will end on the old version\n")
        if self.ended:
            out.append(f"{_count(self.ended, 'pinned transaction')} will go on with this too\n", "yellow")
        if self.workers and self.swapped:
            done = sum(each["status"] == "applied" for each in self.workers)
            text = f"in {done} of {_count(len(self.workers), 'worker')}\n"
            out.append(text, "" if done == len(self.workers) else "yellow")
        if not self.swapped:
            out.append("nothing swapped: the source is the same as what runs\n")
        out.rstrip()
        return out

    def to_json(self) -> Any:
        return dict(self._data)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def source_of(new: str | Path | Callable[..., Any]) -> str:
    """The source to swap in: text as it is, of a function what the user typed, of a path the file's text.

    Text without a line end that names a file in ``.py`` is a path.
    """
    if isinstance(new, str) and "\n" not in new and new.endswith(".py"):
        new = Path(new)
    if isinstance(new, str):
        source = new
    elif isinstance(new, Path):
        source = _text_of(new.expanduser())
    elif callable(new):
        source = _typed(new)
    else:
        raise UsageError(f"swap() expects source text, a function or a path, got {type(new).__name__}")
    # The indentation stays: taking it away would change the strings in it.
    lines = source.splitlines()
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    if not lines:
        raise UsageError(
            "swap() got no source: give it a function, such as %%swap and `def ksr_route_relay(self, msg):` below"
        )
    return "\n".join(lines) + "\n"


def _text_of(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {path}: it is not UTF-8 text") from None


def _typed(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", str(function))
    code = getattr(inspect.unwrap(function), "__code__", None)
    free = [each for each in getattr(code, "co_freevars", ()) if each != "__class__"]
    if free:
        raise UsageError(f"{name} uses {', '.join(free)} of the function around it, which the script has not")
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        raise UsageError(f"the source of {name!r} is not known: give it to swap() as text") from None
