"""The kernel: ipykernel's, with completion and inspection of what Python does not know, and an end for the proxy."""

from __future__ import annotations

import atexit
import re
from typing import Any, cast

from ipykernel.ipkernel import IPythonKernel
from IPython.utils.tokenutil import token_at_cursor
from traitlets import List, Type

import ksrcore
from ksrshell.errors import KsrShellError
from ksrshell.magics import CELL, LINE, explain
from ksrshell.namespace import Command, Line
from ksrshell.view import View

from .host import Host
from .shell import KsrKernelShell

_PV = re.compile(r"\$\(?([A-Za-z_][\w.]*)")
_MAGIC = re.compile(r"^\s*%{1,2}(\w+)")


class KsrKernel(IPythonKernel):
    """One a process. ``host`` has the proxy, its session and the names."""

    implementation = "ksrkernel"
    implementation_version = ksrcore.__version__
    shell_class = cast(Any, Type)(KsrKernelShell)
    banner = (
        f"ksrshell {ksrcore.__version__}: SIP routing scripts, live\n"
        "%proxy demo, %proxy start SCRIPT or %proxy attach NAME gives a proxy; %ksrhelp lists what there is then"
    )
    help_links = cast(Any, List)(
        [
            {
                "text": "Kamailio: KEMI functions",
                "url": "https://kamailio.org/docs/tutorials/devel/kamailio-kemi-framework/",
            },
            {
                "text": "Kamailio: pseudo-variables",
                "url": "https://www.kamailio.org/wikidocs/cookbooks/devel/pseudovariables/",
            },
            {"text": "SIP (RFC 3261)", "url": "https://www.rfc-editor.org/rfc/rfc3261"},
        ]
    )

    def __init__(self, **kwargs: Any) -> None:
        self.host = Host()
        # The shell is built inside of the constructor below and asks for it.
        KsrKernelShell.host = self.host
        kwargs["user_ns"] = self.host.namespace
        cast(Any, super()).__init__(**kwargs)
        atexit.register(self.host.close)

    # -- completion -----------------------------------------------------------------------------------------------

    def do_complete(self, code: str, cursor_pos: int | None) -> Any:
        at = len(code) if cursor_pos is None else cursor_pos
        found = self.host.completer.candidates(code[:at])
        if found is None:
            found = self._proxy_words(code[:at])
        if found is None:
            return cast(Any, super()).do_complete(code, at)
        length = found[0].length if found else 0
        types = [
            {"start": at - each.length, "end": at, "text": each.text, "type": each.kind, "signature": each.meta}
            for each in found
        ]
        return {
            "matches": [each.text for each in found],
            "cursor_start": at - length,
            "cursor_end": at,
            "metadata": {"_jupyter_types_experimental": types},
            "status": "ok",
        }

    @staticmethod
    def _proxy_words(before: str) -> Any:
        """What may follow %proxy."""
        from ksrshell.complete import Candidate

        found = re.match(r"^\s*%proxy\s+(\w*)$", before.rpartition("\n")[2])
        if found is None:
            return None
        words = {"start": "a proxy of this notebook's own", "demo": "the demo", "attach": "one that runs", "stop": ""}
        return [Candidate(w, len(found[1]), text, "keyword") for w, text in words.items() if w.startswith(found[1])]

    # -- inspection -----------------------------------------------------------------------------------------------

    def do_inspect(self, code: str, cursor_pos: int, detail_level: int = 0, omit_sections: Any = ()) -> Any:
        try:
            found = self._explained(code, cursor_pos)
        except KsrShellError as error:
            found = Line(str(error))
        if found is None:
            return cast(Any, super()).do_inspect(code, cursor_pos, detail_level, omit_sections)
        return {"status": "ok", "found": True, "data": found._repr_mimebundle_(), "metadata": {}}

    def _explained(self, code: str, at: int) -> View | None:
        """Help on what is at the cursor: a pseudo-variable, a KSR function, a function of the prompt, a magic."""
        start = code.rfind("\n", 0, at) + 1
        line = code[start:].partition("\n")[0]
        column = at - start
        for match in _PV.finditer(line):
            if match.start() <= column <= match.end():
                return self._pv(match[1])
        magic = _MAGIC.match(line)
        if magic is not None:
            function = LINE.get(magic[1]) or CELL.get(magic[1])
            if function is not None:
                return Line((function.__doc__ or "").replace("\n    ", "\n"))
        name = cast(str, cast(Any, token_at_cursor)(code, at))
        head = name.partition(".")[0]
        if head not in self.host.namespace or not isinstance(self.host.namespace[head], View):
            return None
        value: Any = self.host.namespace[head]
        for part in name.split(".")[1:]:
            if not hasattr(type(value), part) and head != "KSR":
                return None
            value = getattr(value, part)
        if isinstance(value, Command) or head == "KSR":
            return value if isinstance(value, View) else None
        return explain(self.host.namespace, name) if "." not in name else None

    def _pv(self, name: str) -> View | None:
        for pv in self.host.completer._pvs():
            if str(pv["name"]).removeprefix("$") == name:
                inner = "(...)" if pv.get("inner") else ""
                access = "can be set" if pv.get("writable") else "can only be read"
                return Line(f"${name}{inner}: {pv.get('doc') or 'a pseudo-variable'}\n{access}")
        return None

    # -- the end --------------------------------------------------------------------------------------------------

    def do_shutdown(self, restart: bool) -> Any:
        self.host.close()
        return cast(Any, super()).do_shutdown(restart)
