"""Putting a proxy together: modules with their parameters, the KSR object, the database, the script. No I/O of its own
but the database file and the script file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from .capture.recorder import Recorder
from .kemi import MODULES, known
from .kemi.declare import ParamError
from .kemi.facade import KsrModule, build
from .myself import check_alias
from .net.address import Dest, Listen
from .outside import look_at
from .proxy import Proxy
from .script.engine import Script, ScriptError
from .script.python import PythonScript
from .store.database import Database


def make_proxy(
    *,
    transmit: Callable[[bytes, Dest], bool],
    listens: list[Listen],
    aliases: Iterable[str] = (),
    modparams: Iterable[str] = (),
    db: Database | None = None,
    now: float = 0.0,
    wall: float = 0.0,
    name: str = "ksrshell",
    recorder: Recorder | None = None,
    start: bool = True,
    sandbox: bool = False,
) -> tuple[Proxy, KsrModule]:
    """A proxy with the parameters of its modules, these started, and its KSR object.

    ``start=False``: who opens sockets for it looks at the core's parameters first, then calls :func:`start_modules`.
    ``sandbox``: its modules ask nobody and send nothing, from their start on; their databases are ``db``.
    Raises :class:`ParamError`, :class:`AddressError` for an alias that no host can have, or a module's own error.
    """
    known_as = [check_alias(alias) for alias in aliases]
    proxy = Proxy(
        transmit=transmit, listens=listens, aliases=known_as, now=now, wall=wall, name=name, recorder=recorder
    )
    proxy.db = db
    proxy.sandbox = sandbox
    for module in MODULES:
        proxy.modules[module.name] = module(proxy)
    for text in modparams:
        set_modparam(proxy, text)
    ksr = build(proxy.env, proxy.modules.values(), known())
    proxy.env.run = proxy.fake_run()
    if start:
        start_modules(proxy)
    return proxy, ksr


def start_modules(proxy: Proxy) -> None:
    """Start every module. Raises :class:`ParamError` or a module's own error."""
    for module in proxy.modules.values():
        module.start()


def set_modparam(proxy: Proxy, text: str) -> None:
    """``MODULE:NAME=VALUE``; several modules may be named, as in Kamailio: ``nathelper|registrar:NAME=VALUE``."""
    target, equals, value = text.partition("=")
    modules, colon, name = target.strip().partition(":")
    if not equals or not colon or not name.strip() or not modules:
        raise ParamError(f"modparam expects MODULE:NAME=VALUE, such as tm:fr_timer=30000, got {text!r}")
    for module in modules.split("|"):
        wanted = "" if module == "core" else module.strip()
        proxy.module(wanted).set_param(name.strip(), value)


#: Script engines by file ending.
ENGINES: dict[str, Callable[[str, Proxy, KsrModule], Script]] = {".py": PythonScript}


def load_script(path: str, proxy: Proxy, ksr: KsrModule) -> Script:
    """Load the script into the proxy. Raises :class:`ScriptError`."""
    ending = Path(path).suffix
    engine = ENGINES.get(ending)
    if engine is None:
        raise ScriptError(f"scripts end in {', '.join(ENGINES)} (Python), got {ending or 'no ending'!r}", path)
    script = engine(path, proxy, ksr)
    script.load()
    proxy.script = script
    look_at(proxy, script)
    return script
