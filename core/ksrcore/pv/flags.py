"""Flags as numbers: ``$mf $mF`` of the message, ``$bf $bF`` of the main branch, ``$sf $sF`` of the script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .parts import only_int, signed
from .registry import Value, pv, setter

if TYPE_CHECKING:
    from ..run import Run

_MASK = 0xFFFFFFFF


@pv("mf")
def message_flags(run: Run) -> Value:
    return signed(run.msg.flags & _MASK)


@pv("mF")
def message_flags_hex(run: Run) -> Value:
    return f"{run.msg.flags & _MASK:08x}"


@pv("bf")
def branch_flags(run: Run) -> Value:
    return signed(run.msg.bflags & _MASK)


@pv("bF")
def branch_flags_hex(run: Run) -> Value:
    return f"{run.msg.bflags & _MASK:08x}"


@pv("sf")
def script_flags(run: Run) -> Value:
    return signed(run.local.get("sflags", 0) & _MASK)


@pv("sF")
def script_flags_hex(run: Run) -> Value:
    return f"{run.local.get('sflags', 0) & _MASK:08x}"


@setter("mf", "mF")
def set_message_flags(run: Run, value: Value) -> None:
    run.msg.flags = only_int("$mf", value) & _MASK


@setter("bf", "bF")
def set_branch_flags(run: Run, value: Value) -> None:
    run.msg.bflags = only_int("$bf", value) & _MASK


@setter("sf", "sF")
def set_script_flags(run: Run, value: Value) -> None:
    run.local["sflags"] = only_int("$sf", value) & _MASK
