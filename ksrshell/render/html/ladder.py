"""A call as a ladder in SVG: an endpoint a lane. An arrow that is chosen shows its message below.

Without scripts the messages below are the list of the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import NotFound
from ..console import clean
from ..ladder import label
from .markup import Html, drawing, join, tag
from .message import part
from .plots import SVG

if TYPE_CHECKING:
    from ...flow import Flow
    from ...messages import Message
    from ...sending import Sending

LEFT, STEP, ROW, TOP = 118, 230, 30, 40
#: Messages that are drawn, of a call that has more.
MOST = 300


def flow(view: Flow) -> Html:
    shown = list(view.messages)[:MOST]
    more = len(view.messages) - len(shown)
    note = tag("div", f"{more} more messages of this call are not drawn", class_="dim") if more else None
    return tag(
        "div",
        tag("div", tag("span", f"Call-ID {clean(view.callid)}", class_="b"), class_="head"),
        drawing(_svg(view, shown), "ladder"),
        note,
        tag("div", *(part(message) for message in shown), class_="parts"),
    )


def _svg(view: Flow, messages: list[Message]) -> Html:
    ends = view.endpoints
    names = [view.proxy_name if end == "proxy" else end for end in ends]
    at = {("" if end == "proxy" else end): LEFT + 60 + n * STEP for n, end in enumerate(ends)}
    width = LEFT + 120 + (len(ends) - 1) * STEP
    height = TOP + ROW * len(messages) + 12
    parts: list[Html] = []
    for name, x in zip(names, at.values(), strict=True):
        parts.append(tag("text", clean(name), x=x, y=16, text_anchor="middle", class_="end"))
        parts.append(tag("line", x1=x, x2=x, y1=24, y2=height - 4, class_="lane"))
    start = messages[0].timestamp if messages else 0.0
    seen: set[tuple[object, ...]] = set()
    for n, message in enumerate(messages):
        key = (*view.ends(message), message.method, message.status, str(message.cseq), message.ruri)
        parts.append(_arrow(view, message, n, at, start, key in seen))
        seen.add(key)
    title = f"ladder of a call: {len(messages)} messages between {', '.join(map(clean, names))}"
    return tag("svg", *parts, xmlns=SVG, class_="ladder", viewBox=f"0 0 {width} {height}", width=width, height=height,
               role="group", aria_label=title)  # fmt: skip


def _arrow(view: Flow, message: Message, n: int, at: dict[str, int], start: float, again: bool) -> Html:
    source, target = view.ends(message)
    a, b = at[source], at[target]
    y = TOP + n * ROW + 18
    text = label(message) + (" again" if again else "")
    names = [clean(end or view.proxy_name) for end in (source, target)]
    seconds = message.timestamp - start
    kind = "cyan" if message.is_request else {1: "yellow", 2: "green"}.get((message.status or 0) // 100, "red")
    room = (abs(a - b) - 24) // 7 if a != b else 20
    shown = text if len(text) <= room else text[: room - 1] + "…"
    if a == b:
        drawn = [tag("path", d=f"M{a} {y - 8}h26v10h-20"),
                 tag("polygon", points=f"{a + 2},{y + 2} {a + 9},{y - 2} {a + 9},{y + 6}"),
                 tag("text", shown, x=a + 34, y=y, class_="what")]  # fmt: skip
    else:
        way = 1 if b > a else -1
        drawn = [tag("line", x1=a, x2=b - 6 * way, y1=y, y2=y),
                 tag("polygon", points=f"{b},{y} {b - 9 * way},{y - 4} {b - 9 * way},{y + 4}"),
                 tag("text", shown, x=(a + b) // 2, y=y - 5, text_anchor="middle", class_="what")]  # fmt: skip
    return tag(
        "g",
        tag("title", f"{message.id} {text}: {names[0]} to {names[1]}, {seconds:.3f} s"),
        tag("rect", x=2, y=y - 19, width=LEFT + 120 + (len(at) - 1) * STEP - 4, height=ROW - 3, rx=3, class_="hit"),
        tag("text", str(message.id), x=40, y=y, text_anchor="end", class_="b"),
        tag("text", f"{seconds:.3f}", x=LEFT - 12, y=y, text_anchor="end", class_="t"),
        *drawn,
        class_=f"m {kind}",
        data_id=message.id,
        aria_label=f"message {message.id}: {text}, from {names[0]} to {names[1]}, after {seconds:.3f} seconds",
    )


def sending(view: Sending) -> Html:
    style, text = view.summary
    head = tag("div", clean(text), class_=f"b {style}")
    try:
        return join([head, flow(view.flow)])
    except NotFound:
        return join([head, tag("div", "the proxy has no message of it", class_="dim")])
