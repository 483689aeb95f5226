"""Regular expressions in bounded time: whether a pattern occurs in a text, for filters that run between two messages.

Python's :mod:`re` backtracks: ``(a+)+$`` on thirty characters takes minutes, and nothing can interrupt it outside the
main thread. Here a pattern becomes a nondeterministic automaton, whose sets of states are walked and remembered (a
lazily built deterministic one), so each character of the text is looked at once. The syntax is that of :mod:`re`, but
for what an automaton cannot do: references to groups, look-ahead and look-behind, atomic groups and possessive
repeats. Greedy or not makes no difference to whether a pattern occurs.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache
from re import _parser  # type: ignore[attr-defined]  # Python's syntax, so Python's parser
from typing import Any, Final

__all__ = ["PatternError", "TooCostly", "check", "occurs"]

log = logging.getLogger("ksrcore.capture")

#: Characters of a pattern, states of its automaton.
MAX_PATTERN: Final = 1024
MAX_STATES: Final = 2000
#: States looked at in one search, remembered steps not counted: some 50 ms at most.
MAX_WORK: Final = 25_000
#: Steps remembered for one pattern.
_MAX_STEPS: Final = 20_000

Test = Callable[[str], bool]


class PatternError(ValueError):
    """A pattern that cannot be used."""


class TooCostly(PatternError):
    """A search was given up, and all later ones of its pattern: it makes too many sets of states."""

    def __init__(self, pattern: str) -> None:
        super().__init__(f"the search for {pattern!r} takes too long: write a simpler pattern")


def occurs(pattern: str, text: str) -> bool:
    """``re.search(pattern, text) is not None``. Raises :class:`PatternError`, and :class:`TooCostly` for a search."""
    return _compiled(pattern)(text)


def check(pattern: str) -> None:
    """Raise :class:`PatternError` for a pattern that cannot be used."""
    _compiled(pattern)


@lru_cache(maxsize=128)
def _compiled(pattern: str) -> Test:
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"a pattern has at most {MAX_PATTERN} characters, this one {len(pattern)}")
    try:
        with warnings.catch_warnings():
            # Python warns of "[[a]": nobody would see it here.
            warnings.simplefilter("ignore")
            tree = _parser.parse(pattern)
            if _plain(tree):
                found = re.compile(pattern).search
                return lambda text: found(text) is not None
        return _Automaton(pattern, tree).occurs
    except PatternError:
        raise
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(str(error)) from None


def _plain(tree: Iterable[Any], branches: int = 1) -> bool:
    """Whether there is nothing to backtrack over: no repeats, one choice at most. Python's own search is quick then."""
    for op, arg in tree:
        name = str(op)
        if name == "SUBPATTERN":
            if not _plain(arg[3], 0):
                return False
        elif name == "BRANCH":
            if not branches or not all(_plain(part, 0) for part in arg[1]):
                return False
            branches = 0
        elif name not in ("LITERAL", "NOT_LITERAL", "ANY", "IN", "AT"):
            return False
    return True


class _State:
    """One state: ``test`` of a character that leads to the state ``out[0]``; or an assertion ``at``; or neither, then
    all of ``out`` follow at once. The last state has no ``out``."""

    __slots__ = ("at", "out", "test")

    def __init__(self, out: tuple[_State, ...], test: Test | None = None, at: str = "") -> None:
        self.out = out
        self.test = test
        self.at = at


class _Set:
    """A set of states, in which the search is before a character; ``before`` is the one already read, '' at first.

    ``steps``: the set after a character, None when the pattern has occurred.
    """

    __slots__ = ("before", "states", "steps")

    def __init__(self, states: frozenset[_State], before: str) -> None:
        self.states = states
        self.before = before
        self.steps: dict[str, _Set | None] = {}


#: In place of the character that comes: there is none, or it is a line end with nothing after it.
_END: Final = ""
_LAST_LINE: Final = "\n$"


