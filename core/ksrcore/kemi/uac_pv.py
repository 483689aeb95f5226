"""``$uac_req(name)``: the request that KSR.uac.uac_req_send() sends, and the reply its event callback is told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..pv.errors import PvError
from ..pv.registry import Accessor, Value, pv_class
from ..pv.spec import Spec
from .uac_request import NUMBERS, TEXTS, Request

if TYPE_CHECKING:
    from ..run import Run

_ALL = "all"


def _request(run: Run) -> Request:
    found: Request = run.proxy.module("uac").request
    return found


@pv_class("uac_req")
def _uac_req(spec: Spec) -> Accessor:
    name = (spec.inner or "").strip()
    if name == _ALL:

        def clear(run: Run, value: Value) -> None:
            if value is None:
                _request(run).clear()

        return Accessor(spec, lambda run: None, clear)
    if name not in TEXTS and name not in NUMBERS:
        known = ", ".join((*TEXTS, *NUMBERS, _ALL))
        raise PvError(f"expected $uac_req(name) with one of {known}", str(spec))
    number = name in NUMBERS

    def get(run: Run) -> Value:
        value: Value = getattr(_request(run), name)
        return value if number else value or None

    def put(run: Run, value: Value) -> None:
        if value is None:
            if name != "sock":  # Kamailio keeps the socket then
                setattr(_request(run), name, 0 if number else "")
        elif isinstance(value, int) is not number:
            raise PvError(f"expected {'a number' if number else 'text'}, got {value!r}", str(spec))
        else:
            setattr(_request(run), name, value)

    return Accessor(spec, get, put)
