"""A recorded run with a slider: source line, KSR calls, variables, pseudo-variables and the message at every step.

The parts that many steps share (a line, a call, a version of the message) are in the page once; what a step shows is in
the data of the slider. Without scripts the last step is shown, and all steps are listed below.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ksrcore.debug.recording import Point, Recording
from ksrcore.debug.source import source_window

from ...effects import Sent
from ...messages import Calls
from ...view import unwire
from ..console import clean, flat
from ..message import call_line, title
from ..step import null, trace_lines
from .convert import convert
from .diff import block, rows
from .effects import effects, sent
from .markup import Html, data, heading, join, tag
from .source import source
from .step import ending
from .text import spans

if TYPE_CHECKING:
    from ...magics_traffic import Routed
    from ...trace import Trace

#: Steps that the slider has, of a run that has more.
MOST = 3000
#: Steps in the list for those without scripts.
LISTED = 400


def trace(view: Trace) -> Html:
    recording, count = view.recording, min(len(view), MOST)
    points = recording.points[:count]
    last = view[count - 1]
    head = heading(
        tag("span", clean(view.callback), class_="b cyan"),
        tag("span", spans(title(view.message))),
        tag("span", f"{len(view)} steps, {len(view.calls)} KSR calls", class_="dim"),
    )
    if len(view) > count:
        head = join([head, tag("div", f"the slider has the first {count} steps", class_="yellow")])
    files = {file: str(n) for n, file in enumerate(dict.fromkeys(p.stack[-1][1] for p in points if p.stack))}
    left = tag("div", tag("h4", "source"), tag("pre", *_sources(recording, points, files), class_="scroll src",
               tabindex="0", role="region", aria_label="source"))  # fmt: skip
    right = tag("div", tag("h4", "KSR calls"), _calls(view.calls, points), tag("h4", "variables"),
                tag("div", tag("table", tag("tbody"), class_="locals"), class_="scroll low", tabindex="0",
                    role="region", aria_label="variables"))  # fmt: skip
    pvs = tag("div", tag("h4", "pseudo-variables"), tag("div", _pvs(recording, count), class_="scroll low",
              tabindex="0", role="region", aria_label="pseudo-variables"))  # fmt: skip
    leaves = [sent(Sent(each), data_s=n) for n, each in enumerate(recording.sent[: points[-1].sent])]
    message = tag("div", tag("h4", "the message, as it came and as it would leave"),
                  tag("div", block(recording.diff(points[-1].text)), class_="text"), *leaves)  # fmt: skip
    listing = tag("details", tag("summary", "all steps as a list"), convert(trace_lines(view.show(0, LISTED))))
    panes = tag("div", left, right, pvs, message, class_="panes")
    return tag("div", head, tag("div", ending(last), class_="ending"), panes, listing, class_="scrub card",
               role="group", aria_label=f"recorded run of {clean(view.callback)}",
               data_steps=data(_data(recording, points, files)))  # fmt: skip


def _sources(recording: Recording, points: Sequence[Point], files: dict[str, str]) -> list[Html]:
    """The functions that ran, whole, and which of their lines did."""
    made: list[Html] = []
    for file, key in files.items():
        lines = recording.sources.get(file, [])
        ran = {p.stack[-1][2] for p in points if p.stack and p.stack[-1][1] == file}
        shown: set[int] = set()
        for line in ran:
            window = source_window(lines, line)
            shown |= set(range(window["first_line"], window["first_line"] + len(window["source"])))
        blocks = _blocks(sorted(shown))
        for first, last in blocks:
            if made:
                made.append(tag("span", "\n", class_="gap"))
            made += source(lines[first - 1 : last], first, ran=ran, key=key)
    return made


def _blocks(numbers: list[int]) -> list[tuple[int, int]]:
    """The numbers as (first, last) of what is without a gap."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _calls(calls: Calls, points: Sequence[Point]) -> Html:
    items = [
        tag("li", tag("button", spans(call_line(call)), type="button", title="go to this call"))
        for call in calls[: points[-1].calls]
    ]
    return tag("div", tag("div", "none", class_="dim none", hidden=bool(items)),
               tag("ol", *items, class_="calls"), class_="scroll low", tabindex="0", role="region",
               aria_label="KSR calls")  # fmt: skip


def _pvs(recording: Recording, count: int) -> Html:
    rows = []
    for name, values in recording.watches.items():
        value = null(_readable(values[count - 1]))
        rows.append(tag("tr", tag("td", clean(name)), tag("td", flat(value), class_="v"), data_pv=name))
    return tag("table", tag("tbody", *rows))


def _readable(value: Any) -> Any:
    return clean(unwire(value)) if isinstance(value, str) else value


def _data(recording: Recording, points: Sequence[Point], files: dict[str, str]) -> dict[str, Any]:
    """What changes from step to step: short keys, each value once."""
    steps: list[dict[str, Any]] = []
    locals_: list[dict[str, str]] = []
    numbers: dict[int, int] = {}
    for at, point in enumerate(points):
        number = numbers.get(id(point.locals))
        if number is None:
            number = numbers[id(point.locals)] = len(locals_)
            locals_.append({clean(n): clean(v) for n, v in point.locals.items() if n not in ("self", "msg")})
        function, file, line = point.stack[-1] if point.stack else ("", "", 0)
        if point.event == "end":
            what = "the run has ended"
        elif point.call:
            what = f"about to call {point.call}"
        else:
            what = f"{function}, line {line}" + (" returns" if point.event == "return" else "")
        steps.append({"w": flat(what), "l": f"{files[file]}:{line}" if line else "", "c": point.calls, "t": point.text,
                      "s": point.sent, "o": number, "h": recording.changed(at)})  # fmt: skip
    pvs = []
    for values in recording.watches.values():
        known: dict[Any, int] = {}
        order = [known.setdefault(_key(value), len(known)) for value in values[: len(points)]]
        pvs.append({"v": [None if key is None else _readable(key) for key in known], "i": order})
    texts = {n: rows(diff) if (diff := recording.diff(n)).strip() else [] for n in {point.text for point in points}}
    return {"steps": steps, "locals": locals_, "pvs": pvs, "texts": texts}


def _key(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int) else str(value)


def routed(view: Routed) -> Html:
    swapped = convert(view.swapped)
    if view.trace is None:
        return swapped
    return join([swapped, trace(view.trace), effects(view.trace[-1].effects)])
