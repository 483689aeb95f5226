"""``KSR`` at the prompt: Kamailio's KEMI functions, run by the proxy on the message in use, in its sandbox."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .errors import KsrShellError, UnknownName
from .view import View

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .session import Session

_TYPES: dict[str, Any] = {"int": int, "str": str, "bool": bool, "none": None, "None": None, "xval": str | int | None}


class Function(View):
    """One KEMI function. Calling it runs it on the message in use; ``live=True`` makes its effects real."""

    def __init__(self, call: Callable[..., Any], entry: Mapping[str, Any]) -> None:
        self._call = call
        self._entry = entry
        #: Kamailio's module; empty for a function of ``KSR`` itself.
        self.module = str(entry.get("module") or "")
        self.name = str(entry["name"])
        #: ``KSR.sl.send_reply(code: int, reason: str) -> int``
        self.signature = str(entry.get("signature") or self.path + "(...)")
        self.implemented = entry.get("status") != "known"
        self.__name__ = self.name
        self.__qualname__ = self.path.removeprefix("KSR.")
        self.__doc__ = str(entry.get("doc") or "")
        self.__signature__ = inspect.Signature(
            [
                inspect.Parameter(
                    str(name),
                    inspect.Parameter.POSITIONAL_ONLY,
                    annotation=_TYPES.get(str(kind), inspect.Parameter.empty),
                )
                for name, kind in entry.get("params") or []
                if str(name).isidentifier()
            ],
            return_annotation=_TYPES.get(str(entry.get("ret")), inspect.Signature.empty),
        )

    @property
    def path(self) -> str:
        return f"KSR.{self.module}.{self.name}" if self.module else f"KSR.{self.name}"

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        return str(self._entry.get("summary") or (self.__doc__ or "").strip().partition("\n")[0])

    def __call__(self, *args: Any, live: bool = False) -> Any:
        return self._call(self.path.removeprefix("KSR."), args, live)

    def __rich__(self) -> RenderableType:
        from .render.help import function_help

        return function_help(self)

    def to_json(self) -> Any:
        return dict(self._entry)


class Module(View):
    """``KSR.sl`` and its kin: the functions of one Kamailio module."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._functions: dict[str, Function] = {}

    def __getattr__(self, name: str) -> Function:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._functions[name]
        except KeyError:
            raise UnknownName(unknown(f"KSR.{self._name}", name, list(self._functions))) from None

    def __dir__(self) -> list[str]:
        return sorted(self._functions)

    def __rich__(self) -> RenderableType:
        from .render.help import module_help

        return module_help(f"KSR.{self._name}", list(self._functions.values()))

    def to_json(self) -> Any:
        return sorted(self._functions)


class Ksr(View):
    """Kamailio's ``KSR``, on the message in use.

    Reads see the proxy's live state; what a call would change or send is kept in a sandbox: ``effects()`` shows it.
    ``KSR.<TAB>`` completes, ``KSR.sl.send_reply?`` explains.
    """

    def __init__(self, session: Session, call: Callable[..., Any] | None = None) -> None:
        self._session = session
        self._call = call or session.sandbox_call
        self._process = -1
        self._names: dict[str, Function | Module] = {}

    def _table(self) -> dict[str, Function | Module]:
        """What the proxy offers, asked once a process."""
        process = self._session.client.process
        if process != self._process:
            names: dict[str, Function | Module] = {}
            for entry in self._session.api():
                function = Function(self._call, entry)
                if not function.module:
                    names[function.name] = function
                    continue
                module = names.setdefault(function.module, Module(function.module))
                if isinstance(module, Module):
                    module._functions[function.name] = function
            self._names, self._process = names, process
        return self._names

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        table = self._table()
        try:
            return table[name]
        except KeyError:
            raise UnknownName(unknown("KSR", name, list(table))) from None

    def __dir__(self) -> list[str]:
        try:
            return sorted(self._table())
        except KsrShellError:
            return []

    def __rich__(self) -> RenderableType:
        from .render.help import ksr_help

        return ksr_help(self._table())

    def to_json(self) -> Any:
        return sorted(self._table())


def unknown(parent: str, name: str, names: list[str]) -> str:
    """The error for a name that ``parent`` has not."""
    near = difflib.get_close_matches(name, names, 3)
    hint = (
        f"; nearest: {', '.join(f'{parent}.{each}' for each in near)}"
        if near
        else f"; {parent}.<TAB> lists what there is"
    )
    return f"{parent}.{name}: no such name{hint}"
