"""``KSR.sl.send_reply?`` and what ``KSR`` and its modules show of themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from ..ksr import Function, Module
    from ..namespace import Command


def function_help(function: Function) -> RenderableType:
    """Signature, Kamailio's module, documentation."""
    from .colours import python

    module = f"Kamailio module: {function.module}" if function.module else "Kamailio's core"
    parts: list[RenderableType] = [python(function.signature), Text(module, "bright_black")]
    if not function.implemented:
        parts.append(Text("Kamailio has this function; this proxy does not implement it yet.", "yellow"))
    if function.__doc__:
        parts.append(Text(function.__doc__.strip()))
    return Group(*parts)


def module_help(path: str, functions: Sequence[Function]) -> RenderableType:
    """One line a function: signature and the first line of its documentation."""
    out = Text(no_wrap=True, overflow="ellipsis")
    for number, function in enumerate(sorted(functions, key=lambda f: (not f.implemented, f.name))):
        if number:
            out.append("\n")
        out.append(function.signature.removeprefix("KSR."), "cyan" if function.implemented else "bright_black")
        text = function.summary if function.implemented else f"(not implemented here yet) {function.summary}"
        out.append(f"  {text}".rstrip(), "bright_black")
    return Group(Text(path, "bold"), out)


def ksr_help(table: Mapping[str, Function | Module | Any]) -> RenderableType:
    from ..ksr import Function

    functions = [each for each in table.values() if isinstance(each, Function) and each.implemented]
    modules = {name: each for name, each in table.items() if not isinstance(each, Function)}
    here = sorted(n for n, each in modules.items() if any(f.implemented for f in each._functions.values()))
    rest = len(modules) - len(here)
    return Group(
        Text("KSR: Kamailio's functions, on the message in use: use(msgs[-1]); effects() shows what they did"),
        Text(f"{len(functions)} functions of the core, and modules (KSR.sl shows one, KSR.sl.<TAB> completes):"),
        Columns([Text(name, "cyan") for name in here], padding=(0, 2), expand=False),
        Text(f"{rest} more modules of Kamailio's are known, and not implemented here", "bright_black"),
    )


def command_help(command: Command) -> RenderableType:
    """How to call a function of the prompt."""
    from .colours import python

    parts: list[RenderableType] = [
        Text(f"{command.__name__}{command.usage}", "bold cyan"),
        Text(_prose(command.__doc__)),
    ]
    parts += [Text("  ").append_text(python(example)) for example in command.examples]
    return Group(*parts)


def _prose(doc: str | None) -> str:
    """A docstring whose paragraphs are for the reader's width, not for the source's."""
    paragraphs = (doc or "").replace("``", "").split("\n\n")
    return "\n\n".join(each if "\n " in each else " ".join(each.split("\n")) for each in paragraphs)


def topics_help(topics: Sequence[tuple[str, str, str]]) -> RenderableType:
    """The vocabulary: an example and what it does, a line each."""
    made = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True, style="cyan")
    made.add_column()
    for _, example, text in topics:
        made.add_row(example, text)
    return Group(
        made,
        Text(
            "Each has a magic too: %msgs %use %effects %routes %step %swap %versions %rollback %flow %rpc",
            "bright_black",
        ),
        Text("%ksrhelp step (or step?) says more about one; everything else is IPython.", "bright_black"),
    )
