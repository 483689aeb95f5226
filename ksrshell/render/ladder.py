"""A call as a ladder, in the manner of sngrep: an endpoint a column, the proxy between caller and callees.

Fits the terminal; where it has more endpoints than columns for them, a list of the same messages is drawn instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from .colours import status_style
from .console import flat, width

if TYPE_CHECKING:
    from ..flow import Flow
    from ..messages import Message

#: The narrowest distance between two columns that still holds an arrow with a label.
MIN_STEP = 14
MAX_STEP = 34


def ladder(flow: Flow, columns: int | None = None) -> RenderableType:
    """The ladder in ``columns`` columns (default: the terminal's)."""
    total = columns or width()
    endpoints = flow.endpoints
    digits = max((len(str(message.id)) for message in flow.messages), default=1)
    # id, time since the first message, then the lanes with half a label's room at both sides.
    left = digits + 10
    labels = [flow.proxy_name if end == "proxy" else end for end in endpoints]
    # The outer labels are centred on their lanes, so the half of each sticks out.
    outer = max((min(len(labels[0]), 21) + 1) // 2, 4), max((min(len(labels[-1]), 21) + 1) // 2, 4)
    room = total - left - sum(outer) - 1
    step = min(MAX_STEP, room // max(1, len(endpoints) - 1))
    head = Text(f"Call-ID {flat(flow.callid)}", "bold", no_wrap=True, overflow="ellipsis")
    body = _list(flow, digits) if step < MIN_STEP else _lanes(flow, labels, left, outer[0], step, digits)
    return Text("\n").join([head, *body])


def label(message: Message) -> str:
    """What is written on the arrow: ``INVITE (SDP)``, ``180 Ringing``."""
    text = message.method if message.is_request else f"{message.status or '?'} {message.reason}".strip()
    sdp = message._summary.get("sdp")
    return flat(text + (" (SDP)" if sdp else ""))


def _lanes(flow: Flow, labels: list[str], left: int, margin: int, step: int, digits: int) -> list[Text]:
    ends = flow.endpoints
    at = {("" if end == "proxy" else end): left + margin + number * step for number, end in enumerate(ends)}
    span = left + margin + (len(ends) - 1) * step + margin + 12
    rows = _header(labels, list(at.values()), span, step)
    start = flow.messages[0].timestamp if len(flow.messages) else 0.0
    seen: set[tuple[str, str, str, int | None, str, str]] = set()
    for message in flow.messages:
        source, target = flow.ends(message)
        cells = [" "] * span
        for lane in at.values():
            cells[lane] = "│"
        text = label(message)
        key = (source, target, message.method, message.status, str(message.cseq), message.ruri)
        if key in seen:
            text += " again"
        seen.add(key)
        a, b = at[source], at[target]
        if a == b:
            text = f"↻ {text}"[: span - a - 2]
            low, high = a + 1, a + 1 + len(text)
            cells[low:high] = list(text)
        else:
            low, high = min(a, b) + 1, max(a, b)
            length = high - low
            shown = text if len(text) <= length - 3 else text[: length - 4] + "…"
            line = f" {shown} ".center(length - 1, "─")
            cells[low:high] = list(line + ">" if a < b else "<" + line)
        row = Text(no_wrap=True, overflow="crop")
        row.append(f"{message.id:>{digits}} ", "bold")
        row.append(f"{message.timestamp - start:8.3f}", "bright_black")
        drawn = Text("".join(cells[left - 1 :]).rstrip(), no_wrap=True)
        offset = left - 1
        drawn.stylize(status_style(None if message.is_request else message.status or 0), low - offset, high - offset)
        row.append_text(drawn)
        rows.append(row)
    return rows


def _header(labels: list[str], lanes: list[int], span: int, step: int) -> list[Text]:
    """The endpoints' names over their lanes; on two lines, host and port, when one line is too narrow for them."""
    lines = [labels]
    if any(len(name) > step - 1 for name in labels):
        split = [name.rpartition(":") if ":" in name else (name, "", "") for name in labels]
        lines = [[host for host, _, _ in split], [f"{colon}{port}" for _, colon, port in split]]
    rows = []
    for names in lines:
        cells = [" "] * span
        for name, lane in zip(names, lanes, strict=True):
            shown = flat(name) if len(name) <= max(step - 1, 3) or len(names) == 1 else flat(name)[: step - 2] + "…"
            begin = max(0, lane - len(shown) // 2)
            cells[begin : begin + len(shown)] = list(shown)
        rows.append(Text("".join(cells).rstrip(), "bold", no_wrap=True, overflow="crop"))
    return rows


def _list(flow: Flow, digits: int) -> list[Text]:
    """The same messages, one line each: for calls with very many endpoints."""
    rows = []
    start = flow.messages[0].timestamp if len(flow.messages) else 0.0
    for message in flow.messages:
        row = Text(no_wrap=True, overflow="ellipsis")
        row.append(f"{message.id:>{digits}} ", "bold")
        row.append(f"{message.timestamp - start:8.3f} ", "bright_black")
        source, target = (end or flow.proxy_name for end in flow.ends(message))
        row.append(f"{flat(source)} -> {flat(target)}  ")
        row.append(label(message), status_style(None if message.is_request else message.status or 0))
        rows.append(row)
    return rows
