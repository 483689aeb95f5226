"""What each module has, as a page for users: its parameters, the number of its functions, its RPC commands.

    python -m ksrcore.kemi.paramdoc docs/modules.md

writes it anew from the declarations.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from . import MODULES
from .declare import Module, Param

__all__ = ["page"]

_HEAD = """\
# Modules

<!-- Written by `python -m ksrcore.kemi.paramdoc docs/modules.md`: change the declarations there, not this file. -->

What each module takes with `--modparam MODULE:NAME=VALUE`, as [Parameters](parameters.md) says. The names are
Kamailio's, and so are the defaults unless that page says otherwise. `ksrshell api 'MODULE.*'` lists functions,
`rpc("NAME")` at the prompt runs an RPC command.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for module in sorted(MODULES, key=lambda module: module.name):
        if module.name not in ("", "x"):  # the core's parameters have a table of their own
            parts.append("\n".join(_section(module)) + "\n")
    return "\n".join(parts)


def _section(module: type[Module]) -> Iterator[str]:
    yield f"## {module.name}"
    yield ""
    count = len(module.exports)
    yield f"{count} function{'' if count == 1 else 's'}." + (
        f" RPC: {', '.join(f'`{name}`' for name in sorted(module.rpcs))}." if module.rpcs else ""
    )
    if module.params:
        yield ""
        yield "| parameter | default | meaning |"
        yield "|---|---|---|"
        for name, param in sorted(module.params.items()):
            yield f"| `{name}` | {_default(param)} | {_meaning(param)} |"


def _default(param: Param) -> str:
    if param.multi:
        return ""
    text = str(param.default).encode("unicode_escape").decode("ascii").replace("|", "\\|")
    return f"`{text}`" if param.type is int or param.default else '`""`'


def _meaning(param: Param) -> str:
    text = param.doc
    for kind in (": int or str", ": int", ": str"):
        text = text.removesuffix(kind)
    return text.replace("|", "\\|") + ("; repeatable" if param.multi else "")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m ksrcore.kemi.paramdoc FILE")
    Path(sys.argv[1]).write_text(page())
