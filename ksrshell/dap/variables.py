"""Scopes and variables of the protocol: locals, pseudo-variables, headers, the KSR calls so far, what was sent."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from ..errors import KsrShellError
from .target import Target, Threadlike

Body = dict[str, Any]

#: Pseudo-variables an engineer looks at first; any other can be watched by its name.
SHOWN = (
    "$rm $ru $rU $rd $du $fu $fU $fd $ft $tu $tU $td $tt $ci $cs $ct $ua $si $sp $Ri $Rp $proto "
    "$rs $rr $mf $bf $T_reply_code $T_branch_idx $T_reply_reason"
).split()


class Variables:
    """References the editor was given, each good until its thread goes on."""

    def __init__(self) -> None:
        self._ids = count(1)
        self._refs: dict[int, tuple[Threadlike, str, Any]] = {}

    def forget(self, thread_id: int) -> None:
        """Its message went on: what was shown of it is not true any more."""
        self._refs = {ref: entry for ref, entry in self._refs.items() if entry[0].id != thread_id}

    def _ref(self, thread: Threadlike, kind: str, extra: Any = None) -> int:
        ref = next(self._ids)
        self._refs[ref] = (thread, kind, extra)
        return ref

    def scopes(self, thread: Threadlike, depth: int) -> list[Body]:
        """The scopes of a frame; the variables of outer functions are not kept."""

        def scope(name: str, kind: str, **more: Any) -> Body:
            return {"name": name, "variablesReference": self._ref(thread, kind), "expensive": False, **more}

        found = [scope("Locals", "locals", presentationHint="locals")] if depth == 0 else []
        found.append(scope("Pseudo-variables", "pvs"))
        found.append(scope("Headers", "headers"))
        found.append(scope(f"KSR calls ({len(thread.state.get('calls') or [])})", "calls"))
        sent = (thread.state.get("effects") or {}).get("sent") or []
        if sent:
            found.append(scope(f"Sent ({len(sent)})", "sent"))
        return found

    def read(self, target: Target, ref: int) -> list[Body] | None:
        """The variables behind a reference; None when it is of an earlier stop."""
        if ref not in self._refs:
            return None
        thread, kind, extra = self._refs[ref]
        readers: dict[str, Callable[[], list[Body]]] = {
            "locals": lambda: [
                {"name": name, "value": text, "evaluateName": name, "variablesReference": 0}
                for name, text in (thread.state.get("locals") or {}).items()
            ],
            "pvs": lambda: self._pvs(target, thread),
            "headers": lambda: [
                {"name": name, "value": body, "variablesReference": 0, "evaluateName": f"$hdr({name})"}
                for name, body in target.headers(thread)
            ],
            "calls": lambda: [self._call(n, call) for n, call in enumerate(thread.state.get("calls") or [])],
            "sent": lambda: self._sent(thread),
            "text": lambda: [{"name": "", "value": line, "variablesReference": 0} for line in extra.splitlines()],
        }
        return readers[kind]()

    @staticmethod
    def _pvs(target: Target, thread: Threadlike) -> list[Body]:
        found = []
        for name, value in target.pvs(thread, SHOWN).items():
            text = "<null>" if value is None else str(value)
            found.append({"name": name, "value": text, "evaluateName": name, "variablesReference": 0})
        return found

    @staticmethod
    def _call(number: int, call: Body) -> Body:
        arguments = ", ".join(map(repr, call.get("args") or []))
        result = call["error"] if call.get("error") else repr(call.get("result"))
        took = call.get("duration")
        timing = f"  ({took * 1e6:.0f} µs)" if isinstance(took, float) else ""
        name = f"{number + 1}. {call['name']}({arguments})"
        return {"name": name, "value": f"{result}{timing}", "variablesReference": 0}

    def _sent(self, thread: Threadlike) -> list[Body]:
        found = []
        for sent in (thread.state.get("effects") or {}).get("sent") or []:
            first = str(sent["data"]).partition("\r\n")[0]
            ref = self._ref(thread, "text", sent["data"])
            found.append({"name": f"{sent['proto']}:{sent['dst']}", "value": first, "variablesReference": ref})
        return found

    def watchable(self, ref: int, name: str) -> str:
        """What a data breakpoint on that variable watches; empty when it cannot be watched."""
        kind = self._refs[ref][1] if ref in self._refs else ""
        return name if kind == "pvs" else name.partition("[")[0] if kind == "headers" else ""

    def write(self, target: Target, ref: int, name: str, value: str) -> str:
        """Set a variable; its new value as it is shown. Raises :class:`KsrShellError`."""
        if ref not in self._refs:
            raise KsrShellError("these values are of an earlier stop")
        thread, kind, _ = self._refs[ref]
        if kind == "locals":
            return target.set_local(thread, name, value)
        if kind == "pvs":
            return target.set_pv(thread, name, value)
        if kind == "headers":
            return target.set_header(thread, name, value)
        raise KsrShellError("only local variables, pseudo-variables and headers can be set")
