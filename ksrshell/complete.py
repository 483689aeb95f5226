"""Completion of what Python does not know: ``KSR.``, pseudo-variables in strings, message ids, routes, RPC commands.

Independent of the terminal: :func:`candidates` takes the text before the cursor; shell and kernel adapt its answers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import KsrShellError
from .ksr import Function, Module
from .magics import LINE, MOVES
from .namespace import TOPICS, Namespace

if TYPE_CHECKING:
    from .session import Session

#: Seconds that a completion may wait for the proxy: somebody is typing.
PATIENCE = 1.0

#: A message's fields that ``where`` knows beside pseudo-variables, and its functions.
FIELDS = (
    "method", "status", "reason", "ruri", "callid", "cseq", "body", "is_request", "out", "proto", "src", "src_ip",
    "src_port", "dst", "dst_ip", "dst_port", "size", "time", "id", "cause", "callbacks", "exception", "error", "origin",
)  # fmt: skip
FUNCTIONS = {
    "hdr": 'hdr("User-Agent")', "pv": 'pv("$(ru{uri.host})")', "called": 'called("KSR.sl.send_reply")',
    "re": 're("^sip:1", ruri)', "len": "len(body)", "lower": "lower(ruri)",
}  # fmt: skip

_KSR = re.compile(r"(?:^|[^\w.$])KSR\.(?:(\w+)\.)?(\w*)$")
_OPEN = re.compile(r"(?:^|[^\w.$])KSR\.(?:(\w+)\.)?(\w+)\(([^()]*)$")
_KSR_CALL = re.compile(r"(?:^|[^\w.$])KSR\.(?:\w+\.)?\w+\(")
_CALLBACK = re.compile(r"(?:^|[^\w.])step\([^,\"']*,\s*[\"'](\w*)$")
_PV = re.compile(r"\$\(?[A-Za-z_]?[\w.]*$")
_TRANSFORMATION = re.compile(r"\$\([^\s\"'{}]+(?:\{[^{}]*\})*\{([\w.]*)$")
_CALL = re.compile(r"(?:^|[^\w.])(versions|rollback|rpc|routes|hold)[(\[]\s*([\"'])([\w.]*)$")
_REMOVE = re.compile(r"(?:^|[^\w.])swap\([^()]*\bremove\s*=\s*\[?\s*[\"']([\w.]*)$|%swap\s+--remove\s+([\w.]*)$")
_WHERE = re.compile(r"\.where\(\s*(?P<quote>[\"'])(?P<text>(?:(?!(?P=quote)).)*?)(?P<word>(?<![\w$.])[A-Za-z_]\w*)$")
_IDS = re.compile(r"(?:^|[^\w.])(?:msgs\[|(?:use|step|trace|flow)\()(\d*)$")
_MESSAGE = re.compile(r"(?:^|[^\w.])msgs\[-?\d+\]\.(\w*)$")
_MAGIC = re.compile(r"^\s*%{1,2}(\w+)[ \t]+(.*)$", re.S)


@dataclass(frozen=True)
class Candidate:
    """``text`` replaces the last ``length`` characters before the cursor; ``meta`` explains; ``kind`` as Jupyter's."""

    text: str
    length: int
    meta: str = ""
    kind: str = "instance"
    display: str = ""


