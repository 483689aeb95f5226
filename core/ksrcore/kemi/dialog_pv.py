"""The variables of dialog: ``$dlg(...) $dlg_ctx(...) $dlg_var(...) $DLG_status $DLG_lifetime $DLG_count``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..pv.errors import PvError
from ..pv.registry import Accessor, Value, pv, pv_class
from ..pv.spec import Spec
from .dialog_cell import Dialog
from .dialog_context import NAME, Context, context

if TYPE_CHECKING:
    from ..run import Run
    from .dialog import Dialogs

__all__: list[str] = []


def _module(run: Run) -> Dialogs:
    return run.proxy.modules.dialog


_DLG: Final[dict[str, Callable[[Dialog], Value]]] = {
    "h_id": lambda d: d.h_id,
    "h_entry": lambda d: d.h_entry,
    # The look counts.
    "ref": lambda d: d.ref + 1,
    "state": lambda d: d.state,
    "to_rroute": lambda d: d.callee.routes or None,
    "from_rroute": lambda d: d.caller.routes or None,
    "callid": lambda d: d.callid,
    "from_uri": lambda d: d.from_uri,
    "to_uri": lambda d: d.to_uri,
    "from_tag": lambda d: d.caller.tag or None,
    "to_tag": lambda d: d.callee.tag or None,
    "toroute": lambda d: -1 if d.toroute else 0,
    "toroute_name": lambda d: None,
    "from_cseq": lambda d: d.caller.cseq or None,
    "to_cseq": lambda d: d.callee.cseq or None,
    "from_contact": lambda d: d.caller.contact or None,
    "to_contact": lambda d: d.callee.contact or None,
    "from_bindaddr": lambda d: d.caller.listen.text if d.caller.listen is not None else None,
    "to_bindaddr": lambda d: d.callee.listen.text if d.callee.listen is not None else None,
    "lifetime": lambda d: d.lifetime,
    "start_ts": lambda d: d.start_ts,
    "dflags": lambda d: d.dflags,
    "sflags": lambda d: d.sflags,
}


@pv_class("dlg")
def _dlg(spec: Spec) -> Accessor:
    """An attribute of the message's dialog, null without one."""
    read = _DLG.get((spec.inner or "").strip())
    if read is None:
        raise PvError(f"expected one of {', '.join(_DLG)} in the parentheses, got {spec.inner!r}", str(spec))

    def get(run: Run) -> Value:
        dialog = _module(run).of(run)
        return None if dialog is None else read(dialog)

    return Accessor(spec, get)


def _nothing(own: Context, value: Value) -> None:
    """Kamailio takes the value and does nothing with it."""


def _number(value: Value) -> int:
    return value if isinstance(value, int) else 0


def _set_on(own: Context, value: Value) -> None:
    own.on = _number(value)


def _set_timeout(own: Context, value: Value) -> None:
    own.timeout = _number(value)


def _set_timeout_bye(own: Context, value: Value) -> None:
    own.timeout_bye = _number(value)


def _set_timeout_route(own: Context, value: Value) -> None:
    own.timeout_route = value if isinstance(value, str) else ""


_CONTEXT: Final[dict[str, tuple[Callable[[Context, bool], Value], Callable[[Context, Value], None]]]] = {
    "on": (lambda own, known: own.on, _set_on),
    "timeout": (lambda own, known: own.timeout, _set_timeout),
    "timeout_bye": (lambda own, known: own.timeout_bye, _set_timeout_bye),
    # The name of a route of the native script: a callback has none.
    "timeout_route": (lambda own, known: None, _set_timeout_route),
    "timeout_route_id": (lambda own, known: 0, _nothing),
    "set": (lambda own, known: int(known), _nothing),
    "dir": (lambda own, known: own.dir, _nothing),
}


@pv_class("dlg_ctx")
def _dlg_ctx(spec: Spec) -> Accessor:
    """What the script says of the message's dialog, before that is made."""
    found = _CONTEXT.get((spec.inner or "").strip())
    if found is None:
        raise PvError(f"expected one of {', '.join(_CONTEXT)} in the parentheses, got {spec.inner!r}", str(spec))
    read, write = found

    def get(run: Run) -> Value:
        own = context(run.msg)
        return read(own, own.key is not None)

    def put(run: Run, value: Value) -> None:
        write(context(run.msg), value)

    return Accessor(spec, get, put)


@pv_class("dlg_var")
def _dlg_var(spec: Spec) -> Accessor:
    """A text kept with the dialog, or with the message until there is one."""
    key = spec.inner or ""
    if not key:
        raise PvError("expected a name in the parentheses: $dlg_var(name)", str(spec))

    def get(run: Run) -> Value:
        dialog = _module(run).of(run)
        if dialog is not None:
            return dialog.variables.get(key)
        own = run.msg.extra.get(NAME)
        return own.variables.get(key) if isinstance(own, Context) else None

    def put(run: Run, value: Value) -> None:
        if isinstance(value, int):
            raise PvError(f"expected a text, got {value!r}", str(spec))
        _module(run).set_variable(run, key, value, True)

    return Accessor(spec, get, put)


@pv("DLG_count")
def _count(run: Run) -> Value:
    """How many calls are up."""
    return run.proxy.counters["dialog:active_dialogs"]


def _routed(run: Run) -> Dialog | None:
    """The dialog of a request within one."""
    own = run.msg.extra.get(NAME)
    if not isinstance(own, Context) or not own.routed:
        return None
    return _module(run).table.get(own.key)


@pv("DLG_status")
def _status(run: Run) -> Value:
    """The state of the dialog that a request within one was found to belong to."""
    dialog = _routed(run)
    return None if dialog is None else dialog.state


@pv("DLG_lifetime")
def _lifetime(run: Run) -> Value:
    """The seconds since that dialog began."""
    dialog = _routed(run)
    if dialog is None:
        return None
    if dialog.end_ts:
        return dialog.end_ts - dialog.start_ts
    return int(run.proxy.wall()) - dialog.start_ts
