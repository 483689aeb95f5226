"""A captured message, and tables of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import KsrShellError
from ..message import call_line, run_line, title
from ..tables import messages_table
from .convert import convert
from .markup import Html, heading, join, tag
from .text import sip, spans

if TYPE_CHECKING:
    from ...compose import Made
    from ...messages import CallbackRun, Message, Messages

#: Messages of the capture that a table shows.
ROWS = 100


def message(m: Message) -> Html:
    """Where it came from, its bytes highlighted, what the script did with it."""
    head = heading(tag("span", spans(title(m))), *facts(m))
    parts = [head]
    if m.error:
        parts.append(tag("div", f"not usable: {m.error}", class_="red"))
    parts.append(sip(m.raw.decode("latin-1"), aria_label="the message"))
    parts += [run(each) for each in m.runs]
    cause, sent = m._details.get("cause"), m._details.get("sent")
    if cause:
        parts.append(tag("div", f"sent because of message {cause}", class_="dim"))
    if sent:
        parts.append(tag("div", f"sent because of it: {', '.join(map(str, sent))}", class_="dim"))
    return tag("div", *parts, class_="card")


def facts(m: Message) -> list[Html]:
    how = f"{m.origin}, never on the wire here" if m.origin else ("sent by the proxy" if m.out else "received")
    return [
        tag("span", f"{m.time:%H:%M:%S.%f}"[:-3], class_="dim"),
        tag("span", f"{m.proto} {m.src} → {m.dst}", class_="dim"),
        tag("span", f"{how}, {m.size} bytes", class_="dim"),
    ]


def run(each: CallbackRun) -> Html:
    """One line; the KSR calls are behind it."""
    head = spans(run_line(each))
    trace = tag("pre", each.traceback.rstrip("\n"), class_="red") if each.traceback else None
    if not len(each.calls):
        return tag("div", head, trace)
    calls = tag("ol", *(tag("li", spans(call_line(call))) for call in each.calls), class_="calls")
    return tag("details", tag("summary", head), calls, trace)


def part(m: Message) -> Html:
    """A message behind one line: its title."""
    try:
        body = sip(m.raw.decode("latin-1"), aria_label=f"message {m.id}")
        runs = [run(each) for each in m.runs]
    except KsrShellError as error:  # it may be gone from the capture by now
        body, runs = tag("div", str(error), class_="dim"), []
    head = tag("summary", spans(title(m)), *(join(["  ", fact]) for fact in facts(m)[1:]))
    return tag("details", head, body, *runs, class_="msg card")


def messages(many: Messages) -> Html:
    page = many._page(limit=ROWS)
    from ...messages import Message as One

    newest = sorted((One(many._session, summary) for summary in page["messages"]), key=lambda m: m.id)
    return convert(
        messages_table(
            newest, first=int(page["first"]), last=int(page["last"]), gone=int(page["gone"]), where=many._where
        )
    )


def made(new: Made) -> Html:
    remarks = [tag("div", text, class_="dim" if style == "bright_black" else style) for style, text in new.remarks]
    return join([message(new.message), *remarks])
