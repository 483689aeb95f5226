"""The KSR functions a script may call: those of Kamailio's tables and those this proxy adds."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from ...kemi import MODULES, known
from ...kemi.declare import Decl
from ...kemi.facade import KsrModule
from ...kemi.known import VERSIONS, versions

__all__ = ["Api", "Function", "api_of", "kamailio", "ksr_paths", "release"]


@dataclass(frozen=True, slots=True)
class Function:
    """A KSR function: ``implemented`` here, ``versions`` of Kamailio that have it (none: ksrshell only)."""

    decl: Decl
    implemented: bool
    versions: tuple[str, ...]


#: What is meant by names that people take from other functions and from native configuration: a function of the same
#: module, or a whole path.
MEANT: dict[str, tuple[str, ...]] = {
    "add": ("append",),
    "set": ("sets", "seti"),
    "setw": ("sets",),
    "sete": ("sets",),
    "put": ("sets",),
    "append_hf": ("hdr.append",),
    "insert_hf": ("hdr.insert",),
    "remove_hf": ("hdr.remove", "textops.remove_hf"),
    "is_present_hf": ("hdr.is_present",),
    "remove": ("unregister",),
    "delete": ("unregister", "remove"),
    "t_relay_to_uri": ("tm.t_relay",),
    "xlog": ("xlog.xinfo",),
    "log": ("info",),
    "error": ("err",),
    "warning": ("warn",),
    "debug": ("dbg",),
    "reply": ("sl.send_reply",),
}


class Api:
    """Functions by their dotted path without ``KSR.``."""

    def __init__(self, functions: Iterable[Function]) -> None:
        self.functions = {f.decl.path.removeprefix("KSR."): f for f in functions}
        self.modules = {f.decl.module for f in self.functions.values()}
        self._by_name: dict[str, list[str]] = {}
        for path in self.functions:
            self._by_name.setdefault(path.rpartition(".")[2].lower(), []).append(path)

    def find(self, path: str) -> Function | None:
        return self.functions.get(path)

    def nearest(self, path: str, limit: int = 3) -> list[str]:
        """The real functions a wrong path may mean, best first, as ``KSR.module.name``.

        The function's name counts more than its module: half of the wrong names in published scripts are right
        names in a wrong module.
        """
        module, _, name = path.rpartition(".")
        name = name.lower()
        scored: dict[str, float] = {}
        for rank, other in enumerate(MEANT.get(name, ())):
            found = next((p for p in (f"{module}.{other}", other) if p in self.functions), None)
            if found is not None:
                scored[found] = 1.5 - rank / 100
        for near in difflib.get_close_matches(name, self._by_name, 8, 0.72):
            ratio = difflib.SequenceMatcher(None, name, near).ratio()
            for candidate in self._by_name[near]:
                own = candidate.rpartition(".")[0]
                # Modules of one family share their first letters: textops and textopsx, tm and tmx, pv and pvx.
                akin = 0.15 if own == module else 0.08 if own and module and own[:2] == module[:2] else 0.0
                have = 0.04 if self.functions[candidate].implemented else 0.0
                scored.setdefault(candidate, ratio + akin + have)
        best = sorted(scored, key=lambda p: (-scored[p], p))
        if best:
            floor = scored[best[0]] - 0.2
            best = [p for p in best if scored[p] >= floor]
        return ["KSR." + p for p in best[:limit]]

    def nearest_modules(self, name: str) -> list[str]:
        return ["KSR." + m for m in difflib.get_close_matches(name.lower(), [m for m in self.modules if m], 2, 0.7)]


@cache
def kamailio() -> Api:
    """What Kamailio has, and what ksrshell implements of it."""
    return Api(_functions({}))


def _functions(more: dict[tuple[str, str], Decl]) -> list[Function]:
    have = {(d.module, d.name): d for module in MODULES for d in module.exports.values()} | more
    found = [Function(decl, True, versions(*key)) for key, decl in have.items()]
    found += [Function(d, False, versions(d.module, d.name)) for d in known() if (d.module, d.name) not in have]
    return found


def api_of(ksr: ModuleType) -> Api:
    """What the KSR object of a proxy offers, with modules of its own, and the rest of Kamailio's functions."""
    ours = kamailio()
    more: dict[tuple[str, str], Decl] = {}
    parts = [ksr, *(part for part in vars(ksr).values() if isinstance(part, ModuleType))]
    for part in parts:
        for value in vars(part).values():
            decl = getattr(value, "__ksr_decl__", None)
            if isinstance(decl, Decl):
                path = decl.path.removeprefix("KSR.")
                listed = ours.find(path)
                if listed is None or (listed.decl.params, listed.decl.ret) != (decl.params, decl.ret):
                    more[decl.module, decl.name] = decl
    return Api(_functions(more)) if more else ours


def ksr_paths(names: Mapping[str, Any]) -> dict[str, str]:
    """Which of a module's names stand for KSR ('' then), for one of its modules or functions: their dotted paths."""
    found = {}
    for name, value in names.items():
        if isinstance(value, KsrModule):
            found[name] = value.__name__.removeprefix("KSR").removeprefix(".")
        elif isinstance(decl := getattr(value, "__ksr_decl__", None), Decl):
            found[name] = decl.path.removeprefix("KSR.")
    return found


def release(text: str) -> str:
    """The version of the tables that ``text`` ('5.6', '5.6.3', '6.2') means.

    Raises ``ValueError`` naming those there are.
    """
    wanted = text.strip().split(".")
    for version in VERSIONS:
        parts = version.split("-")[0].split(".")
        if version == text.strip() or len(wanted) > 1 and parts[: len(wanted)] == wanted:
            return version
    raise ValueError(f"no table of Kamailio {text!r}: there are {', '.join(VERSIONS)}")
