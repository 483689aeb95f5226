"""The magics: each parses words and calls the function of the same name.

They are plain functions ``(namespace, line, cell) -> value``, so that the terminal, ``attach -c`` and notebooks share
them; ``cell`` is None for ``%name`` and the lines below for ``%%name``.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import KsrShellError, UsageError
from .namespace import Command, Help, Namespace
from .render.console import clean
from .routes import source_of

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
    """%use [--embedded] ID | -1 | none: KSR.* works on that message from now on, in a sandbox.

    --embedded (also of %step, %trace and %try): of a message of a Kamailio, on the embedded core beside it.
    """
    usage = "%use ID (or -1 for the newest, or none)"
    given = words(line, usage, 0, 2)
    engine = _engine(given)
    if len(given) > 1:
        raise UsageError(f"usage: {usage}")
    if not given:
        return namespace["use"]()
    return namespace["use"](None if given[0].lower() == "none" else message(namespace, given[0], usage), **engine)


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
    "next_call": "next_call", "finish": "finish", "c": "finish", "to": "to", "back": "back", "forward": "forward",
    "back_over": "back_over", "back_out": "back_out", "back_call": "back_call", "first": "first", "last": "last",
    "goto": "goto",
}  # fmt: skip

#: Those that take a number, and whether they need it.
_COUNTED = {"to": True, "goto": True, "back": False, "back_over": False, "forward": False}


@magic
def step(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%step [--embedded] [ID] [CALLBACK]: begin to step through the script with a message (default: the one in use).

    %step next | into | out | call | to LINE | finish: go on with it (n, s, r, c as in pdb); %step back | back_call |
    goto N | first | last: in what is recorded; %step close gives it up. %next, %back ... are the same, shorter.
    """
    usage = "%step [ID] [CALLBACK], then %step next | into | out | call | to LINE | finish | back | back_call | close"
    given = words(line, usage, 0, 3)
    engine = _engine(given)
    if len(given) > 2:
        raise UsageError(f"usage: {usage}")
    verb = given[0] if given else ""
    if verb in MOVES:
        return _move(namespace, verb, given[1:])
    if verb == "close":
        _stepping(namespace).close()
        namespace.stepping = None
        return None
    picked = message(namespace, verb, usage) if verb else None
    return namespace["step"](picked, given[1] if len(given) == 2 else None, **engine)


def _stepping(namespace: Namespace) -> Any:
    if namespace.stepping is None:
        raise UsageError("nothing is being stepped: %step ID starts")
    return namespace.stepping


def _move(namespace: Namespace, verb: str, given: list[str]) -> Any:
    stepping, op = _stepping(namespace), MOVES[verb]
    if op not in _COUNTED:
        if given:
            raise UsageError(f"usage: %step {verb}; it takes nothing more, got {given[0]!r}")
        return getattr(stepping, op)()
    if not given and not _COUNTED[op]:
        return getattr(stepping, op)()
    count = number(given[0]) if len(given) == 1 else None
    if count is None:
        raise UsageError(f"usage: %step {op} {'LINE' if op == 'to' else 'NUMBER'}")
    return getattr(stepping, op)(count)


def _mover(op: str, usage: str, text: str) -> None:
    def run(namespace: Namespace, line: str, cell: str | None) -> Any:
        return _move(namespace, op, words(line, usage, 0, 1))

    run.__name__ = op
    run.__doc__ = f"{usage}: {text}"
    magic(run)


for _op, _usage, _text in (
    ("next", "%next", "the step goes to the next line of its function."),
    ("into", "%into", "the step goes on, also into a function of the script."),
    ("out", "%out", "the step goes to the end of its function, back in its caller."),
    ("next_call", "%next_call", "the step goes to the next KSR call."),
    ("forward", "%forward [N]", "the step goes on by the smallest steps there are."),
    ("finish", "%finish", "the step goes to the end of the run."),
    ("back", "%back [N]", "the step goes a line back, or N lines."),
    ("back_call", "%back_call", "the step goes back to the KSR call before."),
    ("goto", "%goto N", "the step goes to the recorded step N, from 0."),
):
    _mover(_op, _usage, _text)


