"""The parts of the debugger's screen as renderables, for any size. No terminal here."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..render.console import clean, flat, wire_text
from ..render.message import call_line, title
from ..render.source import window
from .commands import Commands

#: The lower pane's views, by the key that shows them.
PANES = ("Message", "KSR calls", "Sent", "State")

KEYS = " n next  s into  r out  c go on  k call  ←→ back, forward  : expression  ? keys  q"


def header(commands: Commands) -> Text:
    """The message, where its run stands, and which step of how many that is."""
    step, where = commands.step, commands.step.where
    out = Text(" ", no_wrap=True, overflow="ellipsis")
    # First, because the end may be cut off: what is done here is real, for so long.
    if step.left == 0:
        out.append("its time is over  ", "bold yellow")
    elif step.live:
        out.append("LIVE  " if step.left is None else f"LIVE {step.left:.0f} s  ", "bold red")
    out.append_text(title(step.message))
    if not step.done:
        out.append(f"  {flat(where.function)}:{where.line}", "bold")
    out.append(f"  step {step.position} of {step.length - 1}")
    if not step.at_end:
        out.append("  in the past", "bold yellow")
    return out


def source(commands: Commands, lines: Sequence[str], rows: int, scroll: int = 0) -> RenderableType:
    """``rows`` lines of the file around the current one (or the caller's, after ``u``); breakpoints are marked."""
    step = commands.step
    name, file, line = frame(commands)
    if not lines or not line:
        return Text(f"{name}: the run has ended" if step.done else f"no source of {file}", "bright_black")
    middle = max(1, min(len(lines), line + scroll))
    first = max(1, min(middle - rows // 2, len(lines) - rows + 1))
    last = min(len(lines), first + rows - 1)
    # Highlighted from further up, so that a string of several lines looks right.
    start = max(1, first - 60)
    out = window(lines[start - 1 : last], start, line).split("\n", allow_blank=True)[first - start :]
    marks = {number for each, number in commands.breaks if each == file}
    shown = Text(no_wrap=True, overflow="ellipsis")
    for number, text in enumerate(out, first):
        if number > first:
            shown.append("\n")
        shown.append("●" if number in marks else " ", "red")
        shown.append_text(text)
    return shown


def frame(commands: Commands) -> tuple[str, str, int]:
    """Function, file and line of the frame that is looked at."""
    where, frames = commands.step.where, commands.step.frames
    if commands.frame and commands.frame < len(frames):
        return frames[commands.frame]
    return where.function, where.file, where.line


def values(commands: Commands) -> RenderableType:
    """Watches and local variables, those that changed in the last step in bold."""
    step = commands.step
    rows = Table.grid(padding=(0, 1), expand=True)
    rows.add_column(no_wrap=True, max_width=14, overflow="ellipsis")
    rows.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for spec, value in step.watches.items():
        rows.add_row(Text(spec, "cyan"), Text("<null>" if value is None else flat(str(value)), "bold cyan"))
    if commands.frame:
        rows.add_row(Text("a caller: its", "bright_black"), Text("variables are not shown", "bright_black"))
    else:
        for name, text in step.locals.items():
            if name not in ("self", "msg"):
                rows.add_row(Text(name, "magenta"), Text(flat(text), "bold yellow" if name in step.changed else ""))
    depth = [f"{flat(name)}:{line}" for name, _, line in step.frames[1:]]
    parts: list[RenderableType] = [rows]
    if depth:
        parts.append(Text("called from " + " < ".join(depth), "bright_black", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def has_values(commands: Commands) -> bool:
    """Whether there is anything to show beside the source."""
    step = commands.step
    return bool(step.watches or len(step.frames) > 1 or any(name not in ("self", "msg") for name in step.locals))


def text(lines: Sequence[str], rows: int, columns: int, scroll: int = 0) -> Text:
    """A text of several lines, in two columns when one is too short and they fit."""
    half = (len(lines) + 1) // 2
    widest = max(map(len, lines))
    if len(lines) > rows and half <= rows and 2 * widest < columns:
        second = [*lines[half:], ""][:half]
        lines = [f"{one:<{columns // 2}}{two}" for one, two in zip(lines[:half], second, strict=True)]
    first = max(0, min(scroll, len(lines) - rows))
    return Text("\n".join(lines[first : first + rows]), no_wrap=True, overflow="ellipsis")


def lower(commands: Commands, pane: int, rows: int) -> RenderableType:
    """What the lower pane shows: a diff, the latest KSR calls, what was sent, the routing state."""
    step = commands.step
    if pane == 1:
        calls = list(step.calls)
        room = rows - bool(step.coming)
        out = Text(no_wrap=True, overflow="ellipsis")
        for n, call in enumerate(calls[-room:] if room else []):
            out.append("\n" if n else "")
            out.append(f"{max(0, len(calls) - room) + n + 1:>3} ", "bright_black")
            out.append_text(call_line(call))
        if step.coming:
            out.append(("\n" if calls else "") + f"  > {flat(step.coming)}", "bold cyan")
        return out if out else Text("no KSR call yet", "bright_black")
    effects = step.effects
    if pane == 2:
        texts = [f"{sent.proto}:{sent.dst}\n{wire_text(sent.data).rstrip()}" for sent in reversed(effects.sent)]
        return (
            Text("\n\n".join(texts), no_wrap=True, overflow="ellipsis")
            if texts
            else Text("nothing sent yet", "bright_black")
        )
    if pane == 3:
        lines = [f"{name} = {flat(str(value))}" for name, value in effects.state.items()]
        lines += [flat(write) for write in effects.writes]
        return (
            Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
            if lines
            else Text("nothing changed yet", "bright_black")
        )
    if not effects.diff and not effects.diff.unknown:
        return Text("the message would leave as it came", "bright_black")
    return effects.diff.__rich__()


def outcome(commands: Commands) -> Text:
    """One line: the answer to the last command, or what stands out here."""
    step = commands.step
    if commands.note:
        return Text(clean(commands.note.splitlines()[0]), "bold red" if commands.failed else "bold")
    if step.exception:
        return Text(flat(step.exception.strip().splitlines()[-1]), "bold red")
    if step.done:
        return Text(f"the run has ended, result {flat(str(step.result))}; ← goes back", "green")
    if step.note:
        return Text(flat(step.note), "yellow")
    if step.coming:
        return Text(f"about to call {flat(step.coming)}", "cyan")
    if step.event == "return":
        return Text(f"returns {flat(str(step.result))}", "yellow")
    return Text("")
