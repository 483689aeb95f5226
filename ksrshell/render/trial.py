"""What new code changes, message by message; what a save wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from .console import clean, flat
from .tables import table

if TYPE_CHECKING:
    from ..trial import Difference, Saved, Trial

#: Lines of a part that a table shows; the message's own view shows all.
_LINES = 4


def trial_table(trial: Trial) -> RenderableType:
    """A row for each thing that differs; the message is named in its first."""
    same = f"{trial.same} of {trial.tried} messages: no difference"
    parts: list[RenderableType] = []
    if len(trial):
        made = table(">id", "message", "what", "before", "after")
        for column, ratio in ((1, 2), (3, 3), (4, 3)):
            made.columns[column].ratio = ratio
            made.columns[column].min_width = 8
        made.expand = True
        for each in trial:
            number, title = str(each.message.id), Text(flat(each.message.title), "bold red" if each.raises else "")
            for what, (before, after) in _weighty(each).items():
                style = "red" if what.startswith("raises") else "green"
                made.add_row(number, title, what, _cut(before), _cut(after, style))
                number, title = "", Text("")
        parts.append(made)
    parts.append(Text(same, "" if len(trial) else "green"))
    if trial.raises:
        ids = ", ".join(map(str, trial.raises[:8])) + (" ..." if len(trial.raises) > 8 else "")
        parts.append(Text(f"the new code raises where the old did not: {ids}", "bold red"))
    for id, why in trial.skipped[:5]:
        parts.append(Text(f"message {id} was not tried: {clean(why)}", "yellow"))
    if len(trial.skipped) > 5:
        parts.append(Text(f"and {len(trial.skipped) - 5} more were not tried", "yellow"))
    return Group(*parts)


def _weighty(each: Difference) -> dict[str, tuple[str, str]]:
    """What a table has room for: by which callbacks and calls it came to that, the message's own view tells."""
    parts = {what: pair for what, pair in each.parts.items() if not what.startswith(("callbacks", "calls"))}
    return parts or each.parts


def _cut(text: str, style: str = "") -> Text:
    lines = text.split("\n")
    more = [f"... {len(lines) - _LINES + 1} more lines"] if len(lines) > _LINES else []
    kept = lines[: _LINES - 1] if more else lines
    return Text("\n".join(map(flat, kept + more)) if text else "-", style if text else "bright_black")


def difference_view(each: Difference) -> RenderableType:
    out = Text(f"message {each.message.id} {flat(each.message.title)}", "bold")
    for what, (before, after) in each.parts.items():
        out.append(f"\n{what}", "cyan")
        for sign, text, style in (("-", before, "red"), ("+", after, "green")):
            for line in text.split("\n") if text else ():
                out.append(f"\n  {sign} {flat(line)}", style)
    return out


def saved_view(saved: Saved) -> RenderableType:
    if not saved.saved:
        return Text("nothing to save: the file has what runs")
    names = ", ".join(map(clean, saved.saved))
    verb = "saved" if saved.written else "would be saved"
    return Group(saved.diff, Text(f"{verb} to {clean(saved.path)}: {names}", "green" if saved.written else "yellow"))