class Completer:
    """Completion over one namespace; what the proxy tells is kept for as long as the process lives."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self._kept: dict[str, tuple[int, float, Any]] = {}

    @property
    def session(self) -> Session:
        """The one that the namespace has at the moment."""
        return self.namespace.session.lead

    def forget(self) -> None:
        """The namespace is on another proxy."""
        self._kept.clear()

    def prefetch(self) -> None:
        """Ask for the big tables before they are needed. Errors show when they are."""
        for fetch in (self._functions, self._pvs, self._commands):
            fetch()

    def candidates(self, before: str) -> list[Candidate] | None:
        """What fits after the text ``before`` the cursor; None when that is not ours to complete."""
        line = before.rpartition("\n")[2]
        try:
            for match, complete in (
                (_KSR.search(line), self._ksr),
                (_REMOVE.search(line), self._removed),
                (_MAGIC.match(line), self._magic),
                (_CALL.search(line), self._call),
                (_IDS.search(line), self._ids),
                (_MESSAGE.search(line), self._message),
            ):
                if match is not None:
                    return complete(match)
            if in_string(before):
                if (match := _CALLBACK.search(line)) is not None:
                    return self._route_names(match[1], callbacks=True)
                if (match := _TRANSFORMATION.search(line)) is not None:
                    return transformations(match[1])
                if (match := _PV.search(line)) is not None:
                    return self._pv(match)
                match = _WHERE.search(line)
                # Inside a literal of the expression's own there is nothing to complete.
                if match is not None and not in_string(match["text"]):
                    return self._where(match["word"])
                if _KSR_CALL.search(line) is not None:
                    return []  # text for Kamailio: Python's names and the files here do not belong in it
        except KsrShellError:
            return []
        return None

    def signature(self, before: str) -> str:
        """The signature and first words on the KSR function whose arguments are being typed; empty when there is none.

        Never asks the proxy: it is called at every key.
        """
        match = _OPEN.search(before.rpartition("\n")[2])
        if match is None or "api" not in self._kept:
            return ""
        module, name, _ = match.groups()
        function = self._kept["api"][2].get(module or name)
        if module is not None and isinstance(function, Module):
            function = function._functions.get(name)
        return f"{function.signature}  {function.summary}" if isinstance(function, Function) else ""

    # -- what the proxy knows -------------------------------------------------------------------------------------

    def _keep(self, key: str, seconds: float, fetch: Callable[[], Any], default: Any) -> Any:
        """The value of ``fetch``, asked again after ``seconds`` or in another process; ``default`` when refused."""
        process, until, value = self._kept.get(key, (-1, 0.0, default))
        if process != self.session.client.process or time.monotonic() > until:
            try:
                value = fetch()
            except KsrShellError:
                value, seconds = default, min(seconds, 2.0)
            self._kept[key] = (self.session.client.process, time.monotonic() + seconds, value)
        return value

    def _call_proxy(self, method: str, params: Any = None) -> Any:
        return self.session.client.call(method, params, timeout=PATIENCE)

    def _functions(self) -> dict[str, Function | Module]:
        table: dict[str, Function | Module] = self._keep("api", 1e9, self.session.KSR._table, {})
        return table

    def _pvs(self) -> list[dict[str, Any]]:
        pvs: list[dict[str, Any]] = self._keep("pvs", 1e9, lambda: self._call_proxy("ksr.pvs"), [])
        return pvs

    def _commands(self) -> list[str]:
        commands: list[str] = self._keep("rpc", 1e9, lambda: sorted(self._call_proxy("system.listMethods", [])), [])
        return [name for name in commands if not name.startswith("ksr.")]

    def _routes(self) -> list[dict[str, Any]]:
        routes: list[dict[str, Any]] = self._keep("routes", 5.0, lambda: self._call_proxy("ksr.routes"), [])
        return routes

    def _newest(self) -> list[dict[str, Any]]:
        page = self._keep("newest", 1.0, lambda: self._call_proxy("ksr.messages", {"limit": 30})["messages"], [])
        return sorted(page, key=lambda summary: -int(summary["id"]))

    # -- the contexts ---------------------------------------------------------------------------------------------

    def _ksr(self, match: re.Match[str]) -> list[Candidate]:
        module, prefix = match.groups()
        found: Iterable[Function | Module] = self._functions().values()
        if module is not None:
            inside = self._functions().get(module)
            if not isinstance(inside, Module):
                return []
            found = inside._functions.values()
        made = []
        for each in found:
            if isinstance(each, Module):
                if each._name.startswith(prefix):
                    known = sum(f.implemented for f in each._functions.values())
                    meta = f"module, {known} functions" if known else "module of Kamailio's, not implemented"
                    made.append(Candidate(each._name, len(prefix), meta, "module"))
            elif each.name.startswith(prefix):
                made.append(Candidate(each.name, len(prefix), function_meta(each), "function", f"{each.name}()"))
        # What works comes first, and modules before the core's many functions.
        return sorted(made, key=lambda c: ("not implemented" in c.meta, c.kind != "module", c.text))

    def _pv(self, match: re.Match[str]) -> list[Candidate]:
        typed = match.group()
        opening = "$(" if typed.startswith("$(") else "$"
        prefix = typed.removeprefix(opening)
        made = []
        for pv in self._pvs():
            name = str(pv["name"]).removeprefix("$")
            if name.startswith(prefix):
                made.append(Candidate(f"{opening}{name}", len(typed), str(pv.get("doc") or ""), "variable"))
        return made

    def _where(self, prefix: str) -> list[Candidate]:
        made = [Candidate(name, len(prefix), "field", "property") for name in FIELDS if name.startswith(prefix)]
        made += [Candidate(n, len(prefix), text, "function") for n, text in FUNCTIONS.items() if n.startswith(prefix)]
        for pv in self._pvs():
            name = str(pv["name"]).removeprefix("$")
            if name.startswith(prefix) and name.isidentifier() and name not in (*FIELDS, *FUNCTIONS):
                made.append(Candidate(name, len(prefix), str(pv.get("doc") or f"${name}"), "variable"))
        return made

    def _call(self, match: re.Match[str]) -> list[Candidate]:
        function, _, prefix = match.groups()
        return self._command_names(prefix) if function == "rpc" else self._route_names(prefix)

    def _removed(self, match: re.Match[str]) -> list[Candidate]:
        return self._route_names(match[1] or match[2] or "")

    def _ids(self, match: re.Match[str]) -> list[Candidate]:
        return self._message_ids(match.group(1))

    def _message(self, match: re.Match[str]) -> list[Candidate]:
        from .messages import Message

        prefix = match.group(1)
        names = [n for n in dir(Message) if not n.startswith("_")] + list(Message.__annotations__)
        summary = ("id", "out", "proto", "src", "dst", "is_request", "method", "status", "reason", "ruri", "callid",
                   "cseq", "from_uri", "to_uri", "size", "error", "callbacks")  # fmt: skip
        return [Candidate(n, len(prefix)) for n in sorted({*names, *summary}) if n.startswith(prefix)]

    def _magic(self, match: re.Match[str]) -> list[Candidate] | None:
        name, rest = match.groups()
        if name not in LINE:
            return None
        done, _, prefix = rest.rpartition(" ")
        first = not done.strip()
        if name in ("msgs", "use", "flow", "trace", "view") and first:
            return self._message_ids(prefix)
        if name == "step" and first:
            moves = [Candidate(m, len(prefix), "", "keyword") for m in (*MOVES, "close") if len(m) > 1]
            return [m for m in moves if m.text.startswith(prefix)] + self._message_ids(prefix)
        if name == "step":
            return self._route_names(prefix, callbacks=True)
        if name in ("routes", "versions", "rollback", "edit", "hold") and first:
            return self._route_names(prefix)
        if name == "rpc" and first:
            return self._command_names(prefix)
        if name == "ksrhelp" and first:
            return [Candidate(t, len(prefix), text) for t, _, text in TOPICS if t.startswith(prefix)]
        return None

    def _message_ids(self, prefix: str) -> list[Candidate]:
        made = []
        for summary in self._newest():
            id = str(summary["id"])
            if id.startswith(prefix):
                status = summary.get("status")
                what = (
                    f"{status} {summary.get('reason')}" if status else f"{summary.get('method')} {summary.get('ruri')}"
                )
                made.append(Candidate(id, len(prefix), what))
        return made

    def _route_names(self, prefix: str, callbacks: bool = False) -> list[Candidate]:
        return [
            Candidate(
                route["name"], len(prefix), f"version {route.get('version')}, {route.get('hits')} hits", "function"
            )
            for route in self._routes()
            if route["name"].startswith(prefix) and (route.get("callback") or not callbacks)
        ]

    def _command_names(self, prefix: str) -> list[Candidate]:
        return [Candidate(name, len(prefix), "", "function") for name in self._commands() if name.startswith(prefix)]


#: The classes of transformations and what each works on.
CLASSES = {
    "s": "texts", "uri": "SIP URIs", "param": "parameters: a=1;b=2", "nameaddr": "name-addr: Alice <sip:a@b>",
    "tobody": "From and To", "line": "lines", "num": "numbers", "re": "regular expressions", "sock": "sockets: udp:a:1",
    "sql": "values for SQL", "urialias": "alias parameters", "url": "URLs of HTTP", "val": "null and empty values",
}  # fmt: skip


def transformations(prefix: str) -> list[Candidate]:
    """The classes, as in ``$(ru{u``, or the operations of one, as in ``$(ru{uri.h``."""
    from ksrcore.pv.transformations import known

    if "." not in prefix:
        return [Candidate(f"{n}.", len(prefix), text, "module") for n, text in CLASSES.items() if n.startswith(prefix)]
    return [Candidate(name, len(prefix), "", "function") for name in known() if name.startswith(prefix)]


def function_meta(function: Function) -> str:
    """``(code: int, reason: str) -> int  Send a stateless reply.``"""
    arguments = function.signature.removeprefix(function.path)
    text = function.summary if function.implemented else f"not implemented here yet: {function.summary}".rstrip(": ")
    return f"{arguments}  {text}".strip()


def in_string(text: str) -> bool:
    """Whether the end of ``text`` is inside a string literal of Python."""
    quote = ""
    at = 0
    while at < len(text):
        if quote:
            if text[at] == "\\":
                at += 2
                continue
            if text.startswith(quote, at):
                at += len(quote)
                quote = ""
                continue
            if text[at] == "\n" and len(quote) == 1:
                quote = ""  # an unfinished literal of an earlier line
        elif text[at] in "\"'":
            quote = text[at] * 3 if text.startswith(text[at] * 3, at) else text[at]
            at += len(quote)
            continue
        elif text[at] == "#":
            end = text.find("\n", at)
            if end < 0:
                return False
            at = end
        at += 1
    return bool(quote)
