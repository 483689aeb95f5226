"""``$avp(x)``: values that travel with the transaction, a stack for each name.

``$avp(x)`` is the newest, ``$(avp(x)[n])`` the n-th after it, ``$(avp(x)[*])`` all of them with ", " between. Writing
adds one, writing to ``[*]`` replaces all; null removes the newest, or all at ``[*]``. Names: ``x`` and ``s:x`` are
text, ``i:5`` is a number, an alias (modparam ``avp_aliases``) stands for another name, and the value of a variable may
be the name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import PvError
from .format import is_static
from .registry import Accessor, Value, pv_class
from .spec import Spec, parse_spec
from .transformations.registry import int_param

if TYPE_CHECKING:
    from ..run import Run

Name = str | int


def parse_name(text: str, shown: str) -> Name:
    """``x``, ``s:x`` or ``i:5`` as a key. Raises :class:`PvError`."""
    kind, colon, rest = text.partition(":")
    if not colon:
        return text
    if kind == "i":
        if not (rest.isascii() and rest.isdigit()):
            raise PvError(f"expected a number after i:, got {rest!r}", shown)
        return int(rest)
    return rest if kind == "s" else text


def _name(spec: Spec) -> tuple[Name | None, Callable[[Run], Name | None]]:
    """The fixed name or None, and a function that gives the name."""
    text = (spec.inner or "").strip()
    if not text:
        raise PvError("expected a name: $avp(x), $avp(s:x) or $avp(i:5)", str(spec))
    if not is_static(text):
        from .accessor import compile_parsed

        get = compile_parsed(parse_spec(text)).get
        return None, get
    if ":" in text:
        key = parse_name(text, str(spec))
        return key, lambda run: key

    def aliased(run: Run) -> Name:
        aliases = run.proxy.modules.pv.aliases
        return aliases.get(text, text) if aliases else text

    return None, aliased


@pv_class("avp")
def _avp(spec: Spec) -> Accessor:
    _, name_of = _name(spec)

    def put(run: Run, value: Value) -> None:
        name = name_of(run)
        if name is None:
            raise PvError("its name is null", str(spec))
        if value is None:
            run.avps.remove(name)
        else:
            run.avps.add(name, value)

    if spec.index is None:

        def get(run: Run) -> Value:
            avps = run.avps.avps
            if not avps:
                return None
            name = name_of(run)
            values = avps.get(name) if name is not None else None
            return values[-1] if values else None

        return Accessor(spec, get, put)
    if spec.index == "*":

        def every(run: Run) -> Value:
            name = name_of(run)
            values = run.avps.get_all(name) if name is not None else []
            return ", ".join(map(str, values)) if values else None

        def replace(run: Run, value: Value) -> None:
            name = name_of(run)
            if name is None:
                raise PvError("its name is null", str(spec))
            run.avps.remove_all(name)
            if value is not None:
                run.avps.add(name, value)

        return Accessor(spec, every, replace)
    index_of = int_param(str(spec), spec.index)

    def nth(run: Run) -> Value:
        name, index = name_of(run), index_of(run)
        return run.avps.get(name, index) if name is not None and index is not None and index >= 0 else None

    # Kamailio heeds no index but * when it writes.
    return Accessor(spec, nth, put)


def count(spec: Spec) -> Callable[[Run], int]:
    """``$cnt($avp(x))``."""
    _, name_of = _name(spec)

    def number(run: Run) -> int:
        name = name_of(run)
        return len(run.avps.get_all(name)) if name is not None else 0

    return number
