"""The KSR object that scripts import: built from the declarations, one small function each.

A function of it checks its arguments, runs the implementation on the current run and records the call. It is on the
path of every message a hundred times, so each shape of parameters has its own generated code: a type comparison per
argument, one ``if`` for the debugger, one ``extend`` for the recorder.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable
from time import perf_counter
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..run import Run
from .declare import Decl, KsrArgumentError, KsrError, Module

if TYPE_CHECKING:
    from ..proxy import Proxy


class KsrNotImplemented(KsrError, NotImplementedError):
    """Kamailio has this function and ksrshell does not yet."""


class KsrUnknown(KsrError, AttributeError):
    """No Kamailio has a function or module of this name."""


class Env:
    """Where the facade finds its run. ``hook``, when set, is asked instead: sandboxes and debugged routes use it.

    ``hook(decl, args)`` returns the result of the call.
    """

    __slots__ = ("run", "hook")

    def __init__(self) -> None:
        self.run: Run = None  # type: ignore[assignment]
        self.hook: Callable[[Decl, tuple[Any, ...]], Any] | None = None


class Failed:
    """Takes a declaration's place in ``Run.calls`` for a call whose arguments could not be used."""

    __slots__ = ("decl",)
    arity = -1

    def __init__(self, decl: Decl) -> None:
        self.decl = decl


def to_wire(text: str) -> str:
    """Text of the script (Unicode) as the core has it: each character one byte of its UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def from_wire(text: str) -> str:
    """The core's text as the script sees it: UTF-8 decoded, bytes that are not UTF-8 as lone surrogates."""
    return text.encode("latin-1", "surrogateescape").decode("utf-8", "surrogateescape")