class _Automaton:
    def __init__(self, pattern: str, tree: Any) -> None:
        self.pattern = pattern
        self.size = 0
        self.looks_back = False
        self.flags: int = tree.state.flags
        self.last = _State(())
        self.first = self.build(tree, self.last, self.flags)
        self.begin = _Set(frozenset((self.first,)), "")
        self.sets: dict[tuple[frozenset[_State], str], _Set] = {}
        self.remembered = 0
        self.spent = False

    # -- the states ---------------------------------------------------------------------------------------------------

    def state(self, out: tuple[_State, ...], test: Test | None = None, at: str = "") -> _State:
        self.grow()
        return _State(out, test, at)

    def grow(self) -> None:
        self.size += 1
        if self.size > MAX_STATES:
            raise PatternError(f"the pattern is too large: its repeats make more than {MAX_STATES} states")

    def build(self, tree: Iterable[Any], then: _State, flags: int) -> _State:
        """The state that begins ``tree`` and goes on with ``then``."""
        for op, arg in reversed(list(tree)):
            name = str(op)
            match name:
                case "MAX_REPEAT" | "MIN_REPEAT":
                    least, most, inner = arg
                    then = self.repeat(least, most, inner, then, flags)
                case "SUBPATTERN":
                    _, add, remove, inner = arg
                    then = self.build(inner, then, (flags | add) & ~remove)
                case "BRANCH":
                    then = self.state(tuple(self.build(part, then, flags) for part in arg[1]))
                case "AT":
                    at = str(arg)
                    self.looks_back = self.looks_back or at not in ("AT_END", "AT_END_STRING")
                    if flags & re.MULTILINE and at in ("AT_BEGINNING", "AT_END"):
                        at += "_LINE"
                    elif flags & re.ASCII and at in ("AT_BOUNDARY", "AT_NON_BOUNDARY"):
                        at += "_ASCII"
                    then = self.state((then,), None, at)
                case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                    then = self.state((then,), _test(name, arg, flags))
                case _:
                    what = name.lower().replace("_", " ")
                    raise PatternError(f"{what}: a filter has no references, look-around, atomic or possessive parts")
        return then

    def repeat(self, least: int, most: Any, inner: Any, then: _State, flags: int) -> _State:
        after = then
        if str(most) == "MAXREPEAT":
            then = self.state((after,))
            then.out = (self.build(inner, then, flags), after)
        else:
            for _ in range(int(most) - least):
                then = self.state((self.build(inner, then, flags), after))
        for _ in range(least):
            self.grow()  # an empty part has no state of its own
            then = self.build(inner, then, flags)
        return then

    # -- the search ---------------------------------------------------------------------------------------------------

    def occurs(self, text: str) -> bool:
        if self.spent:
            raise TooCostly(self.pattern)
        here = self.begin
        work = MAX_WORK
        stop = len(text) - 1 if text.endswith("\n") else len(text)
        for char in (*text[:stop], _LAST_LINE, _END) if stop < len(text) else (*text, _END):
            try:
                there = here.steps[char]
            except KeyError:
                there, work = self.step(here, char, work)
            if there is None:
                return True
            here = there
        return False

    def step(self, here: _Set, char: str, work: int) -> tuple[_Set | None, int]:
        """The set after ``char``, None when the pattern has occurred; what is left of ``work``."""
        seen: set[_State] = set()
        ahead = {self.first}
        waiting = list(here.states)
        read = char[:1]
        found = False
        while waiting:
            state = waiting.pop()
            if state in seen:
                continue
            seen.add(state)
            if state.test is not None:
                if read and state.test(read):
                    ahead.add(state.out[0])
            elif state is self.last:
                found = True
                break
            elif not state.at or _holds(state.at, here.before, char):
                waiting.extend(state.out)
        work -= len(seen) + 1
        if work < 0:
            self.spent = True
            error = TooCostly(self.pattern)
            log.warning("%s", error)
            raise error
        if self.remembered >= _MAX_STEPS:
            self.begin.steps.clear()
            self.sets.clear()
            self.remembered = 0
        there: _Set | None = None
        if not found:
            before = read if self.looks_back else "x"
            key = (frozenset(ahead), before)
            there = self.sets.get(key)
            if there is None:
                there = self.sets[key] = _Set(*key)
        here.steps[char] = there
        self.remembered += 1
        return there, work


def _word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _ascii_word(char: str) -> bool:
    return char.isascii() and _word(char)


def _holds(at: str, before: str, char: str) -> bool:
    """Whether an assertion holds between two characters."""
    match at:
        case "AT_BEGINNING" | "AT_BEGINNING_STRING":
            return not before
        case "AT_BEGINNING_LINE":
            return before in ("", "\n")
        case "AT_END":
            return char in (_END, _LAST_LINE)
        case "AT_END_STRING":
            return char == _END
        case "AT_END_LINE":
            return char in (_END, _LAST_LINE, "\n")
    # Both are false in an empty text, as Python had it until 3.14.
    word = _ascii_word if at.endswith("_ASCII") else _word
    return bool(before or char) and (word(before[:1]) != word(char[:1])) is at.startswith("AT_BOUNDARY")


_CATEGORIES: Final[dict[str, Test]] = {
    "DIGIT": str.isdecimal,
    "SPACE": str.isspace,
    "WORD": _word,
}


def _test(name: str, arg: Any, flags: int) -> Test:
    """Whether one character fits an element of a pattern."""
    if name == "ANY":
        return (lambda char: True) if flags & re.DOTALL else (lambda char: char != "\n")
    parts = (
        [_part(op, value, flags) for op, value in arg if str(op) != "NEGATE"] if name == "IN" else [_one(arg, flags)]
    )
    negated = name == "NOT_LITERAL" or (name == "IN" and str(arg[0][0]) == "NEGATE")
    return lambda char: any(part(char) for part in parts) is not negated


def _one(code: int, flags: int) -> Test:
    wanted = chr(code)
    if flags & re.IGNORECASE:
        forms = {wanted, wanted.lower(), wanted.upper()}
        return lambda char: char in forms or char.lower() in forms
    return wanted.__eq__


def _part(op: Any, arg: Any, flags: int) -> Test:
    match str(op):
        case "LITERAL":
            return _one(arg, flags)
        case "RANGE":
            low, high = map(chr, arg)
            if flags & re.IGNORECASE:
                return lambda char: any(low <= form <= high for form in (char, char.lower(), char.upper()))
            return lambda char: low <= char <= high
    category = str(arg).removeprefix("CATEGORY_")
    plain = _CATEGORIES[category.removeprefix("NOT_")]
    wanted = not category.startswith("NOT_")
    if flags & re.ASCII:
        return lambda char: (char.isascii() and plain(char)) is wanted
    return lambda char: plain(char) is wanted
