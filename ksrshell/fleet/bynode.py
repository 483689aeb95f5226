"""What several nodes gave, by the node's name: reading an attribute, an item or calling does so on every node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ..errors import KsrShellError, RemoteError, UnknownName, UsageError
from ..view import View

if TYPE_CHECKING:
    from rich.console import RenderableType

#: Nodes that are asked at the same time.
_AT_ONCE = 32


def on_each(names: list[str], fn: Callable[[str], Any]) -> ByNode | None:
    """``fn(name)`` for each node, at the same time. None when every node gave None.

    A node's own error is its result. Raises it when no node has another.
    """
    values: dict[str, Any] = {}
    errors: dict[str, KsrShellError] = {}

    def one(name: str) -> Any:
        try:
            return fn(name)
        except KsrShellError as error:
            return error

    if len(names) == 1:
        found = [one(names[0])]
    else:
        pool = ThreadPoolExecutor(min(len(names), _AT_ONCE), "ksrshell-node")
        try:
            found = list(pool.map(one, names))
        finally:
            # Ctrl-C does not wait for a node that hangs.
            pool.shutdown(wait=False, cancel_futures=True)
    for name, value in zip(names, found, strict=True):
        if isinstance(value, KsrShellError):
            errors[name] = value
        else:
            values[name] = value
    if errors and not values:
        raise _together(errors)
    if not errors and all(value is None for value in values.values()):
        return None
    return ByNode(values, errors)


def _together(errors: dict[str, KsrShellError]) -> KsrShellError:
    """The errors of all nodes as one."""
    by_text: dict[str, list[str]] = {}
    for name, error in errors.items():
        by_text.setdefault(str(error), []).append(name)
    first = next(iter(errors.values()))
    if len(by_text) == 1:
        return first
    text = "\n".join(f"{', '.join(names)}: {text}" for text, names in by_text.items())
    return RemoteError(first.code, text) if isinstance(first, RemoteError) else KsrShellError(text)


class ByNode(View):
    """Values by node. ``by["node1"]`` is that node's; everything else is asked of each of them: ``by.raw``,
    ``by[-1]``, ``by()`` give another :class:`ByNode`. ``errors``: of the nodes that have none.
    """

    def __init__(self, values: dict[str, Any], errors: dict[str, KsrShellError] | None = None) -> None:
        self._by = values
        self.errors = errors or {}

    def nodes(self) -> list[str]:
        """The names of the nodes that gave a value."""
        return list(self._by)

    def values_by_node(self) -> dict[str, Any]:
        """The values, as a dictionary."""
        return dict(self._by)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "view" and len(self._by) > 1:
            raise UsageError(f"the full screen shows one node: [{next(iter(self._by))!r}].view()")
        lacking = [node for node, value in self._by.items() if not hasattr(type(value), name)]
        if lacking and not any(_has(self._by[node], name) for node in lacking):
            kinds = ", ".join(sorted({type(value).__name__ for value in self._by.values()}))
            raise UnknownName(f"the values of the nodes ({kinds}) have no {name!r}")
        return self._each(lambda node: getattr(self._by[node], name))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key in self._by:
                return self._by[key]
            if key in self.errors:
                raise self.errors[key]
        return self._each(lambda node: self._by[node][_of(key, node)])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._each(
            lambda node: self._by[node](
                *(_of(arg, node) for arg in args), **{name: _of(arg, node) for name, arg in kwargs.items()}
            )
        )

    def _each(self, fn: Callable[[str], Any]) -> Any:
        return on_each(list(self._by), fn)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by)

    def __len__(self) -> int:
        return len(self._by)

    def __contains__(self, name: object) -> bool:
        return name in self._by

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ByNode):
            return self._by == other._by and list(self.errors) == list(other.errors)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __dir__(self) -> list[str]:
        first = next(iter(self._by.values()), None)
        return [*super().__dir__(), *(name for name in dir(first) if not name.startswith("_"))]

    def __rich__(self) -> RenderableType:
        from ..render.fleet import by_node

        return by_node(self._by, self.errors)

    def to_json(self) -> Any:
        return {**self._by, **{name: {"error": str(error)} for name, error in self.errors.items()}}


def _has(value: Any, name: str) -> bool:
    """Whether an instance has it: KSR's modules come by ``__getattr__``."""
    try:
        getattr(value, name)
    except AttributeError:
        return False
    except Exception:
        return True  # asking the proxy failed: it has it
    return True


def _of(arg: Any, node: str) -> Any:
    """An argument for one node: what an earlier call gave there."""
    return arg[node] if isinstance(arg, ByNode) else arg
