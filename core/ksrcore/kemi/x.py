"""``KSR.x``: what Kamailio's KEMI engines themselves offer: exit, drop, and calls by the name of the native function.

Lua, JavaScript and Squirrel scripts have all three; Kamailio's app_python3 has ``modf`` only and takes Python's own
``exit()``, which does the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .declare import Decl, KsrError, Module, export

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from ..run import Run

#: Native functions whose KEMI name differs.
_NATIVE = {
    "mf_process_maxfwd_header": ("maxfwd", "process_maxfwd"),
    "is_maxfwd_lt": ("maxfwd", "is_maxfwd_lt"),
    "send_reply": ("sl", "send_reply"),
    "www_authorize": ("auth_db", "www_authenticate"),
    "save": ("registrar", "save"),
    "lookup": ("registrar", "lookup"),
}


class NoFunction(KsrError, RuntimeError):
    """``KSR.x.modf()`` was given a name that no function has; app_python3 raises a RuntimeError."""


class X(Module):
    """Exit, drop and ``modf``."""

    name = "x"

    @export
    def exit(self, run: Run) -> None:
        """End the callback here."""
        self._leave()

    @export
    def drop(self, run: Run) -> None:
        """End the callback here and drop the message: a reply is not forwarded, a branch not sent."""
        run.dropped = True
        self._leave()

    def _leave(self) -> NoReturn:
        raise SystemExit

    @export
    def modf(self, run: Run, name: str, *args: int | str) -> int:
        """Call a function by its native name, arguments as text: ``KSR.x.modf("sl_send_reply", "404", "No")``.

        Runs the KEMI function of that name; 1 and -1 for its true and false. Raises KsrError when there is none, or
        when an argument is not the number that the KEMI function takes.
        """
        decl, function = self._find(name)
        if len(args) != len(decl.params):
            raise KsrError(f"KSR.x.modf({name!r}): {decl.signature} got {len(args)} arguments")
        converted: list[int | str] = []
        for kind, arg in zip(decl.params, args, strict=True):
            if kind == "str":
                converted.append(str(arg))
                continue
            try:
                converted.append(int(arg))
            except ValueError:
                raise KsrError(f"KSR.x.modf({name!r}): {decl.signature} takes a number, got {arg!r}") from None
        result = function(run, *converted)
        if isinstance(result, bool):
            return 1 if result else -1
        return result if isinstance(result, int) else 1

    def _find(self, name: str) -> tuple[Decl, Callable[..., object]]:
        modules = self.proxy.modules
        if name in _NATIVE:
            module_name, kemi = _NATIVE[name]
            if module_name in modules and kemi in modules[module_name].exports:
                decl = modules[module_name].exports[kemi]
                return decl, getattr(modules[module_name], decl.attr)
        for module in modules.values():
            decl_ = module.exports.get(name)
            if decl_ is not None and module is not self:
                return decl_, getattr(module, decl_.attr)
        raise NoFunction(
            f"KSR.x.modf({name!r}): no KEMI function of that name; call its KSR.<module>.<function> instead"
        )