def coerce(decl: Decl, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments as the implementation wants them, or :class:`KsrArgumentError`. As in Kamailio bool counts as int, and
    a function without parameters does not look at what it is given."""
    count = len(decl.params)
    if not count and not decl.variadic:
        return ()
    kinds = decl.params
    if decl.variadic and len(args) > count:
        kinds += tuple("int" if isinstance(arg, int) else "str" for arg in args[count:])
    elif len(args) != count:
        least = "at least " if decl.variadic else ""
        raise KsrArgumentError(decl, args, f"it takes {least}{count} argument{'' if count == 1 else 's'}")
    out: list[Any] = []
    for kind, arg in zip(kinds, args, strict=True):
        if kind == "int":
            if not isinstance(arg, int):
                hint = f"did you mean {arg}?" if isinstance(arg, str) and arg.lstrip("+-").isdigit() else ""
                raise KsrArgumentError(decl, args, hint)
            out.append(int(arg))
        else:
            if not isinstance(arg, str):
                hint = f"did you mean {str(arg)!r}?" if isinstance(arg, int) else ""
                hint = "it is null: use KSR.pv.gete() to get '' for a null" if arg is None else hint
                raise KsrArgumentError(decl, args, hint)
            out.append(str(arg) if arg.isascii() else to_wire(arg))
    return tuple(out)


def perform(
    proxy: Proxy,
    decl: Decl,
    args: tuple[Any, ...],
    made: Callable[[Decl, tuple[Any, ...], Any, float], None] | None = None,
) -> Any:
    """A KSR call on the proxy's current run, as the facade's own functions make it: for whoever is in their way.

    ``made(decl, args, result, seconds)`` is told of it; the result is the exception when it raised. Raises what the
    function raises, :class:`KsrNotImplemented` for one that is not there.
    """
    run = proxy.env.run
    started = perf_counter()
    try:
        module = proxy.modules.get(decl.module)
        if module is None or decl.name not in module.exports:
            raise _not_implemented(decl)
        converted = coerce(decl, args)
    except Exception as error:
        run.calls.extend((Failed(decl), args, error))
        raise
    try:
        result = getattr(module, decl.attr)(run, *converted)
    except BaseException as error:
        _keep(run, decl, converted, error)
        if made is not None:
            made(decl, converted, error, perf_counter() - started)
        raise
    if isinstance(result, str) and not result.isascii():
        result = from_wire(result)
    _keep(run, decl, converted, result)
    if made is not None:
        made(decl, converted, result, perf_counter() - started)
    return result


def _keep(run: Run, decl: Decl, args: tuple[Any, ...], result: Any) -> None:
    run.calls.extend((decl, args, result) if decl.variadic else (decl, *args, result))


def find_decl(proxy: Proxy, name: str) -> Decl:
    """The declaration of ``hdr.append`` or ``KSR.hdr.append``. Raises :class:`KsrUnknown` naming the nearest,
    :class:`KsrNotImplemented`."""
    name = name.removeprefix("KSR.")
    module, _, function = name.rpartition(".")
    found = proxy.modules.get(module)
    decl = found.exports.get(function) if found is not None else None
    if decl is not None:
        return decl
    # The facade knows better what to say: known but not there yet, or the nearest name.
    value: Any = getattr(proxy.script, "ksr", None)
    if isinstance(value, KsrModule):
        for part in name.split("."):
            value = getattr(value, part)
        decl = getattr(value, "__ksr_decl__", None)
        if decl is not None:
            raise _not_implemented(decl)
    raise KsrUnknown(f"KSR.{name} is not a function")


_MISSING: Any = type("Missing", (), {"__repr__": lambda self: "<missing>", "__slots__": ()})()

_TEMPLATE = """\
def make(env, impl, decl, failed, coerce, given, MISSING, to_wire, from_wire):
    self = impl.__self__
    def {name}({signature}):
        if env.hook is not None:
            return env.hook(decl, {given})
        {check}
        run = env.run
        try:
            {work}
            {convert}calls = run.calls
            calls += {record}
            return result
        except BaseException as error:
            run.calls.extend({record_error})
            raise
    return {name}
"""


def _generate(params: tuple[str, ...], ret: str) -> Callable[..., Any]:
    """The maker of facade functions of this shape."""
    args = tuple(f"a{n}" for n in range(len(params)))
    return _compile(args, params, ret, f"result = impl({', '.join(('run', *args))})", {})


def _inline(method: Callable[..., Any], decl: Decl) -> Callable[..., Any]:
    """The maker of a facade function that does the work of ``method`` itself (see ``export``)."""
    try:
        function: Any = ast.parse(textwrap.dedent(inspect.getsource(method))).body[0]
    except OSError:  # installed without its source
        return _generate(decl.params, decl.ret)
    start = 0 if ast.get_docstring(function) is None else 1
    statements = function.body[start:]
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
    if returns not in ([], statements[-1:]):
        raise TypeError(f"{decl.path} cannot be inline: it returns before its end")
    value = ast.unparse(returns[0].value) if returns and returns[0].value is not None else "None"
    work = "\n".join([*map(ast.unparse, statements[: len(statements) - len(returns)]), f"result = {value}"])
    found = inspect.getclosurevars(method)
    return _compile(
        decl.names, decl.params, decl.ret, textwrap.indent(work, " " * 12).strip(), {**found.globals, **found.nonlocals}
    )


def _compile(
    args: tuple[str, ...], params: tuple[str, ...], ret: str, work: str, scope: dict[str, Any]
) -> Callable[..., Any]:
    """The maker of facade functions with these parameters; ``work`` is code that sets ``result``."""
    tests = [f"type({a}) is not {kind}" for a, kind in zip(args, params, strict=True)]
    given = "given(" + ", ".join([*args, "rest"]) + ")"
    pack = ", ".join(args) + ("," if args else "")
    check = (
        f"if rest{''.join(' or ' + t for t in tests)}:\n"
        f"            try:\n"
        f"                ({pack}) = coerce(decl, {given})\n"
        f"            except BaseException as error:\n"
        f"                env.run.calls.extend((failed, {given}, error))\n"
        f"                raise"
    )
    for a, kind in zip(args, params, strict=True):
        if kind == "str":
            check += f"\n        if not {a}.isascii():\n            {a} = to_wire({a})"
    source = _TEMPLATE.format(
        name="ksr",
        signature="".join(f"{a}=MISSING, " for a in args) + "*rest",
        given=given,
        check=check if args else check.replace("() = coerce", "coerce"),
        work=work,
        record=f"(decl, {pack} result)",
        record_error=f"(decl, {pack} error)",
        convert=(
            "if type(result) is str and not result.isascii():\n                result = from_wire(result)\n            "
            if ret in ("xval", "str")
            else ""
        ),
    )
    exec(compile(source, f"<KSR {ret}({', '.join(params)})>", "exec"), scope)
    return scope["make"]  # type: ignore[no-any-return]


_makers: dict[object, Callable[..., Any]] = {}


def _given(*args: Any) -> tuple[Any, ...]:
    """The arguments the caller wrote: those not missing, and the rest."""
    return tuple(a for a in args[:-1] if a is not _MISSING) + args[-1]  # type: ignore[no-any-return]


def _document(fn: Any, decl: Decl) -> Any:
    fn.__name__ = decl.name
    fn.__qualname__ = decl.path.removeprefix("KSR.")
    fn.__module__ = "KSR"
    fn.__doc__ = decl.doc
    kinds = {"int": int, "str": str}
    returns = {"int": int, "bool": bool, "none": None, "str": str, "xval": str | int | None}
    parameters = [
        inspect.Parameter(n, inspect.Parameter.POSITIONAL_ONLY, annotation=kinds[k])
        for n, k in zip(decl.names, decl.params, strict=True)
    ]
    if decl.variadic:
        parameters.append(inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL, annotation=int | str))
    fn.__signature__ = inspect.Signature(parameters, return_annotation=returns[decl.ret])
    fn.__ksr_decl__ = decl
    return fn


def facade_function(env: Env, impl: Callable[..., Any], decl: Decl) -> Any:
    """The function scripts call for ``decl``."""
    method = impl.__func__ if getattr(impl, "__ksr_inline__", False) else None  # type: ignore[attr-defined]
    key = method or (decl.params, decl.ret)
    maker = _makers.get(key)
    if maker is None:
        maker = _makers[key] = _generate(decl.params, decl.ret) if method is None else _inline(method, decl)
    return _document(maker(env, impl, decl, Failed(decl), coerce, _given, _MISSING, to_wire, from_wire), decl)


def variadic_function(env: Env, impl: Callable[..., Any], decl: Decl) -> Any:
    """The function scripts call for a declaration with any number of arguments."""

    def ksr(*args: Any) -> Any:
        if env.hook is not None:
            return env.hook(decl, args)
        run = env.run
        try:
            args = coerce(decl, args)
            result = impl(run, *args)
        except BaseException as error:
            run.calls.extend((decl, args, error))
            raise
        run.calls.extend((decl, args, result))
        return result

    return _document(ksr, decl)


def _not_implemented(decl: Decl) -> KsrNotImplemented:
    does = f" ({decl.summary.rstrip('.')})" if decl.doc else ""
    return KsrNotImplemented(f"{decl.signature}: Kamailio has this function{does}, ksrshell does not implement it yet")


def missing_function(env: Env, decl: Decl) -> Any:
    """A function that Kamailio has and we do not: it says so when called."""

    def call(*args: Any) -> Any:
        if env.hook is not None:
            return env.hook(decl, args)
        error = _not_implemented(decl)
        env.run.calls.extend((Failed(decl), args, error))
        raise error

    return _document(call, decl)


class KsrModule(ModuleType):
    """``KSR`` itself and each ``KSR.<module>``: unknown names raise an error that names the nearest real one."""

    def __getattr__(self, attr: str) -> Any:
        if attr.startswith("__"):
            raise AttributeError(attr)
        raise KsrUnknown(self._unknown(attr))

    def __call__(self, *args: Any) -> Any:
        raise KsrUnknown(self._unknown())

    def _unknown(self, attr: str = "") -> str:
        from .catalog import kamailio  # it needs all modules

        return kamailio().unknown(f"{self.__name__}.{attr}".removesuffix(".").removeprefix("KSR").removeprefix("."))

    def __setattr__(self, attr: str, value: Any) -> None:
        if attr.startswith("__"):
            super().__setattr__(attr, value)
        else:
            raise KsrError(f"{self.__name__}.{attr} cannot be assigned: KSR is Kamailio's, not the script's")


def build(env: Env, modules: Iterable[Module], known: Iterable[Decl]) -> KsrModule:
    """The KSR object over these modules; ``known`` are Kamailio's other functions, which raise when called."""
    ksr = KsrModule("KSR", "Kamailio's KEMI interface.")
    parts: dict[str, ModuleType] = {"": ksr}

    def part(name: str) -> ModuleType:
        if name not in parts:
            parts[name] = KsrModule(f"KSR.{name}", f"KEMI functions of Kamailio's module {name}.")
            vars(ksr)[name] = parts[name]
        return parts[name]

    for module in modules:
        for decl in module.exports.values():
            make = variadic_function if decl.variadic else facade_function
            vars(part(decl.module))[decl.name] = make(env, getattr(module, decl.attr), decl)
    for decl in known:
        vars(part(decl.module)).setdefault(decl.name, missing_function(env, decl))
    return ksr
