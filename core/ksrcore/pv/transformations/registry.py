"""How transformations are declared, and how a chain of them is built.

An operation is declared in the file of its class. ``@text`` takes a function of the value as text, ``@plain`` one of
the value as it is (int or str), ``@build`` a function that is given the parameters' text (None without a comma) and
returns the operation. Null stays null before all of them but those declared with ``null=True``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import PvError
from ..known import module_of
from ..spec import Transformation, parse_spec

if TYPE_CHECKING:
    from ...run import Run

__all__ = [
    "Step",
    "Value",
    "build",
    "compile_chain",
    "int_param",
    "known",
    "plain",
    "split_params",
    "text",
    "text_param",
    "to_int",
]

Value = str | int | None
Step = Callable[["Run", Value], Value]
Builder = Callable[[str | None], Step]

_builders: dict[str, Builder] = {}


def known() -> list[str]:
    """Names of all transformations, sorted: ``s.len`` ..."""
    return sorted(_builders)


def build(name: str) -> Callable[[Builder], Builder]:
    def register(builder: Builder) -> Builder:
        _builders[name] = builder
        return builder

    return register


def _without_params(name: str, step: Step) -> None:
    def builder(params: str | None) -> Step:
        if params is not None:
            raise PvError(f"{name} takes no parameters, got {params!r}", "{" + name + "," + params + "}")
        return step

    _builders[name] = builder


def text(*names: str) -> Callable[[Callable[[str], Value]], Callable[[str], Value]]:
    """Declare a function of the value as text, under one or more names."""

    def register(fn: Callable[[str], Value]) -> Callable[[str], Value]:
        def step(run: Run, value: Value) -> Value:
            return None if value is None else fn(value if type(value) is str else str(value))

        for name in names:
            _without_params(name, step)
        return fn

    return register


def plain(name: str, *, null: bool = False) -> Callable[[Callable[[Value], Value]], Callable[[Value], Value]]:
    """Declare a function of the value as it is; with ``null=True`` it is asked about null too."""

    def register(fn: Callable[[Value], Value]) -> Callable[[Value], Value]:
        def step(run: Run, value: Value) -> Value:
            return None if value is None and not null else fn(value)

        _without_params(name, step)
        return fn

    return register


def compile_chain(transformations: tuple[Transformation, ...]) -> tuple[Step, ...]:
    """The operations in order. Raises :class:`PvError` for an unknown name or bad parameters."""
    steps = []
    for item in transformations:
        builder = _builders.get(item.name)
        if builder is None:
            module = module_of("{" + item.name + "}")
            if module:
                raise PvError(f"Kamailio has it (module {module}), ksrshell does not implement it yet", str(item))
            raise PvError(f"unknown transformation {item.name}{_nearest(item.name)}", str(item))
        steps.append(builder(item.params))
    return tuple(steps)


def _nearest(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, _builders, 3)
    return f"; nearest: {', '.join(near)}" if near else ""


def split_params(name: str, params: str | None, low: int, high: int) -> list[str]:
    """``params`` at its commas outside brackets and parentheses; raises :class:`PvError` unless low..high of them."""
    parts: list[str] = []
    if params is not None:
        depth = start = 0
        for pos, char in enumerate(params):
            if char in "({[":
                depth += 1
            elif char in ")}]":
                depth -= 1
            elif char == "," and depth <= 0:
                parts.append(params[start:pos])
                start = pos + 1
        parts.append(params[start:])
    if not low <= len(parts) <= high:
        wanted = str(low) if low == high else f"{low} to {high}"
        plural = "" if wanted == "1" else "s"
        raise PvError(f"{name} takes {wanted} parameter{plural}, got {len(parts)}", _shown(name, params))
    return parts


def _shown(name: str, params: str | None) -> str:
    return "{" + name + ("" if params is None else "," + params) + "}"


def int_param(name: str, param: str) -> Callable[[Run], int | None]:
    """A number, or a pseudo-variable with a number or its digits; None when at run time it has none."""
    stripped = param.strip()
    if stripped[:1] == "$":
        get = _pv(stripped)

        def read(run: Run) -> int | None:
            value = get(run)
            return value if value is None or type(value) is int else to_int(str(value))

        return read
    number = to_int(stripped) if stripped[-1:].isdigit() else None
    if number is None:
        shown = param if len(param) <= 20 else param[:20] + "..."
        raise PvError(f"{name} expects a number of 32 bits or a pseudo-variable, got {shown!r}", _shown(name, param))
    return lambda run: number


def text_param(param: str) -> Callable[[Run], str | None]:
    """Text taken as it is, or a pseudo-variable when it begins with ``$``."""
    if param[:1] == "$" and len(param) > 1:
        get = _pv(param.rstrip())

        def read(run: Run) -> str | None:
            value = get(run)
            return None if value is None else value if type(value) is str else str(value)

        return read
    return lambda run: param


def to_int(digits: str) -> int | None:
    """A signed decimal number that fits 32 bits, or None. '' and a sole sign are 0, as Kamailio reads them."""
    unsigned = digits[1:] if digits[:1] in ("+", "-") else digits
    if not unsigned:
        return 0
    if len(unsigned) > 10 or not (unsigned.isascii() and unsigned.isdigit()):
        return None
    number = int(unsigned)
    if digits[0] == "-":
        number = -number
    return number if -0x80000000 <= number <= 0x7FFFFFFF else None


def _pv(text: str) -> Callable[[Run], Value]:
    from ..accessor import compile_parsed

    return compile_parsed(parse_spec(text)).get
