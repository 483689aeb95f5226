"""An embedded proxy beside the server: it has the same script and settings, routes nothing and sends nothing.

It is a sandbox from its start on, so that its modules ask nobody; no timer of theirs runs, and the messages of the
server come into a recorder that they do not listen to. What reaches outside all the same, the script's own code too, is
refused by the process (:mod:`.seal`).

The messages that the workers report are in its recorder, so that what works on captured messages works on these. The
versions of the script are its script's; the workers follow.
"""

from __future__ import annotations

import ast
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..assemble import load_script, make_proxy, set_modparam
from ..capture.recorder import Recorder
from ..kemi import MODULES
from ..kemi.declare import ParamError
from ..myself import check_alias
from ..net.address import AddressError, Dest, Listen, parse_listen
from ..proxy import Proxy
from ..script.engine import ScriptError
from ..script.instrument import compile_counted
from ..script.python import PythonScript
from ..store.database import Database
from ..store.errors import StoreError
from .embed import plan
from .info import Info
from .lexer import CfgError

log = logging.getLogger("ksrcore.kamailio")


class Beside:
    """``proxy`` with its script. ``problem``: why the script does not run there ('' when it does): its functions are
    known all the same, so that they can be swapped."""

    def __init__(self, info: Info, name: str, paths: list[str]) -> None:
        self.notes: list[str] = []
        self.problem = ""
        script = str(info.facts.get("script") or "")
        listens, aliases, modparams, defines = self._settings(info)
        self.proxy, self.ksr = self._make(name, listens, aliases, modparams)
        self.proxy.defines.update(defines)
        self.proxy.started = float(info.facts.get("started") or time.time())
        # What the script imports is where Kamailio's own Python has it; ours stays first.
        sys.path += [path for path in (str(Path(__file__).parent), *paths) if path not in sys.path]
        try:
            load_script(script, self.proxy, self.ksr)
        except ScriptError as error:
            self.problem = f"the script does not run on the embedded core: {error}"
            log.warning("%s", self.problem)
            unrun = UnrunScript(script, self.proxy, self.ksr)
            try:
                unrun.load()
                self.proxy.script = unrun
            except ScriptError as again:
                self.problem = f"the script cannot be read: {again}"
                log.warning("%s", self.problem)
        # What was set to come at once: the events of the start, which fill tables. No other timer ever runs.
        self.proxy.advance(self.proxy.now)
        # Modules listen to the recorder that was there when they started (siptrace, sipdump): they hear nothing of what
        # the workers report, and what they did meanwhile is none of the server's messages.
        self.proxy.recorder = Recorder()

    def _settings(self, info: Info) -> tuple[list[Listen], list[str], list[str], dict[str, str]]:
        texts = [str(text) for text in info.facts.get("sockets") or ()]
        aliases: list[str] = []
        modparams: list[str] = []
        defines: dict[str, str] = {}
        if info.config is not None:
            names = [module.name for module in MODULES]
            core = next(module for module in MODULES if not module.name)
            try:
                found = plan(info.config, names, core.params, keep_db=False, lookup=False)
                if found.names:
                    # The server has looked them up: what it has bound beside what the cfg says in numbers.
                    known = {text.partition(" ")[0] for text in found.listens}
                    found.listens += [text for text in texts if text not in known]
                texts, aliases, modparams = found.listens or texts, found.aliases, found.modparams
                defines = found.defines
                self.notes += found.warnings
            except CfgError as error:
                self.notes.append(str(error))
        elif info.problem:
            self.notes.append(info.problem)
        listens = []
        for text in texts:
            try:
                listens.append(parse_listen(text))
            except AddressError as error:
                self.notes.append(str(error))
        return listens or [Listen("udp", "127.0.0.1", 5060)], aliases, modparams, defines

    def _make(self, name: str, listens: list[Listen], aliases: list[str], modparams: list[str]) -> tuple[Proxy, Any]:
        """With all of the settings that it can have: one that it refuses is left out, and noted; those of a module that
        does not start with them are left out together."""
        known_as = [alias for alias in aliases if self._taken(check_alias, alias)]
        given = modparams
        while True:
            proxy, ksr = make_proxy(
                transmit=_refuse,
                listens=listens,
                aliases=known_as,
                now=time.monotonic(),
                wall=time.time(),
                # The server's own is not touched: what a sandbox asks of a database finds empty tables.
                db=Database.open(":memory:"),
                name=name,
                start=False,
                sandbox=True,
            )
            notes = len(self.notes)
            for text in given:
                self._taken(set_modparam, proxy, text)
            refused = len(self.notes)
            failed = {module.name or "core" for module in proxy.modules.values() if not self._taken(module.start)}
            fewer = [text for text in given if text.partition(":")[0] not in failed]
            if fewer == given:
                return proxy, ksr
            # What the others refuse is noted again when they are set again.
            del self.notes[notes:refused]
            self.notes.append(f"{', '.join(sorted(failed))}: without their parameters, with which they do not start")
            given = fewer
            _stop(proxy)

    def close(self) -> None:
        """The node ends."""
        _stop(self.proxy)

    def _taken(self, what: Callable[..., Any], *given: Any) -> bool:
        try:
            what(*given)
        except (ParamError, AddressError, StoreError, ValueError) as error:
            self.notes.append(str(error))
            return False
        return True


def _stop(proxy: Proxy) -> None:
    for module in reversed(list(proxy.modules.values())):
        try:
            module.stop()
        except Exception:
            log.exception("module %s did not stop well", module.name)
    if proxy.db is not None:
        proxy.db.close()


def _refuse(data: bytes, dest: Dest) -> bool:
    """What the proxy beside the server would send: nothing leaves it."""
    return False


class UnrunScript(PythonScript):
    """A script whose functions are known and that never runs: statements that fail here are passed over."""

    def _load(self) -> tuple[bytes, ast.Module, str]:
        path = Path(self.path)
        try:
            data = path.read_bytes()
            source = data.decode("utf-8-sig")
        except OSError as error:
            raise ScriptError(f"cannot read the script: {error.strerror or error}", self.path) from None
        except UnicodeDecodeError as error:
            raise ScriptError(f"the script is not UTF-8: {error.reason}", self.path) from None
        filename = str(path.resolve())
        tree = self._parse(source, filename)
        module = ModuleType(path.stem)
        module.__file__ = filename
        module.__dict__["__ksr_hits__"] = self.hits
        module.__dict__["KSR"] = self.ksr
        handler: Any = module
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign):
                continue
            if isinstance(node, ast.Assign | ast.AnnAssign) and not isinstance(node.value, ast.Constant):
                continue
            one = ast.Module(body=[node], type_ignores=[])
            try:
                exec(compile_counted(one, filename, self.number(filename)), module.__dict__)
            except Exception as error:
                log.info("%s:%d: left out: %s", filename, node.lineno, error)
                continue
            if isinstance(node, ast.ClassDef):
                kind = module.__dict__[node.name]
                if callable(getattr(kind, "ksr_request_route", None)):
                    handler = object.__new__(kind)
        self.module, self.handler = module, handler
        return data, tree, filename
