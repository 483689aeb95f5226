"""How things look on the control channel: records, runs, routes as plain JSON values."""

from __future__ import annotations

from difflib import unified_diff
from typing import Any

from ..capture.recorder import Ran, Record
from ..debug.states import call_view
from ..kemi.declare import Decl
from ..net.address import bracketed
from ..run import ROUTE_NAMES
from ..script.engine import Route
from ..script.writeback import reindent
from ..sip.errors import SipError


def address(ip: str, port: int) -> str:
    return f"{bracketed(ip)}:{port}" if ip else ""


def summary(record: Record) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": record.id,
        "time": record.time,
        "out": record.out,
        "proto": record.proto,
        "src": address(*record.src),
        "dst": address(*record.dst),
        "size": len(record.data),
        "error": record.error,
        "origin": record.origin,
        "cause": record.cause,
        "sent": list(record.sent),
        "callbacks": [run.callback for run in record.runs],
        "calls": sum(1 for run in record.runs for _ in run.iter_calls()),
        "exception": next((_exception(run) for run in record.runs if run.exception is not None), None),
    }
    msg = record.msg
    if msg is None:
        view |= dict.fromkeys(("method", "reason", "ruri", "callid", "cseq", "from", "to"), "")
        view |= {"is_request": False, "status": 0}
        return view
    view |= {
        "is_request": msg.is_request,
        "method": msg.method,
        "status": msg.status,
        "reason": msg.reason,
        "ruri": msg.ruri,
        "callid": msg.callid,
    }
    try:
        cseq, from_, to = msg.cseq, msg.from_, msg.to
    except SipError:
        cseq = from_ = to = None
    view["cseq"] = f"{cseq.number} {cseq.method}" if cseq is not None else ""
    view["from"] = from_.uri if from_ is not None else ""
    view["to"] = to.uri if to is not None else ""
    return view


def _exception(run: Ran) -> str:
    return f"{type(run.exception).__name__}: {run.exception}"


def plain(value: Any) -> Any:
    """A value as JSON can carry it."""
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def run_view(run: Ran, versions: dict[str, int]) -> dict[str, Any]:
    return {
        "callback": run.callback,
        "route": ROUTE_NAMES.get(run.route, str(run.route)),
        "result": plain(run.result),
        "version": versions.get(run.callback, 1),
        "versions": versions,
        "duration": run.duration,
        "exited": run.exited,
        "dropped": run.dropped,
        "exception": _exception(run) if run.exception is not None else None,
        "traceback": run.traceback,
        "branch": run.branch,
        "calls": [call_view(decl, args, result) for decl, args, result in run.iter_calls()],
    }


def route_view(route: Route) -> dict[str, Any]:
    version = route.version
    timed = route.total > 0 and route.hits > 0
    return {
        "name": route.name,
        "callback": route.callback,
        "version": route.current,
        "versions": len(route.versions),
        "hits": route.hits,
        "average": route.total / route.hits if timed else None,
        "longest": route.longest if timed else None,
        "exceptions": route.exceptions,
        "file": version.filename,
        "line": version.firstline,
        "source": version.source,
    }


def versions_view(route: Route) -> list[dict[str, Any]]:
    found = []
    before = ""
    for version in route.versions:
        # As typed at the prompt it may stand further left than in its class.
        source = reindent(version.source, "")
        diff = unified_diff(
            before.splitlines(),
            source.splitlines(),
            f"version {version.number - 1}",
            f"version {version.number}",
            lineterm="",
            n=2,
        )
        found.append(
            {
                "number": version.number,
                "current": version.number == route.current,
                "time": version.time,
                "who": version.who,
                "removed": version.removed,
                "in_file": version.number == route.saved,
                "source": version.source,
                "diff_to_previous": "\n".join(diff) if before else "",
            }
        )
        before = source
    return found


def decl_view(decl: Decl, status: str) -> dict[str, Any]:
    return {
        "module": decl.module,
        "name": decl.name,
        "params": [list(pair) for pair in zip(decl.names, decl.params, strict=True)],
        "ret": decl.ret,
        "doc": decl.doc,
        "summary": decl.summary,
        "status": status,
        "signature": decl.signature,
    }
