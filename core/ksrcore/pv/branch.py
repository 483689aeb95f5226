"""The destination set: ``$branch(attr) $br $bR $ds``, and the static branch ``$sbranch(attr)``.

``$(branch(attr)[n])`` is the n-th branch beside the Request-URI, negative from the last. The static branch is a draft
that ``KSR.pvx.sbranch_append()`` and ``sbranch_set_ruri()`` use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..sip.message import Branch
from .address import find_socket
from .errors import PvError
from .parts import only_int, only_text, signed
from .registry import Accessor, Value, pv, pv_class, setter
from .spec import Spec
from .transformations.registry import int_param

if TYPE_CHECKING:
    from ..run import Run

_READ: dict[str, Callable[[Branch], Value]] = {
    "uri": lambda b: b.uri or None,
    "dst_uri": lambda b: b.dst_uri or None,
    "path": lambda b: b.path or None,
    "q": lambda b: b.q if b.q >= 0 else None,
    "send_socket": lambda b: b.socket.text if b.socket is not None else None,
    "flags": lambda b: signed(b.flags & 0xFFFFFFFF),
    "ruid": lambda b: b.ruid or None,
    "location_ua": lambda b: b.location_ua or None,
    "otcpid": lambda b: b.otcpid,
    "instance": lambda b: b.instance or None,
}

_WRITTEN = ("uri", "dst_uri", "path", "q", "send_socket", "flags")


def _write(run: Run, branch: Branch, attr: str, value: Value, name: str) -> None:
    """Null resets. ruid, location_ua, otcpid and instance are not changed, as in Kamailio."""
    if attr in ("dst_uri", "path", "uri"):
        setattr(branch, attr, "" if value is None else only_text(name, value))
    elif attr == "q":
        branch.q = -1 if value is None else only_int(name, value)
    elif attr == "flags":
        branch.flags = only_int(name, value) & 0xFFFFFFFF
    elif attr == "send_socket":
        branch.socket = None if value is None else find_socket(run, name, only_text(name, value)) or branch.socket


def _attr(spec: Spec, extra: tuple[str, ...]) -> str:
    attr = (spec.inner or "").strip()
    if attr not in _READ and attr not in extra:
        names = ", ".join((*_READ, *extra))
        raise PvError(f"expected one of {names} in the parentheses, got {spec.inner!r}", str(spec))
    return attr


@pv_class("branch")
def _branch(spec: Spec) -> Accessor:
    attr = _attr(spec, ("count",))
    if attr == "count":
        return Accessor(spec, lambda run: len(run.msg.branches) or None, lambda run, value: None)
    index_of = int_param(str(spec), "0" if spec.index in (None, "*") else str(spec.index))
    read = _READ[attr]

    def get(run: Run) -> Value:
        branches = run.msg.branches
        index = index_of(run)
        if index is None or not -len(branches) <= index < len(branches):
            return None
        return read(branches[index])

    def put(run: Run, value: Value) -> None:
        branches = run.msg.branches
        index = index_of(run)
        if index is None or not -len(branches) <= index < len(branches):
            raise PvError(f"there is no branch {index}", str(spec))
        if attr == "uri" and value is None:
            del branches[index]
        else:
            _write(run, branches[index], attr, value, str(spec))

    return Accessor(spec, get, put)


@pv_class("sbranch")
def _sbranch(spec: Spec) -> Accessor:
    attr = _attr(spec, ("count",))
    if attr == "count":
        return Accessor(spec, lambda run: 0)
    read = _READ[attr]

    def get(run: Run) -> Value:
        branch = run.proxy.modules.pv.static_branch
        return read(branch) if branch is not None else None

    def put(run: Run, value: Value) -> None:
        module = run.proxy.modules.pv
        if module.static_branch is None:
            module.static_branch = Branch("")
        _write(run, module.static_branch, attr, value, str(spec))

    return Accessor(spec, get, put)


@pv("br")
def first_branch(run: Run) -> Value:
    branches = run.msg.branches
    return branches[0].uri if branches else None


@setter("br")
def add_branch(run: Run, value: Value) -> None:
    uri = only_text("$br", value)
    if not uri:
        raise PvError("expects a URI, got an empty string", "$br")
    run.msg.branches.append(Branch(uri))


def _contact(branch: Branch, plain: bool) -> str:
    if branch.q >= 0:
        q = f"{branch.q // 1000}.{branch.q % 1000:03d}".rstrip("0").rstrip(".")
        return f"<{branch.uri}>;q={q}"
    return branch.uri if plain else f"<{branch.uri}>"


@pv("bR")
def all_branches(run: Run) -> Value:
    branches = run.msg.branches
    return ", ".join([_contact(b, True) for b in branches]) if branches else None


@pv("ds")
def destination_set(run: Run) -> Value:
    """The branches as a Contact field, without its line end."""
    branches = run.msg.branches
    return "Contact: " + ", ".join([_contact(b, False) for b in branches]) if branches else None


@pv("ruid")
def ruid(run: Run) -> Value:
    return run.msg.ruid or None


@pv("location_ua")
def location_ua(run: Run) -> Value:
    return run.msg.location_ua or None
