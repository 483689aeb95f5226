"""The routing script's functions: which there are, how they are used, their versions; replacing them."""

from __future__ import annotations

import difflib
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
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
    """One version of a function: ``number``, ``current``, ``time``, ``who``, ``source``, ``diff`` to the one before."""

    def __init__(self, name: str, data: Mapping[str, Any]) -> None:
        from .effects import Diff

        self._data = data
        self.name = name
        self.number = int(data["number"])
        self.current = bool(data.get("current"))
        self.time = datetime.fromtimestamp(float(data.get("time") or 0.0)).astimezone()
        self.who = str(data.get("who") or "")
        self.source = str(data.get("source") or "")
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
    """What a swap or rollback did: ``swapped``, pairs of function and version now in use; ``warnings``."""

    def __init__(self, data: Mapping[str, Any], verb: str = "swapped") -> None:
        self._data = data
        self._verb = verb
        self.swapped = [(str(entry["name"]), int(entry["version"])) for entry in data.get("swapped") or []]
        self.warnings = [str(warning) for warning in data.get("warnings") or []]

    def __rich__(self) -> RenderableType:
        from rich.text import Text

        from .render.console import clean

        out = Text()
        for name, version in self.swapped:
            if version == 1 and self._verb == "swapped":
                out.append(f"added {clean(name)}: the script had no function of this name\n", "yellow")
                continue
            out.append(f"{self._verb} {clean(name)}: version {version} from the next message on\n", "green")
        for warning in self.warnings:
            out.append(f"warning: {clean(warning)}\n", "yellow")
        if not self.swapped:
            out.append("nothing swapped: the source is the same as what runs\n")
        out.rstrip()
        return out

    def to_json(self) -> Any:
        return dict(self._data)


def source_of(new: str | Callable[..., Any]) -> str:
    """The source to swap in: text as it is, dedented; of a function, what the user typed."""
    if isinstance(new, str):
        source = new
    elif callable(new):
        try:
            source = inspect.getsource(new)
        except (OSError, TypeError):
            raise UsageError(
                f"the source of {getattr(new, '__name__', new)!r} is not known: give it to swap() as text"
            ) from None
    else:
        raise UsageError(f"swap() expects source text or a function, got {type(new).__name__}")
    source = textwrap.dedent(source).strip("\n")
    if not source.strip():
        raise UsageError(
            "swap() got no source: give it a function, such as %%swap and `def ksr_route_relay(self, msg):` below"
        )
    return source + "\n"