@magic
def view(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%view [ID] [CALLBACK]: the debugger on the full screen, on what is being stepped or on a message; q leaves."""
    if line.strip():
        step(namespace, line, None)
    return _stepping(namespace).view()


@magic
def when(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%when $PV | NAME | header NAME: where that changed in what is being stepped."""
    given = words(line, "%when $PV | NAME | header NAME", 1, 2)
    if len(given) == 2:
        if given[0] != "header":
            raise UsageError("usage: %when $PV | NAME | header NAME")
        return _stepping(namespace).when(header=given[1])
    return _stepping(namespace).when(given[0])


@magic
def trace(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%trace [--embedded] [ID] [CALLBACK]: run the script with a message to its end and record every step.

    %next and %back walk in it.
    """
    usage = "%trace [--embedded] [ID] [CALLBACK]"
    given = words(line, usage, 0, 3)
    engine = _engine(given)
    if len(given) > 2:
        raise UsageError(f"usage: {usage}")
    picked = message(namespace, given[0], usage) if given else None
    return namespace["trace"](picked, given[1] if len(given) == 2 else None, **engine)


@magic
def swap(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%%swap [--pin] [--try N] with new functions below it, %swap FILE, %swap NAME of a function you have defined, or
    %swap --remove NAME. On several nodes also --canary NODE, --for SECONDS, --all-for SECONDS, --abort-if CONDITION."""
    usage = "%swap [--pin] [--try N] FILE or NAME, or %%swap with the new functions below, or %swap --remove NAME"
    given = words(line, usage, 0, 13)
    options: dict[str, Any] = {"pin": _flag(given, "--pin"), "try_on": _option(given, "--try", usage)}
    if len(namespace.session.members()) > 1:
        options |= _canary(given)
    if _flag(given, "--remove"):
        return namespace.session.swap(remove=given)
    return namespace.session.swap(_new(namespace, given, cell, usage), **options)


CELL["swap"] = swap


def _canary(given: list[str]) -> dict[str, Any]:
    """What a swap on several nodes takes, too."""
    usage = "%swap --canary NODE [--for SECONDS] [--all-for SECONDS] [--abort-if CONDITION] FILE or NAME"
    options: dict[str, Any] = {}
    for word, name in (("--canary", "canary"), ("--for", "for_"), ("--all-for", "all_for"), ("--abort-if", "abort_if")):
        if word in given:
            at = given.index(word)
            if at + 1 >= len(given):
                raise UsageError(f"usage: {usage}")
            options[name] = given[at + 1]
            del given[at : at + 2]
    try:
        return options | {name: float(options[name]) for name in ("for_", "all_for") if name in options}
    except ValueError:
        raise UsageError(f"usage: {usage}; {options}") from None


def _flag(given: list[str], name: str) -> bool:
    if name not in given:
        return False
    given.remove(name)
    return True


def _engine(given: list[str]) -> dict[str, str]:
    """What ``--embedded`` asks for."""
    return {"engine": "embedded"} if _flag(given, "--embedded") else {}


def _option(given: list[str], name: str, usage: str) -> int:
    """The number behind an option, 0 without the option."""
    if name not in given:
        return 0
    at = given.index(name)
    found = number(given[at + 1]) if at + 1 < len(given) else None
    if found is None:
        raise UsageError(f"usage: {usage}")
    del given[at : at + 2]
    return found


def _new(namespace: Namespace, given: list[str], cell: str | None, usage: str) -> Any:
    """New code: the cell, a function defined at the prompt, or a file."""
    if cell is not None and not given:
        return cell
    if cell is not None or len(given) != 1:
        raise UsageError(f"usage: {usage}")
    (word,) = given
    if callable(namespace.get(word)) and not isinstance(namespace[word], Command):
        return namespace[word]
    try:
        return source_of(Path(word))
    except UsageError as error:
        raise UsageError(f"{word!r} is no function defined here, and as a file: {error}") from None


def try_(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%%try [--embedded] [N | FILTER] with new functions below it, %try NAME or FILE [N | FILTER].

    What they would change: on the newest N requests (50), or on those that match, such as method == "INVITE".
    """
    usage = "%%try [N | FILTER] with the new functions below, or %try NAME or FILE [N | FILTER]"
    line = line.strip()
    engine = {}
    if line.partition(" ")[0] == "--embedded":
        engine, line = {"engine": "embedded"}, line.partition(" ")[2].strip()
    new: Any = cell
    if cell is None:
        word, _, line = line.partition(" ")
        new = _new(namespace, [word] if word else [], None, usage)
    line = line.strip()
    id = number(line) if line else 50
    return namespace.session.try_swap(new, namespace.session.msgs.where(line) if id is None else id, **engine)


LINE["try"] = CELL["try"] = try_


@magic
def versions(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%versions NAME [NUMBER]: the versions of a function, or one of them with its source."""
    given = words(line, "%versions NAME [NUMBER]", 1, 2)
    found = namespace.session.versions(given[0])
    return found if len(given) == 1 else found[_version(given[1])]


@magic
def rollback(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%rollback [NAME [NUMBER]]: back to the version before, or to that one; without a name the whole latest swap."""
    given = words(line, "%rollback [NAME [NUMBER]]", 0, 2)
    if not given:
        return namespace.session.rollback()
    return namespace.session.rollback(given[0], _version(given[1]) if len(given) == 2 else None)


@magic
def save(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%save [--diff]: write what was swapped into the script's file, or only show it.

    With other arguments it is IPython's %save, which writes input lines into a file.
    """
    given = words(line, "%save [--diff]", 0, 1)
    diff = _flag(given, "--diff")
    if given:
        raise UsageError("usage: %save [--diff]")
    return namespace.session.save(diff)


@magic
def edit(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%edit NAME: a function of the script in your editor ($VISUAL, $EDITOR or vi), swapped in when you save it.

    With other arguments it is IPython's %edit.
    """
    from .edit import ask_terminal
    from .edit import edit as edit_function

    (name,) = words(line, "%edit NAME", 1, 1)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("%edit needs a terminal")
    return edit_function(namespace.session, name, ask_terminal, lambda text: print(clean(text)))  # noqa: T201


def ours(namespace: Namespace, name: str, line: str) -> bool:
    """Whether a magic that IPython has too means ours with these arguments."""
    if name == "save":
        return not line.strip() or line.strip() == "--diff"
    if name == "edit":
        word = line.strip()
        if word.isidentifier() and word not in namespace and not (Path(word).exists() or Path(f"{word}.py").exists()):
            return True  # IPython has nothing to edit by that name either
        try:
            return word in namespace.session.lead.routes
        except KsrShellError:
            return False
    return True


def _version(word: str) -> int:
    found = number(word)
    if found is None:
        raise UsageError(f"expected a version's number, got {word!r}")
    return found


@magic
def hold(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%hold [WHERE] [if FILTER]: hold the next live messages there; options --once, --hits N, --timeout S, --log TEXT.

    %hold ksr_route_relay if method == "INVITE" and rU == "bob"
    """
    usage = "%hold [WHERE] [--once] [--hits N] [--timeout S] [--log TEXT] [--watch NAME] [if FILTER]"
    head, found, filter_ = f" {line} ".partition(" if ")
    given = words(head, usage, 0, 10)
    options: dict[str, Any] = {"once": _flag(given, "--once"), "if_": filter_.strip() if found else ""}
    hits = _option(given, "--hits", usage)
    if hits:
        options["hits"] = hits
    for name in ("timeout", "log", "watch"):
        if f"--{name}" in given:
            at = given.index(f"--{name}")
            if at + 1 >= len(given):
                raise UsageError(f"usage: {usage}")
            options[name] = given[at + 1]
            del given[at : at + 2]
    if "timeout" in options:
        try:
            options["timeout"] = float(options["timeout"])
        except ValueError:
            raise UsageError(f"usage: {usage}; --timeout is in seconds") from None
    if len(given) > 1:
        raise UsageError(f"usage: {usage}")
    return namespace.session.hold(given[0] if given else "", **options)


@magic
def held(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%held [N]: the live messages that wait, or one of them (0 waits longest)."""
    given = words(line, "%held [N]", 0, 1)
    return _held(namespace, given[0]) if given else namespace.session.held


@magic
def resume(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%resume [N | all]: let a held message go (default: the one that waits longest), or all."""
    given = words(line, "%resume [N | all]", 0, 1)
    if given == ["all"]:
        for session in namespace.session.members():
            for each in list(session.held):
                each.resume()
        return None
    return _held(namespace, given[0] if given else "0").resume()


def _held(namespace: Namespace, word: str) -> Any:
    at = number(word)
    if at is None:
        raise UsageError(f"expected a position in held, 0 for the first, got {word!r}")
    return namespace.session.held[at]


@magic
def unhold(namespace: Namespace, line: str, cell: str | None) -> Any:
    """%unhold [NUMBER]: disarm a hold by its number, or all."""
    given = words(line, "%unhold [NUMBER]", 0, 1)
    if not given:
        namespace.session.unhold()
    else:
        id = number(given[0])
        if id is None:
            raise UsageError(f"expected a hold's number, as holds shows it, got {given[0]!r}")
        namespace.session.unhold(id)
    return namespace.session.holds


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


from . import magics_traffic as _magics_traffic  # noqa: E402, F401  it registers the magics that make and send messages
