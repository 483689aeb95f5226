"""How a KSR function is declared: once, in the module that implements it.

A Kamailio module is a class derived from :class:`Module` in a file of its own in this folder. Its KEMI functions are
methods marked with :func:`export`; their annotations are their KEMI types. Its ``modparam`` names are class attributes
made with :class:`Param`, its RPC commands methods marked with :func:`rpc`::

    class Maxfwd(Module):
        name = "maxfwd"
        max_limit = Param(256, "the upper limit of Max-Forwards: int")

        @export
        def process_maxfwd(self, run: Run, limit: int) -> int:
            '''Decrement Max-Forwards ...'''

From these declarations come the KSR object, its argument checks, completion, the stubs and the coverage report.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, overload

if TYPE_CHECKING:
    from ..proxy import Proxy

#: What ``xval`` functions return: str, int, or None for Kamailio's null.
Value = str | int | None

F = TypeVar("F", bound=Callable[..., Any])

#: How long the line is that says what a function does.
SUMMARY = 100

_PARAM_TYPES = {"int": "int", "str": "str"}
_RETURN_TYPES = {"int": "int", "bool": "bool", "None": "none", "Value": "xval", "str": "str"}


class Decl:
    """The declaration of one KEMI function: Kamailio's name, parameter types ('int', 'str'), return type.

    ``ret``: 'int', 'bool', 'none', 'str' or 'xval' (str, int or None).
    ``variadic``: ``params`` describes the leading ones, int or str may follow (``KSR.x.modf`` only).
    """

    __slots__ = ("module", "name", "params", "names", "ret", "doc", "attr", "arity", "variadic")

    def __init__(
        self,
        module: str,
        name: str,
        params: tuple[str, ...],
        ret: str,
        *,
        names: tuple[str, ...] = (),
        doc: str = "",
        attr: str = "",
        variadic: bool = False,
    ) -> None:
        self.module = module
        self.name = name
        self.params = params
        self.names = names or tuple(f"{'code' if p == 'int' else 'text'}{n}" for n, p in enumerate(params, 1))
        self.ret = ret
        self.doc = doc
        self.attr = attr or name
        self.variadic = variadic
        # A negative arity marks a call kept as (declaration, tuple of arguments, result) in Run.calls.
        self.arity = -1 if variadic else len(params)

    @property
    def decl(self) -> Decl:
        return self

    @property
    def path(self) -> str:
        """``KSR.sl.send_reply``."""
        return f"KSR.{self.module}.{self.name}" if self.module else f"KSR.{self.name}"

    @property
    def summary(self) -> str:
        """What the function does in a line of at most 100 characters: the beginning of its documentation."""
        text = " ".join(self.doc.partition("\n\n")[0].split()).replace("``", "")
        if len(text) <= SUMMARY and not text.endswith(":"):
            return text
        end = max(text.rfind(". ", 0, SUMMARY), text.rfind("; ", 0, SUMMARY))
        return text[:end] + "." if end > 0 else text

    @property
    def signature(self) -> str:
        """``KSR.sl.send_reply(code: int, reason: str) -> int``."""
        params = ", ".join(f"{n}: {t}" for n, t in zip(self.names, self.params, strict=True))
        params += ", *args: int | str" if self.variadic else ""
        ret = {"none": "None", "xval": "str | int | None"}.get(self.ret, self.ret)
        return f"{self.path}({params}) -> {ret}"

    def __repr__(self) -> str:
        return f"<{self.signature}>"


class KsrError(Exception):
    """A KSR function could not do its work: the script sees it like any exception."""


class KsrArgumentError(KsrError, TypeError):
    """Wrong number or types of arguments: names the function, what it expects and what came."""

    def __init__(self, decl: Decl, args: tuple[Any, ...], hint: str = "") -> None:
        got = "(" + ", ".join(map(repr, args)) + ("," if len(args) == 1 else "") + ")"
        super().__init__(f"{decl.signature}: got {got}{'; ' + hint if hint else ''}")


@overload
def export(fn: F) -> F: ...
@overload
def export(*, name: str = "", inline: bool = False) -> Callable[[F], F]: ...
def export(fn: F | None = None, *, name: str = "", inline: bool = False) -> F | Callable[[F], F]:
    """Mark a method ``(self, run, ...)`` as a KEMI function, by its own name or by ``name``.

    ``inline``: the facade does in place what it does, without a call. For the cheapest only: its one ``return``, if
    it has any, is its end.
    """

    def mark(method: F) -> F:
        method.__ksr_export__ = name or method.__name__  # type: ignore[attr-defined]
        method.__ksr_inline__ = inline  # type: ignore[attr-defined]
        return method

    return mark(fn) if fn is not None else mark


def rpc(name: str) -> Callable[[F], F]:
    """Mark a method ``(self, params: list[Any]) -> Any`` as an RPC command; the docstring's first line is its help."""

    def mark(method: F) -> F:
        method.__ksr_rpc__ = name  # type: ignore[attr-defined]
        return method

    return mark


