"""Several proxies as one session. What the prompt has is asked of all of them at the same time."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..errors import AttachError, KsrShellError, UnknownName, UsageError
from ..session import Session, connect
from ..view import View
from .bynode import ByNode, on_each

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .canary import FleetSwap

#: What the prompt has that is no function.
LIVE = ("msgs", "KSR", "routes", "stats", "holds", "held")


class Fleet(View):
    """Proxies by name: ``fleet["node1"]`` is one's :class:`~ksrshell.session.Session`; what a session has, the fleet
    has for all: ``fleet.rpc("core.uptime")``, ``fleet.msgs[-1]``, ``fleet.hold("ksr_route_relay")`` give results by
    node (:class:`ByNode`), in which a node's error is its result.
    """

    def __init__(self, nodes: dict[str, Session]) -> None:
        if not nodes:
            raise UsageError("a fleet needs at least one node")
        self._nodes = nodes

    @property
    def name(self) -> str:
        """``node1+node2``, or how many there are: the prompt has room for 16 characters."""
        names = "+".join(self._nodes)
        return names if len(names) <= 16 else f"{len(self._nodes)} nodes"

    @property
    def hello(self) -> dict[str, Any]:
        """What the first node that is there said of itself."""
        return self.lead.hello

    @property
    def lead(self) -> Session:
        """The node that is asked where one is enough: what KSR has, what a name can be."""
        sessions = list(self._nodes.values())
        return next((session for session in sessions if session.client.connected), sessions[0])

    @property
    def current(self) -> Any:
        """The messages in use, by node; None when no node has one."""
        found = {name: session.current for name, session in self._nodes.items() if session.current is not None}
        return ByNode(found) if found else None

    def members(self) -> list[Session]:
        return list(self._nodes.values())

    def figures(self, timeout: float | None = None) -> dict[str, Any]:
        """The figures of ``ksr.stats``, added up over the nodes that answer. Raises what they raise when none does."""
        found = on_each(list(self._nodes), lambda name: self._nodes[name].figures(timeout))
        total: dict[str, Any] = {}
        for values in found.values_by_node().values() if found is not None else ():
            for figure, value in values.items():
                if isinstance(value, int | float):
                    total[figure] = total.get(figure, 0) + value
        return total

    def pick(self, m: Any) -> Any:
        if isinstance(m, ByNode):
            return m
        return on_each(list(self._nodes), lambda name: self._nodes[name].pick(m))

    def forget(self) -> None:
        for session in self._nodes.values():
            session.forget()

    def close(self) -> None:
        for session in self._nodes.values():
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- a mapping of nodes ---------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Session:
        try:
            return self._nodes[name]
        except (KeyError, TypeError):
            raise UsageError(f"no node {name!r}; there are: {', '.join(self._nodes)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    def only(self, *names: str) -> Fleet:
        """Some of the nodes as a fleet: ``nodes.only("node1", "node3")``. Closing it closes their sessions."""
        return Fleet({name: self[name] for name in names})

    # -- on every node --------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        nodes: dict[str, Session] = self.__dict__["_nodes"]
        if name in nodes:
            return nodes[name]
        if name in LIVE:
            return ByNode({node: getattr(session, name) for node, session in nodes.items()})
        method = getattr(Session, name, None)
        if not inspect.isfunction(method):
            raise UnknownName(f"a fleet has no {name!r}")
        return self._everywhere(name, method)

    def _everywhere(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            return ByNode({node: getattr(session, name) for node, session in self._nodes.items()})(*args, **kwargs)

        parameters = list(inspect.signature(method).parameters.values())[1:]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return call

    def swap(
        self,
        new: str | Path | Callable[..., Any] = "",
        *,
        pin: bool = False,
        try_on: int = 0,
        remove: str | Iterable[str] = (),
        canary: str = "",
        for_: float = 60.0,
        all_for: float | None = None,
        abort_if: str = "exceptions > 0 or failed > 1%",
    ) -> FleetSwap:
        """Replace functions of the script on every node, or on none: when one refuses, the others go back.

        ``canary``: swap on that node first and watch it for ``for_`` seconds; when ``abort_if`` becomes true it goes
        back by itself, and the others never had it. ``abort_if`` compares ``exceptions`` (of callbacks), ``failed``
        (the share of requests answered with 5xx or 6xx) and ``requests`` since the swap, with ``and``, ``or``, ``not``.
        A canary that saw no request in that time goes back, too. ``all_for``: seconds that all are watched once they
        have it; one that breaks ``abort_if`` takes all back (10 after a canary, else 0). ``pin``, ``try_on``,
        ``remove``: as of one proxy.
        """
        from .canary import swap

        options: dict[str, Any] = {"pin": pin, "try_on": try_on, "remove": remove}
        return swap(self, new, options, canary=canary, for_=for_, all_for=all_for, abort_if=abort_if)

    # -- shown ----------------------------------------------------------------------------------------------------

    def rows(self) -> list[list[str]]:
        """A row for each node, as ``ksrshell ps`` has them."""
        from ..proxies import Found
        from ..ps import row
        from .canary import ended

        rows = []
        for name, session in self._nodes.items():
            try:
                cells = row(Found(name, session.client.path, session.hello, session.figures(2.0)))
                if ended(session):
                    cells[-1] = "has ended"
            except KsrShellError as error:
                cells = [name, "", "", "", "", str(error)]
            rows.append([name, *cells[1:]])
        return rows

    def __rich__(self) -> RenderableType:
        from ..render.tables import proxies_table

        return proxies_table(self.rows())

    def to_json(self) -> Any:
        return {name: {**session.hello, **session.figures()} for name, session in self._nodes.items()}


def connect_all(names: Iterable[str | Path], *, timeout: float = 10.0, persistent: bool = False) -> Fleet:
    """A fleet of these proxies: names, paths of control sockets, or ``@FILE``: a file with one of these on each line.

    A node's name is its proxy's; of two with the same name the later is ``name-2``. Raises :class:`AttachError` for
    the first that cannot be attached to: no session stays open then.
    """
    nodes: dict[str, Session] = {}
    try:
        for each in expand(names):
            session = connect(each, timeout=timeout, persistent=persistent)
            name, number = session.name, 2
            while name in nodes:
                name, number = f"{session.name}-{number}", number + 1
            nodes[name] = session
    except BaseException:
        for session in nodes.values():
            session.close()
        raise
    if not nodes:
        raise AttachError("no node is named")
    return Fleet(nodes)


def expand(names: Iterable[str | Path]) -> list[str | Path]:
    """The names, those of files (``@FILE``: a name or path on each line, # begins a comment) in their place."""
    found: list[str | Path] = []
    for each in names:
        if not isinstance(each, str) or not each.startswith("@"):
            found.append(each)
            continue
        path = Path(each[1:]).expanduser()
        try:
            lines = path.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise AttachError(f"cannot read the names of nodes in {path}: {why}") from None
        listed = [text for line in lines if (text := line.partition("#")[0].strip())]
        if not listed:
            raise AttachError(f"{path} names no node: expected a proxy's name or control socket on each line")
        found.extend(listed)
    return found
