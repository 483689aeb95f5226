"""The magics that make and send messages, and that show figures: ``%%sip``, ``%%route``, ``%send``, ``%latency``..."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .magics import CELL, magic, number, words
from .view import View

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .namespace import Namespace
    from .routes import Swapped
    from .trace import Trace


def sip(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%%sip [--fill] [NAME] with a message below it: it goes into the capture, is not routed, and is in use.

    Lines may end with LF, Content-Length is put right, missing header fields are named; --fill makes them up. NAME:
    the variable that has the message afterwards.
    """
    usage = "%%sip [--fill] [NAME], with the message below"
    given = words(line, usage, 0, 2)
    fill = "--fill" in given
    if fill:
        given.remove("--fill")
    if cell is None or len(given) > 1 or (given and not given[0].isidentifier()):
        raise UsageError(f"usage: {usage}")
    made = namespace.session.sip(cell, fill=fill)
    if given:
        namespace[given[0]] = made.message
    return made


CELL["sip"] = sip


class Routed(View):
    """What ``%%route`` did: ``swapped``, and the ``trace`` of the message in use through the new code (None: no message
    was in use)."""

    def __init__(self, swapped: Swapped, trace: Trace | None) -> None:
        self.swapped = swapped
        self.trace = trace

    def __rich__(self) -> RenderableType:
        from rich.console import Group

        if self.trace is None:
            return self.swapped.__rich__()
        return Group(self.swapped, self.trace, self.trace[-1].effects)

    def to_json(self) -> Any:
        return {"swapped": self.swapped.to_json(), "trace": self.trace.to_json() if self.trace is not None else None}


def route(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%%route [CALLBACK] with functions of the script below it: they replace those that run, or are added; and the
    message in use goes through the new code in a sandbox, which shows every step.

    What is below is what would be in the script's file: with self where its functions are methods. CALLBACK: where the
    message in use begins (default: as Kamailio would). %%swap only replaces.
    """
    usage = "%%route [CALLBACK], with functions of the script below"
    given = words(line, usage, 0, 1)
    if cell is None:
        raise UsageError(f"usage: {usage}")
    session = namespace.session
    swapped = session.swap(cell)
    if session.current is None:
        return Routed(swapped, None)
    trace = namespace["trace"](session.current, given[0] if given else None)
    return Routed(swapped, trace)


CELL["route"] = route


@magic
def send(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%send [METHOD] [URI]: a real request through the proxy from a user agent here; the dialog as a ladder. Options:
    --as USER, --password WORD, --header LINE, --body TEXT, --timeout SECONDS, --no-wait.

    %send INVITE sip:bob@demo.example --as alice
    """
    usage = "%send [METHOD] [URI] [--as USER] [--password WORD] [--header LINE] [--body TEXT] [--timeout S] [--no-wait]"
    given = words(line, usage, 0, 30)
    options: dict[str, Any] = {"headers": []}
    plain: list[str] = []
    while given:
        word = given.pop(0)
        if word == "--no-wait":
            options["wait"] = False
        elif word in ("--as", "--password", "--header", "--body", "--timeout"):
            if not given:
                raise UsageError(f"usage: {usage}; {word} needs a value")
            value = given.pop(0)
            if word == "--header":
                options["headers"].append(value)
            elif word == "--timeout":
                options["timeout"] = _seconds(value, usage)
            else:
                options[{"--as": "user"}.get(word, word[2:])] = value
        elif word.startswith("--"):
            raise UsageError(f"usage: {usage}; there is no {word}")
        else:
            plain.append(word)
    if len(plain) > 2:
        raise UsageError(f"usage: {usage}")
    if len(plain) == 1 and ":" in plain[0]:
        plain.insert(0, "OPTIONS")
    return namespace.session.send(*plain, **options)


def _seconds(word: str, usage: str) -> float:
    try:
        found = float(word)
    except ValueError:
        found = 0.0
    if not 0 < found < 1e6:
        raise UsageError(f"usage: {usage}; --timeout is in seconds, got {word!r}")
    return found


def _figures(name: str, text: str) -> None:
    def run(namespace: Namespace, line: str, cell: str | None) -> Any:
        given = words(line, f"%{name} [N]", 0, 1)
        limit = number(given[0]) if given else 1000
        if limit is None:
            raise UsageError(f"usage: %{name} [N]: of the newest N messages")
        return getattr(namespace.session, name)(limit)

    run.__name__ = name
    run.__doc__ = f"%{name} [N]: {text} of the newest N messages (1000)."
    magic(run)


_figures("latency", "how long the callbacks took,")
_figures("traffic", "messages over time by kind,")

__all__ = ["Routed", "route", "send", "sip"]
