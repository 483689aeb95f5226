"""What a kamailio.cfg says, as :func:`ksrcore.kamailio.cfg.read` reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .lexer import CfgError, Place

__all__ = ["PYTHON_MODULES", "Config", "Load", "Modparam", "Route", "Setting", "Socket"]

#: The modules that run Python scripts; ``cfgengine`` calls each of them "python".
PYTHON_MODULES = ("app_python3", "app_python3s", "app_python")


@dataclass(frozen=True)
class Load:
    """A ``loadmodule``; ``name`` without folder and ``.so``."""

    name: str
    place: Place


@dataclass(frozen=True)
class Modparam:
    """A ``modparam`` for one module: "nathelper|registrar" are two."""

    module: str
    name: str
    value: int | str
    place: Place


@dataclass(frozen=True)
class Socket:
    """A ``listen``. ``proto`` '' is UDP and TCP, port 0 the setting ``port``; ``host`` may be a network interface's
    name. ``text``: as ``ksrshell serve --listen`` takes it."""

    proto: str
    host: str
    port: int
    advertise: str = ""
    name: str = ""
    virtual: bool = False
    place: Place = field(default=Place("", 0), compare=False)


@dataclass(frozen=True)
class Route:
    """A routing block of the native language: ``route[RELAY]`` is ("route", "RELAY")."""

    kind: str
    name: str
    place: Place

    def __str__(self) -> str:
        return f"{self.kind}[{self.name}]" if self.name else self.kind


@dataclass(frozen=True)
class Setting:
    """A core parameter or a custom one (``group.name``); yes and no are 1 and 0."""

    value: int | str
    place: Place


class Config:
    """What a kamailio.cfg says. Lists are in the order of the file."""

    def __init__(self, path: str) -> None:
        self.path = path
        #: All files it is made of.
        self.files: list[str] = []
        #: What was defined before its first line, as ``-A`` has it.
        self.given: list[str] = []
        self.defines: dict[str, str] = {}
        self.modules: list[Load] = []
        self.modparams: list[Modparam] = []
        self.listens: list[Socket] = []
        #: Each as written, ``example.com`` or ``udp:example.com:5060``.
        self.aliases: list[str] = []
        self.settings: dict[str, Setting] = {}
        self.routes: list[Route] = []
        #: ``mpath`` or ``loadpath``, '' for the built-in one.
        self.mpath = ""
        self.engine_place: Place | None = None
        #: ``cfgengine``; "native" when there is none.
        self.engine = "native"

    # -- modules ----------------------------------------------------------------------------------------------------

    def loads(self, module: str) -> bool:
        """Whether there is a ``loadmodule`` for it."""
        return any(load.name == module for load in self.modules)

    def param(self, module: str, name: str) -> int | str | None:
        """The last value a module parameter is given; None: none."""
        values = self.params(module, name)
        return values[-1] if values else None

    def params(self, module: str, name: str) -> list[int | str]:
        """All values a module parameter is given."""
        return [param.value for param in self.modparams if (param.module, param.name) == (module, name)]

    # -- the KEMI script --------------------------------------------------------------------------------------------

    @property
    def python_module(self) -> str:
        """The module that runs Python scripts, '' when none is loaded."""
        return next((load.name for load in self.modules if load.name in PYTHON_MODULES), "")

    @property
    def script_param(self) -> Modparam | None:
        """The ``modparam`` that names the Python script."""
        found = [p for p in self.modparams if p.module in PYTHON_MODULES and p.name in ("load", "script_name")]
        return found[-1] if found else None

    @property
    def script(self) -> str:
        """The path of the Python script, '' when none is named."""
        param = self.script_param
        return str(param.value) if param is not None else ""

    # -- settings ---------------------------------------------------------------------------------------------------

    def setting(self, name: str, default: int | str = "") -> int | str:
        """A core parameter's value, such as ``children``."""
        found = self.settings.get(name)
        return found.value if found is not None else default

    def number(self, name: str, default: int) -> int:
        """A core parameter that is a number. Raises :class:`CfgError` when it is none."""
        found = self.settings.get(name)
        if found is None:
            return default
        if not isinstance(found.value, int):
            raise CfgError(found.place, f"{name} expects a number, got {found.value!r}")
        return found.value

    @property
    def children(self) -> int:
        """The worker processes of each UDP socket; Kamailio's default is 8."""
        return self.number("children", 8)

    @property
    def user(self) -> str:
        return str(self.setting("user", self.setting("uid")))

    @property
    def group(self) -> str:
        return str(self.setting("group", self.setting("gid")))

    @property
    def fork(self) -> bool:
        return bool(self.number("fork", 1))

    @property
    def port(self) -> int:
        return self.number("port", 5060)
