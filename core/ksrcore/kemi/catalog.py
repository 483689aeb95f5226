"""Every KSR function there is, implemented here or not, to look up and to find the nearest to a wrong name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from keyword import iskeyword

from . import MODULES, known
from .declare import Decl
from .known import VERSIONS, versions

__all__ = ["MEANT", "Api", "Function", "functions", "kamailio", "release"]


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

    def unknown(self, path: str) -> str:
        """What is wrong with a path that :meth:`find` does not find, in a line that names what may be meant."""
        if path in self.modules:
            near = [f"KSR.{path}.{n}" for n in ("xinfo", "get", "exit") if self.find(f"{path}.{n}")]
            near = near or ["KSR.info"] * (not path)
            such = f", such as {near[0]}" if near else ""
            whole = "KSR" + (path and f".{path}")
            return f"{whole} is a module, not a function: call one of its own{such}"
        near = self.nearest(path)
        module = path.partition(".")[0]
        if not near and "." in path and module not in self.modules:
            near = self.nearest_modules(module)
        hint = f"; nearest: {', '.join(_writable(n) for n in near)}" if near else ""
        return f"KSR.{path}: no Kamailio exports this name to KEMI{hint}"

    def nearest_modules(self, name: str) -> list[str]:
        return ["KSR." + m for m in difflib.get_close_matches(name.lower(), [m for m in self.modules if m], 2, 0.7)]


def _writable(path: str) -> str:
    """As Python can write it: the module ``async`` has a keyword for a name."""
    parts = path.split(".")
    if len(parts) == 3 and iskeyword(parts[1]):
        return f'getattr(KSR, "{parts[1]}").{parts[2]}'
    return path


@cache
def kamailio() -> Api:
    """What Kamailio has, and what ksrshell implements of it."""
    return Api(functions({}))


def functions(more: dict[tuple[str, str], Decl]) -> list[Function]:
    """Kamailio's functions and ours, with ``more`` in place of what is listed under these keys."""
    have = {(d.module, d.name): d for module in MODULES for d in module.exports.values()} | more
    found = [Function(decl, True, versions(*key)) for key, decl in have.items()]
    found += [Function(d, False, versions(d.module, d.name)) for d in known() if (d.module, d.name) not in have]
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
