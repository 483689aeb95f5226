"""The words of a kamailio.cfg: preprocessor, comments, strings. Behaviour measured on Kamailio 5.6.3.

Directives begin with ``#!`` or ``!!`` and are seen anywhere outside strings and comments, in a section that is left out
even there. A define replaces words outside strings, ``#!subst`` works inside strings, ``#!substdef`` in both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["CfgError", "Lexer", "Place", "Token"]

#: Files inside files (Kamailio's bound), and defines inside defines.
MAX_INCLUDES = 10
_MAX_EXPANSIONS = 64

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]+|[0-9]+")
_BLANK = re.compile(r"[ \t\r\f\v\n]+")
_SKIPPED = re.compile(r"(?:#!|!!)(ifdef|ifndef|else|endif)\b[ \t]*([A-Za-z0-9_]*)")
_DIRECTIVE = re.compile(r"(?:#!|!!)([A-Za-z_]+)")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|([nratb\\\"])|(\r?\n))")
_PLAIN = {"n": "\n", "r": "\r", "a": "\a", "t": "\t", "b": "\b", "\\": "\\", '"': '"'}


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file; 0: the file as a whole."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class CfgError(ValueError):
    """A kamailio.cfg that cannot be read: ``str()`` begins with the file and the line."""

    def __init__(self, place: Place, text: str) -> None:
        super().__init__(f"{place}: {text}")
        self.place = place
        self.text = text


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a number, a string (unquoted), a character of punctuation, or the end.

    ``glued``: nothing is between it and the token before it.
    """

    kind: Literal["word", "number", "string", "sign", "end"]
    text: str
    place: Place
    glued: bool = False


class _Frame:
    """A text being read: a file, or the value of a define."""

    __slots__ = ("text", "at", "line", "file", "place")

    def __init__(self, text: str, file: str, place: Place | None = None) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.file = file
        #: Where the word stands that a define's value has replaced; None in a file.
        self.place = place


