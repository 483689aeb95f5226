"""The quality of a call as rtpengine tells it: the variables of the modparams ``mos_...``, and the packet counters.

An answer to query or delete has for each source of RTP (SSRC) its lowest, highest and average MOS. The variables get
the lowest and highest of all sources and the mean of the averages: for the whole call, and for the two parties whose
labels are in ``mos_A_label_pv`` and ``mos_B_label_pv``. MOS is tenths in the answer, ``4.3`` in the variable; times
are ``minutes:seconds`` since the call began; what was not told is -1.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..net.ng import NgValue
from ..pv.accessor import compile_spec
from ..pv.errors import PvError
from ..pv.registry import Accessor
from .declare import Module, Param, ParamError

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["MosParams", "counters", "variable"]

log = logging.getLogger("ksrcore.rtpengine")

#: Part of a parameter's name, the field of rtpengine's.
_FIELDS = (
    ("", "MOS"),
    ("_at", "reported at"),
    ("_packetloss", "packet loss"),
    ("_jitter", "jitter"),
    ("_roundtrip", "round-trip time"),
    ("_roundtrip_leg", "round-trip time leg"),
    ("_samples", "samples"),
)
_KINDS = {"min": "lowest MOS", "max": "highest MOS", "average": "average MOS"}
_SIDES = {"": "the call", "_A": "party A", "_B": "party B"}


def _params() -> Iterator[tuple[str, str, str, str]]:
    """(parameter, side, kind, field) of each variable."""
    for side in _SIDES:
        for kind in _KINDS:
            for part, field in _FIELDS:
                if field != ("reported at" if kind == "average" else "samples"):
                    yield f"mos_{kind}{part}{side}_pv", side, kind, field


def variable(module: str, param: str, text: str) -> Accessor | None:
    """What a parameter that names a variable names, None for ''. Raises ParamError when it cannot be written."""
    if not text:
        return None
    try:
        found = compile_spec(text)
    except PvError as error:
        raise ParamError(f"modparam {module}:{param} expects a variable: {error}") from None
    if not found.writable:
        raise ParamError(f"modparam {module}:{param} expects a variable that can be written, got {text!r}")
    return found


class MosParams(Module):
    """The parameters ``mos_...``, and writing their variables."""

    mos_A_label_pv = Param("", "variable with the label of party A: str")
    mos_B_label_pv = Param("", "variable with the label of party B: str")

    #: By side, kind and field.
    _mos: dict[tuple[str, str, str], Accessor]
    _labels: dict[str, Accessor]

    def start_mos(self) -> None:
        """Compile the variables. Raises ParamError."""
        self._mos = {}
        self._labels = {}
        for name, side, kind, field in _params():
            found = variable("rtpengine", name, getattr(self, name))
            if found is not None:
                self._mos[side, kind, field] = found
        for side in ("_A", "_B"):
            name = f"mos{side}_label_pv"
            text = getattr(self, name)
            try:
                if text:
                    self._labels[side] = compile_spec(text)
            except PvError as error:
                raise ParamError(f"modparam rtpengine:{name} expects a variable: {error}") from None

    def tell_mos(self, run: Run, answer: Mapping[str, NgValue]) -> None:
        """Write the variables from an answer to query or delete."""
        if not self._mos:
            return
        sources = _dict(answer.get("SSRC"))
        created = _int(answer.get("created"))
        self._tell_side(run, "", [_dict(source) for source in sources.values()], created)
        for side, label in self._labels.items():
            wanted = label.get(run)
            if wanted is not None:
                found = [_dict(sources.get(str(ssrc))) for ssrc in _labelled(answer, str(wanted))]
                self._tell_side(run, side, found, created)

    def _tell_side(self, run: Run, side: str, sources: list[Mapping[str, NgValue]], created: int) -> None:
        for kind, name in _KINDS.items():
            values = [value for source in sources if (value := _values(source.get(name), created))]
            if kind == "average":
                values = [value for value in values if value["MOS"]]
            if not values:
                continue
            if kind == "average":
                # As C divides: towards zero.
                sums = {field: sum(value[field] for value in values) for _, field in _FIELDS}
                found = {field: int(total / len(values)) for field, total in sums.items()}
            else:
                found = (min if kind == "min" else max)(values, key=lambda value: value["MOS"])
            for _, field in _FIELDS:
                accessor = self._mos.get((side, kind, field))
                if accessor is not None:
                    self._put(run, accessor, _text(field, found[field]))

    @staticmethod
    def _put(run: Run, accessor: Accessor, text: str) -> None:
        try:
            accessor.set(run, text)
        except PvError as error:
            log.error("rtpengine: %s", error)


for _name, _side, _kind, _field in _params():
    _param = Param("", f"variable that gets the {_KINDS[_kind]} of {_SIDES[_side]}: {_field}: str")
    _param.name = _name
    setattr(MosParams, _name, _param)
# What __init_subclass__ has collected so far is without them.
MosParams.params = {name: value for name, value in vars(MosParams).items() if isinstance(value, Param)}


def _dict(value: Any) -> Mapping[str, NgValue]:
    return value if isinstance(value, dict) else {}


def _int(value: Any) -> int:
    return value if isinstance(value, int) else -1


def _values(told: NgValue | None, created: int) -> dict[str, int] | None:
    """The fields of one MOS; None when there is none."""
    if not isinstance(told, dict):
        return None
    values = {field: _int(told.get(field)) for _, field in _FIELDS}
    if values["MOS"] < 0:
        return None
    values["reported at"] -= created
    return values


def _text(field: str, value: int) -> str:
    if field == "MOS":
        return f"{value // 10}.{value % 10}"
    if field == "reported at":
        return f"{int(value / 60)}:{abs(value) % 60:02d}"
    return str(value)


def _labelled(answer: Mapping[str, NgValue], label: str) -> Iterator[int]:
    """The SSRCs of the streams of the party with that label."""
    for tag in _dict(answer.get("tags")).values():
        if isinstance(tag, dict) and tag.get("label") == label:
            for media in _list(tag.get("medias")):
                for stream in _list(_dict(media).get("streams")):
                    ssrc = _dict(stream).get("SSRC")
                    if isinstance(ssrc, int):
                        yield ssrc


def _list(value: Any) -> list[NgValue]:
    return value if isinstance(value, list) else []


def counters(answer: Mapping[str, NgValue]) -> str | None:
    """``RTP: 20 bytes, 2 packets, 0 errors; RTCP: ...``: the totals of an answer, None when it has none."""
    totals = _dict(answer.get("totals"))
    texts = []
    for name in ("RTP", "RTCP"):
        told = totals.get(name)
        if not isinstance(told, dict):
            return None
        texts.append(
            f"{name}: {_int(told.get('bytes'))} bytes, {_int(told.get('packets'))} packets, "
            f"{_int(told.get('errors'))} errors"
        )
    return "; ".join(texts)
