"""Watchpoints: a pseudo-variable or a header field whose change is noticed."""

from __future__ import annotations

import re
from copy import copy
from typing import TYPE_CHECKING, Any

from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from . import states
from .errors import DebugError

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import SipMessage

_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_UNSEEN: Any = object()


class Watch:
    """``$du``, or the name of a header field: what it would be if the message left now.

    Raises :class:`DebugError` when it is neither.
    """

    def __init__(self, name: str) -> None:
        self.name = name = name.strip()
        self._spec = None
        if name.startswith("$"):
            try:
                self._spec = compile_spec(name)
            except PvError as error:
                raise DebugError(f"cannot watch {name}: {error}") from None
        elif not _TOKEN.fullmatch(name):
            raise DebugError(f"cannot watch {name!r}: expected a pseudo-variable ('$du') or a header's name ('Route')")
        self._key = name.lower()

    def value(self, run: Run) -> Any:
        """str, int or None of a variable; the bodies of a header's fields, joined by ``, ``, None without any."""
        if self._spec is not None:
            return self._spec.get(copy(run))
        bodies = []
        lines = states.outgoing(run.msg, run.proxy.listens).partition("\r\n\r\n")[0].split("\r\n")[1:]
        for line in lines:
            name, _, body = line.partition(":")
            if name.strip().lower() == self._key:
                bodies.append(body.strip())
        return ", ".join(bodies) if bodies else None


class Watched:
    """A watch on one message: ``changed(run)`` tells (old, new) since it was last asked, None when it is the same."""

    __slots__ = ("watch", "_msg", "_last", "_edits")

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._msg: SipMessage | None = None
        self._last: Any = _UNSEEN
        self._edits: object = None

    def changed(self, run: Run) -> tuple[Any, Any] | None:
        msg = run.msg
        if self.watch._spec is None:
            # Putting the whole message together at each line would take long: only when there are other edits.
            edits = (msg, len(msg.lumps.items), msg.new_uri)
            if edits == self._edits:
                return None
            self._edits = edits
        new = self.watch.value(run)
        old, self._last = self._last, new
        if msg is not self._msg:
            # Another message: a failure route's copy of the request, a reply.
            self._msg = msg
            return None
        return (old, new) if old != new else None