class Lexer:
    """The tokens of a file and of what it includes. ``defines``: those given before the first line (``-A``).

    ``environ`` is what ``#!defenv`` reads. Raises :class:`CfgError` for what cannot be read.
    """

    def __init__(
        self, path: str | Path, defines: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self.defines: dict[str, str] = dict(defines or {})
        self.files: list[str] = []
        self.script_type = ""
        self._environ = os.environ if environ is None else environ
        self._substs: list[tuple[re.Pattern[str], str, int]] = []
        # For each open #!ifdef: whether its text counts, and where it began.
        self._conditions: list[tuple[bool, Place]] = []
        self._frames: list[_Frame] = []
        self._open(str(path), Place(str(path), 0))

    # -- files ----------------------------------------------------------------------------------------------------

    def _open(self, path: str, place: Place) -> None:
        if len([frame for frame in self._frames if frame.place is None]) > MAX_INCLUDES:
            raise CfgError(place, f"more than {MAX_INCLUDES} files include one another, the last is {path}")
        try:
            text = Path(path).read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            # Of a file that includes it, the line is told; who gave the first one knows its name.
            what = f"cannot read {path}" if place.line else "cannot be read"
            raise CfgError(place, f"{what}: {error.strerror}") from None
        self.files.append(path)
        self._frames.append(_Frame(text, path))

    def include(self, path: str, place: Place, *, needed: bool) -> None:
        """Read another file here. A relative path begins in the working folder, else in that of the file that names
        it. ``needed``: an error when it is not there (``include_file``), else it is left out (``import_file``)."""
        for candidate in (path, os.path.join(os.path.dirname(place.file), path)):
            if os.path.exists(candidate):
                self._open(candidate, place)
                return
        if needed:
            raise CfgError(place, f"the included file {path!r} is not there, neither here nor beside {place.file}")

    @property
    def place(self) -> Place:
        for frame in reversed(self._frames):
            return frame.place or Place(frame.file, frame.line)
        return Place(self.files[0], 1)

    # -- tokens ---------------------------------------------------------------------------------------------------

    def next(self) -> Token:
        """The next token; of kind "end" at the end, again and again."""
        glued = True
        while self._frames:
            frame = self._frames[-1]
            text, at = frame.text, frame.at
            if at >= len(text):
                self._frames.pop()
                continue
            if self._conditions and not self._conditions[-1][0]:
                self._skip(frame)
                glued = False
                continue
            if blank := _BLANK.match(text, at):
                self._forward(frame, blank.end())
                glued = False
                continue
            if text.startswith(("#!", "!!"), at) and (found := _DIRECTIVE.match(text, at)):
                self._directive(frame, found)
                glued = False
                continue
            char = text[at]
            if char == "#" or text.startswith("//", at):
                end = text.find("\n", at)
                self._forward(frame, len(text) if end < 0 else end)
                glued = False
                continue
            if text.startswith("/*", at):
                end = text.find("*/", at + 2)
                if end < 0:
                    raise CfgError(self.place, "a comment that begins with /* has no end")
                self._forward(frame, end + 2)
                glued = False
                continue
            token = self._token(frame, glued)
            if token is not None:
                return token
        if self._conditions:
            raise CfgError(self._conditions[-1][1], "this #!ifdef or #!ifndef has no #!endif")
        return Token("end", "", self.place)

    def _token(self, frame: _Frame, glued: bool) -> Token | None:
        text, at, place = frame.text, frame.at, self.place
        char = text[at]
        if char == '"':
            return Token("string", self._substituted(self._quoted(frame)), place, glued)
        if char == "'":
            end = text.find("'", at + 1)
            if end < 0:
                raise CfgError(place, "a string in single quotes has no end")
            self._forward(frame, end + 1)
            return Token("string", self._substituted(text[at + 1 : end]), place, glued)
        if word := _WORD.match(text, at):
            frame.at = word.end()
            value = self.defines.get(word[0])
            if value is None:
                return Token("word", word[0], place, glued)
            if len(self._frames) > _MAX_EXPANSIONS:
                raise CfgError(place, f"the define {word[0]} contains itself")
            self._frames.append(_Frame(value, frame.file, place))
            return None
        if number := _NUMBER.match(text, at):
            frame.at = number.end()
            return Token("number", number[0], place, glued)
        if char == "$":
            # A pseudo-variable is one token: inside its parentheses a # begins no comment.
            frame.at = _variable_end(text, at)
            return Token("sign", text[at : frame.at], place, glued)
        frame.at += 1
        return Token("sign", char, place, glued)

    def _forward(self, frame: _Frame, to: int) -> None:
        frame.line += frame.text.count("\n", frame.at, to)
        frame.at = to

    def _quoted(self, frame: _Frame) -> str:
        """Strings in double quotes one after the other are one."""
        place, parts = self.place, []
        text = frame.text
        while True:
            at = frame.at + 1
            while True:
                end = text.find('"', at)
                if end < 0:
                    raise CfgError(place, "a string in double quotes has no end")
                slashes = len(text[frame.at : end]) - len(text[frame.at : end].rstrip("\\"))
                at = end + 1
                if slashes % 2 == 0:
                    break
            parts.append(_ESCAPE.sub(_unescaped, text[frame.at + 1 : end]))
            self._forward(frame, end + 1)
            blank = _BLANK.match(text, frame.at)
            if not text.startswith('"', blank.end() if blank else frame.at):
                return "".join(parts)
            if blank:
                self._forward(frame, blank.end())

    def _substituted(self, text: str) -> str:
        for pattern, replacement, count in self._substs:
            text = pattern.sub(replacement, text, count=count)
        return text

    # -- the preprocessor -----------------------------------------------------------------------------------------

    def _skip(self, frame: _Frame) -> None:
        """Go on to the directive that may end the section that is left out."""
        depth = 0
        at = frame.at
        while found := _SKIPPED.search(frame.text, at):
            at = found.end()
            name = found[1]
            if name in ("ifdef", "ifndef"):
                depth += 1
            elif depth and name == "endif":
                depth -= 1
            elif not depth:
                self._forward(frame, at)
                if name == "endif":
                    self._conditions.pop()
                else:
                    self._conditions[-1] = (True, self._conditions[-1][1])
                return
        self._forward(frame, len(frame.text))

    def _directive(self, frame: _Frame, found: re.Match[str]) -> None:
        name, place = found[1], self.place
        frame.at = found.end()
        if name in ("endif", "else"):
            if not self._conditions:
                if name == "endif":
                    raise CfgError(place, "#!endif without #!ifdef or #!ifndef before it")
                return  # Kamailio warns and goes on
            if name == "endif":
                self._conditions.pop()
            else:
                self._conditions[-1] = (False, self._conditions[-1][1])
        elif name in ("ifdef", "ifndef"):
            word = re.compile(r"[ \t]*([A-Za-z0-9_]+)").match(frame.text, frame.at)
            if word is None:
                raise CfgError(place, f"#!{name} expects a name")
            frame.at = word.end()
            self._conditions.append(((word[1] in self.defines) == (name == "ifdef"), place))
        elif name in ("include_file", "import_file"):
            rest = self._rest(frame).strip()
            if len(rest) < 2 or rest[0] not in "\"'" or rest[-1] != rest[0]:
                raise CfgError(place, f'#!{name} expects "FILE", got {rest!r}')
            self.include(rest[1:-1], place, needed=name == "include_file")
        elif handler := _HANDLERS.get(name):
            handler(self, self._rest(frame), place)
        elif name.isupper():
            # #!KAMAILIO, #!SER ... : the kind of file; as a comment elsewhere.
            self.script_type = self.script_type or name
            self._rest(frame)
        elif frame.text.startswith("!!", found.start()):
            raise CfgError(place, f"unknown directive !!{name}")
        else:
            self._rest(frame)  # a comment that looks like one

    @staticmethod
    def _ends(text: str, at: int) -> int:
        while True:
            end = text.find("\n", at)
            if end < 0:
                return len(text)
            if text[end - 1 : end] != "\\":
                return end
            at = end + 1

    def _rest(self, frame: _Frame) -> str:
        """The rest of the line; a backslash at its end goes on to the next."""
        start = frame.at
        end = self._ends(frame.text, start)
        self._forward(frame, end)
        return frame.text[start:end].replace("\r", "").replace("\\\n", "").strip(" \t")

    def define(self, name: str, value: str, place: Place, *, mode: str = "define") -> None:
        """``mode``: "define" (once), "trydefine" (the first one counts), "redefine" (the last one counts)."""
        if not re.fullmatch(r"[A-Za-z0-9_]+", name):
            raise CfgError(place, f"a define's name has letters, digits and _, got {name!r}")
        if name in self.defines and mode != "redefine":
            if mode == "define":
                raise CfgError(place, f"{name} is defined already; #!redefine changes it, #!trydef leaves it as it is")
            return
        self.defines[name] = value

    def _on_define(self, rest: str, place: Place, mode: str = "define") -> None:
        name, _, value = rest.replace("\t", " ").partition(" ") if " " in rest or "\t" in rest else (rest, "", "")
        self.define(name, rest[len(name) :].strip() if value else "", place, mode=mode)

    def _on_trydefine(self, rest: str, place: Place) -> None:
        self._on_define(rest, place, "trydefine")

    def _on_redefine(self, rest: str, place: Place) -> None:
        self._on_define(rest, place, "redefine")

    def _on_defenv(self, rest: str, place: Place, *, needed: bool = True) -> None:
        name, equals, variable = (part.strip() for part in rest.partition("="))
        value = self._environ.get(variable if equals else name)
        if value is None:
            if needed:
                raise CfgError(place, f"the environment has no variable {variable or name!r}; #!trydefenv accepts that")
            return
        self.define(name, value, place)

    def _on_trydefenv(self, rest: str, place: Place) -> None:
        self._on_defenv(rest, place, needed=False)

    def _on_subst(self, rest: str, place: Place) -> None:
        expression = rest.strip("\"'")
        found = expression[:1] and expression[1:].split(expression[0])
        if not found or len(found) != 3:
            raise CfgError(place, f'#!subst expects "/REGEX/TEXT/FLAGS", got {rest!r}')
        pattern, replacement, flags = found
        try:
            compiled = re.compile(pattern, re.IGNORECASE if "i" in flags else 0)
        except re.error as error:
            raise CfgError(place, f"#!subst: {pattern!r} is no regular expression: {error}") from None
        # Kamailio writes groups as \1 and escapes as C does; the rest stands for itself.
        text = re.sub(r"\\(?![0-9nrt\\])", r"\\\\", replacement)
        self._substs.append((compiled, text, 0 if "g" in flags else 1))

    def _on_substdef(self, rest: str, place: Place, *, quoted: bool = False) -> None:
        self._on_subst(rest, place)
        expression = rest.strip("\"'")
        name, value, _ = expression[1:].split(expression[0])
        self.define(name, f'"{value}"' if quoted else value, place)

    def _on_substdefs(self, rest: str, place: Place) -> None:
        self._on_substdef(rest, place, quoted=True)

    def _on_expression(self, rest: str, place: Place) -> None:
        raise CfgError(
            place, "#!ifexp, #!defexp and #!defexps (Kamailio 5.7) are not read here; use #!ifdef and #!define"
        )


def _variable_end(text: str, at: int) -> int:
    """The end of the pseudo-variable at ``at``: ``$ru``, ``$var(x)``, ``$(hdr(Via)[0]{s.len})``."""
    end = at + 1
    if not text.startswith("(", end):
        word = _WORD.match(text, end)
        if word is None:
            return end
        end = word.end()
        if not text.startswith("(", end):
            return end
    depth = 0
    for index in range(end, len(text)):
        char = text[index]
        if char == "\n":
            break
        depth += (char == "(") - (char == ")")
        if not depth:
            return index + 1
    return end


def _unescaped(found: re.Match[str]) -> str:
    code, octal, plain, _ = found.groups()
    if code:
        return chr(int(code, 16))
    if octal:
        return chr(int(octal, 8) & 255)
    return _PLAIN[plain] if plain else ""


_HANDLERS: dict[str, Callable[[Lexer, str, Place], None]] = {
    "define": Lexer._on_define,
    "def": Lexer._on_define,
    "trydefine": Lexer._on_trydefine,
    "trydef": Lexer._on_trydefine,
    "redefine": Lexer._on_redefine,
    "redef": Lexer._on_redefine,
    "defenv": Lexer._on_defenv,
    "trydefenv": Lexer._on_trydefenv,
    "subst": Lexer._on_subst,
    "substdef": Lexer._on_substdef,
    "substdefs": Lexer._on_substdefs,
    "ifexp": Lexer._on_expression,
    "defexp": Lexer._on_expression,
    "defexps": Lexer._on_expression,
}


def command_line_defines(texts: Iterable[str]) -> dict[str, str]:
    """``-A NAME`` and ``-A NAME=VALUE`` as defines. Raises ValueError for what has no name."""
    defines = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not re.fullmatch(r"[A-Za-z0-9_]+", name):
            raise ValueError(f"-A expects NAME or NAME=VALUE, got {text!r}")
        defines[name] = value
    return defines
