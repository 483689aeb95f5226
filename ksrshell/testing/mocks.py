"""Standing in for KSR functions: ``ksr.mock``."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

from ksrcore.kemi import known
from ksrcore.kemi.declare import Decl

from .errors import UsageError

if TYPE_CHECKING:
    from ksrcore.modules import Modules

__all__ = ["KsrMock", "find_decl", "make_mock"]

__tracebackhide__ = True

_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,), "bool": (bool,), "none": (type(None),), "str": (str,), "xval": (str, int, type(None)),
}  # fmt: skip
_DEFAULTS: dict[str, Any] = {"int": 1, "bool": True, "none": None, "str": "", "xval": None}
_UNSET: Any = object()


class KsrMock(Mock):
    """A :class:`unittest.mock.Mock` in the place of a KSR function: ``assert_called_once_with`` and all the others.

    Arguments are checked before it is called, as the real function checks them.
    """

    def _get_child_mock(self, /, **kwargs: Any) -> Mock:
        return Mock(**kwargs)


def _short(name: str) -> Any:
    check = getattr(Mock, name)

    def method(self: KsrMock, *args: Any, **kwargs: Any) -> None:
        try:
            check(self, *args, **kwargs)
        except AssertionError as error:
            failed = AssertionError(str(error))
        else:
            return
        # From here, so that the failure does not show the insides of unittest.mock.
        raise failed

    method.__name__, method.__doc__ = name, check.__doc__
    return method


for _name in (
    "assert_called", "assert_called_once", "assert_called_with", "assert_called_once_with", "assert_any_call",
    "assert_has_calls", "assert_not_called",
):  # fmt: skip
    setattr(KsrMock, _name, _short(_name))


def find_decl(modules: Modules, name: str) -> Decl:
    """The declaration of ``KSR.sl.send_reply`` (or ``sl.send_reply``). Raises :class:`UsageError` for no such name."""
    path = name.removeprefix("KSR.")
    module, _, function = path.rpartition(".")
    found = modules.get(module)
    decl = found.exports.get(function) if found is not None else None
    for each in known() if decl is None else ():
        if (each.module, each.name) == (module, function):
            decl = each
    if decl is None:
        names = {f"{d.module}.{d.name}" if d.module else d.name for d in known()}
        names |= {f"{m.name}.{n}" if m.name else n for m in modules.values() for n in m.exports}
        near = difflib.get_close_matches(path, names, 3)
        hint = f"; nearest: {', '.join(f'KSR.{n}' for n in near)}" if near else ""
        raise UsageError(f"KSR.{path}: no Kamailio exports this name to KEMI{hint}")
    return decl


def make_mock(decl: Decl, returns: Any = _UNSET, side_effect: Any = None) -> KsrMock:
    """Raises :class:`UsageError` for a value that the function cannot return."""
    if returns is _UNSET:
        returns = _DEFAULTS[decl.ret]
    kinds = _KINDS[decl.ret]
    if not isinstance(returns, kinds) or (isinstance(returns, bool) and bool not in kinds):
        expected = "None" if decl.ret == "none" else {"xval": "a str, an int or None"}.get(decl.ret, f"a {decl.ret}")
        raise UsageError(f"{decl.signature}: returns={returns!r} is nothing it can return, which is {expected}")
    return KsrMock(name=decl.path, return_value=returns, side_effect=side_effect)
