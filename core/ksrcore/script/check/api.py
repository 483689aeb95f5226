"""The KSR functions a script may call: those of Kamailio's tables and those this proxy adds."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ...kemi.catalog import Api, functions, kamailio
from ...kemi.declare import Decl
from ...kemi.facade import KsrModule

__all__ = ["api_of", "ksr_paths"]


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
    return Api(functions(more)) if more else ours


def ksr_paths(names: Mapping[str, Any]) -> dict[str, str]:
    """Which of a module's names stand for KSR ('' then), for one of its modules or functions: their dotted paths."""
    found = {}
    for name, value in names.items():
        if isinstance(value, KsrModule):
            found[name] = value.__name__.removeprefix("KSR").removeprefix(".")
        elif isinstance(decl := getattr(value, "__ksr_decl__", None), Decl):
            found[name] = decl.path.removeprefix("KSR.")
    return found
