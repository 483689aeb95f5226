"""The magics: each parses words and calls the function of the same name.

They are plain functions ``(namespace, line, cell) -> value``, so that the terminal, ``attach -c`` and notebooks share
them; ``cell`` is None for ``%name`` and the lines below for ``%%name``.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import KsrShellError, UsageError
from .namespace import Command, Help, Namespace

Magic = Callable[[Namespace, str, str | None], Any]

LINE: dict[str, Magic] = {}
CELL: dict[str, Magic] = {}


def magic(function: Magic) -> Magic:
    LINE[function.__name__] = function
    return function


def words(line: str, usage: str, least: int, most: int) -> list[str]:
    """The words of ``line``, quotes honoured; :class:`UsageError` when there are too few or too many."""
    try:
        found = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{usage}: {error}") from None
    if not least <= len(found) <= most:
        raise UsageError(f"usage: {usage}")
    return found


def number(word: str) -> int | None:
    try:
        return int(word)
    except ValueError:
        return None


def message(namespace: Namespace, word: str, usage: str) -> Any:
    """The message a word names: an id, a distance from the end, or a Python expression such as ``m``."""
    id = number(word)
    if id is not None:
        return namespace.session.msgs[id]
    if word.isidentifier() and word in namespace:
        return namespace.session.pick(namespace[word])
    raise UsageError(f"usage: {usage}; {word!r} is no message")


@magic
def msgs(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%msgs [ID | -N | EXPRESSION]: all messages, one by its id, the newest N, or those that match.

    %msgs method == "INVITE" and fU == "alice"
    """
    line = line.strip()
    messages = namespace.session.msgs
    if not line:
        return messages
    id = number(line)
    if id is None:
        return messages.where(line)
    return messages[id:] if id < 0 else messages[id]


@magic
def use(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%use ID | -1 | none: KSR.* works on that message from now on, in a sandbox."""
    usage = "%use ID (or -1 for the newest, or none)"
    given = words(line, usage, 0, 1)
    if not given:
        return namespace["use"]()
    return namespace["use"](None if given[0].lower() == "none" else message(namespace, given[0], usage))


@magic
def effects(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%effects: what the KSR calls since %use would have sent and changed."""
    words(line, "%effects", 0, 0)
    return namespace.session.effects()


@magic
def routes(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%routes [NAME]: the script's functions, or one with its source."""
    given = words(line, "%routes [NAME]", 0, 1)
    return namespace.session.routes[given[0]] if given else namespace.session.routes


#: What moves a step, in pdb's letters too.
MOVES = {
    "next": "next", "n": "next", "into": "into", "s": "into", "out": "out", "r": "out", "call": "next_call",
    "next_call": "next_call", "finish": "finish", "c": "finish", "to": "to",
}  # fmt: skip


@magic
def step(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%step [ID] [CALLBACK]: begin to step through the script with a message (default: the one in use).

    %step next | into | out | call | to LINE | finish: go on with it (n, s, r, c as in pdb); %step close gives it up.
    """
    usage = "%step [ID] [CALLBACK], then %step next | into | out | call | to LINE | finish | close"
    given = words(line, usage, 0, 2)
    verb = given[0] if given else ""
    if verb in MOVES or verb == "close":
        if namespace.stepping is None:
            raise UsageError("nothing is being stepped: %step ID starts")
        if verb == "close":
            namespace.stepping.close()
            namespace.stepping = None
            return None
        if verb == "to":
            target = number(given[1]) if len(given) == 2 else None
            if target is None:
                raise UsageError("usage: %step to LINE")
            return namespace.stepping.to(target)
        return getattr(namespace.stepping, MOVES[verb])()
    return namespace["step"](message(namespace, verb, usage) if verb else None, given[1] if len(given) == 2 else None)


@magic
def swap(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%%swap with new functions below it, %swap FILE, or %swap NAME of a function you have defined."""
    session = namespace.session
    if cell is not None:
        return session.swap(cell)
    (word,) = words(line, "%swap FILE or NAME, or %%swap with the new functions below", 1, 1)
    if callable(namespace.get(word)) and not isinstance(namespace[word], Command):
        return session.swap(namespace[word])
    try:
        return session.swap(Path(word).expanduser().read_text())
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, KsrShellError):
            raise
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"%swap: {word!r} is no function defined here, and as a file: {reason}") from None


CELL["swap"] = swap


@magic
def versions(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%versions NAME [NUMBER]: the versions of a function, or one of them with its source."""
    given = words(line, "%versions NAME [NUMBER]", 1, 2)
    found = namespace.session.versions(given[0])
    return found if len(given) == 1 else found[_version(given[1])]


@magic
def rollback(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%rollback NAME [NUMBER]: back to the version before, or to that one."""
    given = words(line, "%rollback NAME [NUMBER]", 1, 2)
    return namespace.session.rollback(given[0], _version(given[1]) if len(given) == 2 else None)


def _version(word: str) -> int:
    found = number(word)
    if found is None:
        raise UsageError(f"expected a version's number, got {word!r}")
    return found


@magic
def flow(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%flow [ID | CALL-ID]: the call of a message as a ladder; default: of the message in use, or the newest."""
    given = words(line, "%flow [ID | CALL-ID]", 0, 1)
    if not given:
        return namespace.session.flow()
    word = given[0]
    known = number(word) is not None or word in namespace
    return namespace.session.flow(message(namespace, word, "%flow [ID | CALL-ID]") if known else word)


@magic
def rpc(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%rpc COMMAND [ARGUMENT ...]: one of Kamailio's RPC commands; numbers are sent as numbers, s:12 as text."""
    given = words(line, "%rpc COMMAND [ARGUMENT ...]", 1, 32)
    return namespace.session.rpc(given[0], *map(_rpc_value, given[1:]))


def _rpc_value(word: str) -> int | str:
    """As kamcmd reads its arguments: digits are a number, ``s:`` in front makes it text."""
    if word.startswith("s:"):
        return word[2:]
    found = number(word)
    return word if found is None else found


@magic
def ksrhelp(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%ksrhelp [NAME]: what this shell has, or more about one thing."""
    given = words(line, "%ksrhelp [NAME]", 0, 1)
    if not given:
        return Help()
    return explain(namespace, given[0].lstrip("%"))


def explain(namespace: Namespace, name: str) -> Any:
    """More about one name: a function of the prompt, a KSR function, a magic, a topic."""
    from .ksr import Function, Module
    from .messages import Message
    from .namespace import TOPICS, Line

    if name == "message":
        return Line(_doc(Message))
    if name == "where":
        return Line(_doc(namespace.session.msgs.where))
    head, _, rest = name.partition(".")
    found = namespace.get(head)
    for part in rest.split(".") if rest else ():
        found = getattr(found, part, None)
    if isinstance(found, Command | Function | Module) or found is namespace.session.KSR:
        return found
    if found is not None:
        return Line(_doc(type(found)))
    if name in LINE:
        return Line(_doc(LINE[name]))
    raise UsageError(f"no help on {name!r}; there is help on: {', '.join(topic for topic, _, _ in TOPICS)}")


def _doc(thing: Any) -> str:
    import inspect

    return inspect.getdoc(thing) or ""
