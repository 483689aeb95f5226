"""From the text of a pseudo-variable to what reads and writes it, once per text."""

from __future__ import annotations

import difflib
import logging
from typing import TYPE_CHECKING

from . import registry
from .errors import PvError
from .known import module_of
from .registry import Accessor, Getter, Value
from .spec import Spec, parse_spec
from .transformations import Step, compile_chain

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["GETTERS", "Accessor", "Value", "assign", "compile_parsed", "compile_spec"]

log = logging.getLogger("ksrcore")

_LIMIT = 8192
_cache: dict[str, Accessor] = {}

#: What reads the variables compiled so far, by their text: one look-up for ``KSR.pv.get``. Not to be written elsewhere.
GETTERS: dict[str, Getter] = {}


def compile_spec(text: str) -> Accessor:
    """The accessor of ``$ru``, ``$(hdr(X){s.len})`` ...; cached by text.

    Raises :class:`PvError` when it cannot be understood or is not known.
    """
    found = _cache.get(text)
    if found is None:
        found = compile_parsed(parse_spec(text))
        if len(_cache) >= _LIMIT:
            _cache.clear()
            GETTERS.clear()
        _cache[text] = found
        GETTERS[text] = found.get
    return found


def assign(accessor: Accessor, run: Run, value: Value, who: str) -> int:
    """Write the result of the KSR function ``who``: 1, or -1, logged, for a variable that does not take it."""
    try:
        accessor.set(run, value)
    except PvError as error:
        log.error("%s: %s", who, error)
        return -1
    return 1


def compile_parsed(spec: Spec) -> Accessor:
    """The accessor of a parsed specification. Raises :class:`PvError`."""
    build = registry.builder(spec.name)
    if build is None:
        module = module_of(spec.name)
        if module:
            raise PvError(f"Kamailio has ${spec.name} (module {module}), ksrshell does not implement it yet", str(spec))
        raise PvError(f"unknown pseudo-variable ${spec.name}{_nearest(spec.name)}", str(spec))
    accessor = build(spec)
    if not spec.transformations:
        return accessor
    return Accessor(spec, _transformed(accessor.get, compile_chain(spec.transformations)))


#: Names that scripts use and no Kamailio has, with what does what they mean.
_MISTAKEN = {
    "body": "$rb is the body",
    "myself": "KSR.is_myself_ruri() and its kin tell whether a host is our own",
    "bitval": "read a flag with KSR.isflagset(), bits of a number with Python's &",
}


def _nearest(name: str) -> str:
    if name in _MISTAKEN:
        return f": no Kamailio has it; {_MISTAKEN[name]}"
    near = difflib.get_close_matches(name, registry.known(), 3)
    return f"; nearest: {', '.join('$' + n for n in near)}" if near else ""


def _transformed(get: Getter, steps: tuple[Step, ...]) -> Getter:
    if len(steps) == 1:
        (step,) = steps
        return lambda run: step(run, get(run))

    def transformed(run: Run) -> Value:
        value = get(run)
        for step in steps:
            value = step(run, value)
        return value

    return transformed