class RpcError(Exception):
    """An RPC command failed: Kamailio's code (400, 404, 500 ...) and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Repeated(str):
    """A name that may stand in an object more than once: equal to itself only. Some of Kamailio's answers have that."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class ParamError(ValueError):
    """A module parameter is unknown or its value is of the wrong kind."""


class Param:
    """A module parameter: its default (which gives its type, int or str), its meaning; ``multi``: may be set often.

    A ``multi`` parameter is a list of the values given, empty by default. The value is read as an ordinary attribute.
    """

    def __init__(self, default: int | str, doc: str, *, multi: bool = False) -> None:
        self.default = default
        self.type: type = type(default)
        self.doc = doc
        self.multi = multi
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: type) -> Any: ...
        def __set__(self, instance: Any, value: Any) -> None: ...

    def initial(self) -> Any:
        return [] if self.multi else self.default

    def convert(self, module: str, value: int | str) -> int | str:
        if self.type is int:
            try:
                return int(value)
            except ValueError:
                raise ParamError(f"modparam {module}:{self.name} expects an integer, got {value!r}") from None
        return str(value)


class Module:
    """One Kamailio module. ``proxy`` is the proxy it works in; state that scripts change lives in the instance.

    Life: constructed with defaults, then parameters are set, then :meth:`start` (open, load, check: raise
    ``ParamError`` or the module's own error with one clear line), later :meth:`stop`.
    """

    name: ClassVar[str] = ""
    params: ClassVar[dict[str, Param]] = {}
    exports: ClassVar[dict[str, Decl]] = {}
    rpcs: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        params: dict[str, Param] = {}
        exports: dict[str, Decl] = {}
        rpcs: dict[str, str] = {}
        for klass in reversed(cls.__mro__):
            for attr, value in vars(klass).items():
                if isinstance(value, Param):
                    params[attr] = value
                elif (kemi := getattr(value, "__ksr_export__", None)) is not None:
                    exports[kemi] = _declare(cls.name, kemi, attr, value)
                elif (command := getattr(value, "__ksr_rpc__", None)) is not None:
                    rpcs[command] = attr
        cls.params, cls.exports, cls.rpcs = params, exports, rpcs

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        for name, param in self.params.items():
            setattr(self, name, param.initial())

    def set_param(self, name: str, value: int | str) -> None:
        """Set a parameter by its Kamailio name. Raises :class:`ParamError`."""
        param = self.params.get(name)
        if param is None:
            known = ", ".join(sorted(self.params)) or "none"
            raise ParamError(f"module {self.name or 'core'} has no parameter {name!r}; it has: {known}")
        converted = param.convert(self.name or "core", value)
        if param.multi:
            getattr(self, name).append(converted)
        else:
            setattr(self, name, converted)

    def start(self) -> None:
        """Parameters are set: open, load and check."""

    def waits(self) -> bool | Collection[str]:
        """Whether its functions, as it is configured, may wait for somebody outside (``proxy.wait``); the names of
        those that may, when others do not."""
        return False

    def stop(self) -> None:
        """The proxy ends: write what must last, close."""

    def fork(self, proxy: Proxy) -> Self:
        """A copy for a sandbox: reads see the live state, writes stay in the copy. Modules with state override it."""
        new = copy.copy(self)
        new.proxy = proxy
        return new


def _declare(module: str, name: str, attr: str, method: Callable[..., Any]) -> Decl:
    code = method.__code__
    names = code.co_varnames[2 : code.co_argcount]
    hints = {n: t if isinstance(t, str) else getattr(t, "__name__", str(t)) for n, t in method.__annotations__.items()}
    try:
        params = tuple(_PARAM_TYPES[hints[n]] for n in names)
        ret = _RETURN_TYPES[hints["return"]]
    except KeyError as missing:
        raise TypeError(
            f"{module}.{name}: a KEMI function needs annotations int or str, returns int, bool, str, Value or None: "
            f"{missing}"
        ) from None
    variadic = bool(code.co_flags & inspect.CO_VARARGS)
    return Decl(module, name, params, ret, names=names, doc=inspect.getdoc(method) or "", attr=attr, variadic=variadic)
