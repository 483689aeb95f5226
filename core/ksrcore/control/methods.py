"""The methods of the control channel that are ours: ``ksr.*`` (docs/control-channel.md)."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..capture.recorder import Record
from ..capture.where import WhereError, compile_where
from ..debug.errors import DebugError
from ..debug.sandbox import Sandbox, Sandboxes, is_script_file
from ..debug.states import code_lines, file_lines
from ..debug.stepper import Stepper
from ..kemi import known
from ..pv.accessor import compile_spec
from ..script.engine import ScriptError
from . import errors, inserting, views
from .captures import CaptureMethods
from .errors import ControlError
from .holds import HoldMethods, ksr_call
from .steps import Steps
from .swapping import Swapping

if TYPE_CHECKING:
    from ..proxy import Proxy
    from .server import Connection, ControlServer, Handler

#: Seconds for which records are looked at before the loop gets its turn.
_SLICE = 0.005

EVENTS = ("message", "exception", "swap", "reload", "stats", "held", "released", "log")


class Methods:
    """``ksr.*`` over one proxy. ``stop`` ends the proxy in order."""

    def __init__(self, proxy: Proxy, stop: Callable[[], None], counts: Callable[[], dict[str, Any]]) -> None:
        self.proxy = proxy
        self.sandboxes = Sandboxes(proxy)
        self.stop = stop
        self.counts = counts
        self.steps = Steps()
        self.swapping = Swapping(self.sandboxes, self._script, self.record, self._publish)
        self.holds = HoldMethods(self.sandboxes, self.steps, self._publish)
        self.server: ControlServer | None = None
        self._api: list[dict[str, Any]] = []

    def table(self) -> dict[str, Handler]:
        own: dict[str, Callable[..., Any]] = {
            "ksr.hello": self.hello,
            "ksr.stats": self.stats,
            "ksr.messages": self.messages,
            "ksr.message": self.message,
            "ksr.message.add": self.message_add,
            "ksr.timings": self.timings,
            "ksr.pv": self.pv,
            "ksr.flow": self.flow,
            "ksr.api": self.api,
            "ksr.pvs": self.pvs,
            "ksr.routes": self.routes,
            "ksr.versions": self.versions,
            "ksr.sandbox.open": self.sandbox_open,
            "ksr.sandbox.call": self.sandbox_call,
            "ksr.sandbox.effects": self.sandbox_effects,
            "ksr.sandbox.close": self.sandbox_close,
            "ksr.step.start": self.step_start,
            "ksr.trace": self.trace,
            "ksr.source": self.source,
            "ksr.stop": self.stop_proxy,
            **self.steps.table(),
            **self.swapping.table(),
            **self.holds.table(),
            **CaptureMethods(self.proxy).table(),
        }
        table: dict[str, Handler] = {name: _handler(name, method) for name, method in own.items()}
        table["ksr.subscribe"] = self.subscribe
        return table

    # -- the proxy ------------------------------------------------------------------------------------------------

    def hello(self) -> dict[str, Any]:
        proxy = self.proxy
        return {
            "name": proxy.name,
            "pid": os.getpid(),
            "version": __version__,
            "script": proxy.script.path if proxy.script is not None else "",
            "listens": [listen.text for listen in proxy.listens],
            "aliases": sorted(proxy.aliases),
            "started": proxy.started,
            "engine": "embedded",
            "python": platform.python_version(),
        }

    def stats(self) -> dict[str, Any]:
        recorder = self.proxy.recorder
        holds = self.holds.holds
        return {
            "captured": len(recorder),
            "gone": recorder.gone,
            "held": len(holds.held),
            "holds": len(holds.armed),
            "last": recorder.last_id,
            **self.counts(),
        }

    def stop_proxy(self) -> dict[str, Any]:
        self.stop()
        return {}

    # -- messages -------------------------------------------------------------------------------------------------

    def record(self, id: int) -> Record:
        record = self.proxy.recorder.get(id)
        if record is None:
            records = self.proxy.recorder.records
            have = f"there are {records[0].id} to {records[-1].id}" if records else "nothing is captured yet"
            raise ControlError(errors.USER_ERROR, f"no message {id}: {have}")
        return record

    async def messages(
        self, after: int = 0, before: int = 0, limit: int = 100, where: str = "", newest: bool = True
    ) -> dict[str, Any]:
        recorder = self.proxy.recorder
        matches = compile_where(where) if where else None
        records = [r for r in recorder.records if r.id > after and (not before or r.id < before)]
        if newest:
            records.reverse()
        found: list[dict[str, Any]] = []
        async for record in self._unhurried(records):
            if len(found) >= limit:
                break
            if matches is None or matches(record, self.proxy):
                found.append(views.summary(record))
        if newest:
            found.reverse()
        kept = recorder.records
        return {
            "messages": found,
            "gone": recorder.gone,
            "first": kept[0].id if kept else 0,
            "last": kept[-1].id if kept else 0,
        }

    @staticmethod
    async def _unhurried(records: list[Record]) -> AsyncIterator[Record]:
        """The records, with room for traffic in between: looking at ten thousand takes a tenth of a second."""
        turn = monotonic()
        for record in records:
            if monotonic() - turn > _SLICE:
                await asyncio.sleep(0)
                turn = monotonic()
            yield record

    def message(self, id: int) -> dict[str, Any]:
        record = self.record(id)
        script = self.proxy.script
        msg = record.msg
        return views.summary(record) | {
            "data": record.data,
            "runs": [
                views.run_view(run, script.versions_at(run.version) if script is not None else {})
                for run in record.runs
            ],
            "headers": [[h.name, h.body] for h in msg.headers] if msg is not None else [],
            "held": self.holds.holds.notes.get(id, []),
        }

    def message_add(
        self,
        data: str,
        proto: str = "",
        src: str = "",
        dst: str = "",
        origin: str = "",
        time: float = 0.0,
        out: bool = False,
    ) -> dict[str, Any]:
        return inserting.add(self.proxy, data, proto, src, dst, origin, time, out)

    async def timings(self, limit: int = 1000) -> dict[str, Any]:
        """How long the callbacks of the newest messages took: lists of ``[id, time, seconds]`` by callback."""
        found: dict[str, list[list[Any]]] = {}
        async for record in self._unhurried(list(self.proxy.recorder.records)[-max(1, limit) :]):
            for run in record.runs:
                found.setdefault(run.callback, []).append([record.id, record.time, run.duration])
        return {"callbacks": found}

    def pv(self, id: int, names: list[str]) -> dict[str, Any]:
        from ..pv.accessor import compile_spec

        # One of its own: it must not push the sandbox of a message in use out of the list.
        box = Sandbox(self.proxy, self.record(id))
        return {name: compile_spec(name).get(box.run) for name in names}

    async def flow(self, id: int = 0, callid: str = "") -> dict[str, Any]:
        if not callid:
            msg = self.record(id).msg
            if msg is None:
                raise ControlError(errors.USER_ERROR, f"message {id} cannot be parsed: it belongs to no call")
            callid = msg.callid
        found = []
        async for record in self._unhurried(list(self.proxy.recorder.records)):
            if callid in record.data and (msg := record.msg) is not None and msg.callid == callid:
                found.append(views.summary(record))
        return {"callid": callid, "messages": found}

    # -- what there is --------------------------------------------------------------------------------------------

    def api(self) -> list[dict[str, Any]]:
        # Made once: it takes ten milliseconds, in which no message is routed.
        if not self._api:
            self._api = self._make_api()
        return self._api

    def _make_api(self) -> list[dict[str, Any]]:
        have = {(d.module, d.name): d for module in self.proxy.modules.values() for d in module.exports.values()}
        found = [views.decl_view(decl, "implemented") for decl in have.values()]
        found += [views.decl_view(decl, "known") for decl in known() if (decl.module, decl.name) not in have]
        return sorted(found, key=lambda view: (view["module"], view["name"]))

    def pvs(self) -> list[dict[str, Any]]:
        from ..pv.accessor import compile_spec
        from ..pv.errors import PvError
        from ..pv.known import doc_of
        from ..pv.registry import known as known_pvs

        found = []
        for name, inner in sorted(known_pvs().items()):
            try:
                writable = compile_spec(f"${name}(x)" if inner else f"${name}").writable
            except PvError:
                writable = False  # its inner names are of another form, such as a=>b
            found.append({"name": f"${name}", "inner": inner, "writable": writable, "doc": doc_of(name)})
        return found

    def routes(self) -> list[dict[str, Any]]:
        script = self.proxy.script
        return [views.route_view(route) for route in script.routes()] if script is not None else []

    def versions(self, name: str) -> list[dict[str, Any]]:
        script = self._script()
        return views.versions_view(script.route(name))

    def _script(self) -> Any:
        script = self.proxy.script
        if script is None:
            raise ControlError(errors.USER_ERROR, "this proxy runs no script")
        return script

    def _publish(self, event: str, data: dict[str, Any]) -> None:
        if self.server is not None:
            self.server.publish(event, data)

    # -- sandboxes ------------------------------------------------------------------------------------------------

    def _embedded(self, engine: str, what: str, instead: str) -> None:
        """``what`` works on the embedded core; ``engine`` says that the client means it. ``instead``: as it would be
        asked for where the proxy is another program. Raises :class:`ControlError`."""
        if engine not in ("", "embedded"):
            raise ControlError(errors.USER_ERROR, f'there is one engine, "embedded", got {engine!r}')

    def sandbox_open(self, id: int, engine: str = "") -> dict[str, Any]:
        self._embedded(engine, "use(m)", 'use(m, engine="embedded")')
        return {"sandbox": self.sandboxes.add(self.record(id)), "id": id}

    def sandbox_call(self, sandbox: int, name: str, args: list[Any], live: bool = False) -> dict[str, Any]:
        if live:
            return self.holds.call_on(self.holds.of_message(self.sandboxes.get(sandbox).source.id), name, args)
        return ksr_call(lambda: self.sandboxes.call(sandbox, name, tuple(args)))

    def sandbox_effects(self, sandbox: int) -> dict[str, Any]:
        return self.sandboxes.get(sandbox).effects()

    def sandbox_close(self, sandbox: int) -> dict[str, Any]:
        self.sandboxes.close(sandbox)
        return {}

    # -- stepping -------------------------------------------------------------------------------------------------

    async def step_start(
        self,
        connection: Connection,
        id: int,
        callback: str = "",
        nth: int = 0,
        watches: list[str] | None = None,
        engine: str = "",
    ) -> dict[str, Any]:
        """Begin to step through a callback, at its first line; ``nth``: which of its runs for that message, from 0."""
        self._embedded(engine, "step(m)", 'step(m, engine="embedded")')
        return await self._start(connection, id, callback, nth, tuple(watches or ()), False)

    async def trace(
        self,
        connection: Connection,
        id: int,
        callback: str = "",
        nth: int = 0,
        watches: list[str] | None = None,
        engine: str = "",
    ) -> dict[str, Any]:
        """Run a callback to its end and record it; the state at the end. ``ksr.step.recording`` gets the rest."""
        self._embedded(engine, "trace(m)", 'trace(m, engine="embedded")')
        return await self._start(connection, id, callback, nth, tuple(watches or ()), True)

    async def _start(
        self, connection: Connection, id: int, callback: str, nth: int, watches: tuple[str, ...], whole: bool
    ) -> dict[str, Any]:
        record = self.record(id)
        if not callback:
            msg = record.msg
            if msg is not None and msg.http:
                callback = self.proxy.module("xhttp").event_callback
            else:
                callback = "ksr_request_route" if msg is not None and msg.is_request else "ksr_reply_route"
        self._script().function(callback)
        for spec in watches:
            compile_spec(spec)
        entry = self.steps.add(owner=connection)
        connection.when_gone(self.steps.leave)
        entry.expect()
        try:
            entry.object = Stepper(
                self.sandboxes, record, callback, entry.publish, nth=nth, watches=watches, whole=whole
            )
        except BaseException:
            self.steps.drop(entry.number)
            raise
        return await entry.wait()

    def source(self, file: str) -> dict[str, Any]:
        """The lines of a file of the script, or of a function that was swapped in."""
        script = self._script()
        if not is_script_file(script, file):
            raise ControlError(errors.USER_ERROR, f"{file!r} is no file of the script, which is {script.path}")
        lines = file_lines(file)
        if not lines:
            raise ControlError(errors.USER_ERROR, f"the source of {file!r} is not there any more")
        return {"file": file, "lines": lines, "code": code_lines(file)}

    def close(self) -> None:
        """The proxy ends: no thread stays behind."""
        self.holds.close()
        self.steps.close()

    # -- events ---------------------------------------------------------------------------------------------------

    def subscribe(self, connection: Connection, params: Any) -> dict[str, Any]:
        wanted = params.get("events") if isinstance(params, dict) else None
        if not isinstance(wanted, list) or not all(event in EVENTS for event in wanted):
            raise ControlError(errors.INVALID_PARAMS, f"events is a list of {', '.join(EVENTS)}; got {wanted!r}")
        connection.events = set(wanted)
        return {}


def _handler(name: str, method: Callable[..., Any]) -> Handler:
    """Check parameters against the method's annotations and turn user errors into answers. A method that has a
    parameter ``connection`` gets that of the client."""
    import inspect

    parameters = dict(inspect.signature(method).parameters)
    connected = parameters.pop("connection", None) is not None
    # On the wire "if", which Python reserves.
    names = {p.rstrip("_"): p for p in parameters}
    kinds = {p: str(parameters[name].annotation) for p, name in names.items()}
    needed = [p for p, name in names.items() if parameters[name].default is inspect.Parameter.empty]
    usage = ", ".join(f"{p}: {kind}" for p, kind in kinds.items()) or "none"
    types: dict[str, tuple[type, ...]] = {
        "int": (int,),
        "float": (int, float),
        "str": (str,),
        "bool": (bool,),
        "int | None": (int, type(None)),
        "list[Any]": (list,),
        "list[str]": (list,),
        "list[str] | None": (list, type(None)),
        "list[int]": (list,),
    }

    def wrong(why: str) -> ControlError:
        return ControlError(errors.INVALID_PARAMS, f"{name}: {why}; parameters: {usage}")

    def handler(connection: Connection, params: Any) -> Any:
        if not isinstance(params, dict | None):
            raise wrong(f"expected an object, got {type(params).__name__}")
        given = {key if key in kinds else key.rstrip("_"): value for key, value in (params or {}).items()}
        for missing in needed:
            if missing not in given:
                raise wrong(f"{missing} is missing")
        for key, value in given.items():
            if key not in kinds:
                raise wrong(f"unknown parameter {key!r}")
            if not isinstance(value, types[kinds[key]]) or (isinstance(value, bool) and kinds[key] != "bool"):
                raise wrong(f"{key} is {value!r}")
            inner = {"list[str]": str, "list[int]": int}.get(kinds[key].removesuffix(" | None"))
            if inner is not None and isinstance(value, list) and not all(isinstance(x, inner) for x in value):
                raise wrong(f"{key} is {value!r}")
        found = {names[key]: value for key, value in given.items()}
        return _guard(method, {"connection": connection, **found} if connected else found)

    return handler


def _guard(method: Callable[..., Any], given: dict[str, Any]) -> Any:
    try:
        result = method(**given)
    except (ScriptError, WhereError, DebugError, ValueError) as error:
        raise _user_error(error) from error
    if asyncio.iscoroutine(result):
        return _guard_later(result)
    return result


async def _guard_later(result: Any) -> Any:
    try:
        return await result
    except (ScriptError, WhereError, DebugError, ValueError) as error:
        raise _user_error(error) from error


def _user_error(error: Exception) -> ControlError:
    data: dict[str, Any] = {"type": type(error).__name__}
    if isinstance(error, ScriptError):
        data |= {"path": error.path, "line": error.line}
    return ControlError(errors.USER_ERROR, str(error), data)
