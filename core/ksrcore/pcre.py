"""Regular expressions of PCRE, as Kamailio's regex module takes them, translated to :mod:`re`.

Subjects are wire text: each character is one byte, as for PCRE without UTF. What :mod:`re` lacks is said with other
means where there are some (``\\h \\R \\z \\K \\Q...\\E [[:alpha:]] (?<n>...)``, options in the middle) and refused
where there are none: recursion, conditions on assertions, verbs. PCRE gives up after ten million steps; :mod:`re` has
no such limit.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["PcreError", "compile_pcre"]

_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r" \t\n\r\f\v",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "print": " -~",
    "graph": "!-~",
    "cntrl": r"\x00-\x1f\x7f",
    "xdigit": "0-9A-Fa-f",
    "word": "a-zA-Z0-9_",
    "ascii": r"\x00-\x7f",
}
_NOT = {
    "alpha": r"\x00-@\[-`{-\xff",
    "digit": r"\x00-/:-\xff",
    "alnum": r"\x00-/:-@\[-`{-\xff",
    "upper": r"\x00-@\[-\xff",
    "lower": r"\x00-`{-\xff",
    "space": r"\x00-\x08\x0e-\x1f!-\xff",
    "blank": r"\x00-\x08\n-\x1f!-\xff",
    "punct": r"\x00- 0-9A-Za-z\x7f-\xff",
    "print": r"\x00-\x1f\x7f-\xff",
    "graph": r"\x00- \x7f-\xff",
    "cntrl": r" -~\x80-\xff",
    "xdigit": r"\x00-/:-@G-`g-\xff",
    "word": r"\x00-/:-@\[-^`{-\xff",
    "ascii": r"\x80-\xff",
}
#: Letters after a backslash, outside of brackets.
_ESCAPES = {
    "h": r"[ \t\xa0]",
    "H": r"[^ \t\xa0]",
    "v": r"[\n\x0b\f\r\x85]",
    "V": r"[^\n\x0b\f\r\x85]",
    "R": r"(?:\r\n|[\n\x0b\f\r\x85])",
    "N": r"[^\n]",
    "X": r"(?s:.)",
    "z": r"\Z",
    "Z": r"(?=\n?\Z)",
    "G": r"\A",
    "K": "",
    "e": r"\x1b",
    "E": "",
}
_IN_BRACKETS = {"h": r" \t\xa0", "v": r"\n\x0b\f\r\x85", "e": r"\x1b", "E": ""}
_SAME = frozenset("AbBdDwWsSafnrt")
_PROPERTIES = {
    "L": "a-zA-Z",
    "L&": "a-zA-Z",
    "Lu": "A-Z",
    "Ll": "a-z",
    "N": "0-9",
    "Nd": "0-9",
    "Zs": " ",
}
_QUANTIFIER = re.compile(r"\{\d+(?:,\d*)?\}")
_OPTIONS = re.compile(r"\(\?([imsx]*(?:-[imsx]+)?)\)")
_VERB = re.compile(r"\(\*(?:UTF8?|UCP|CR|LF|CRLF|ANYCRLF|ANY|BSR_ANYCRLF|BSR_UNICODE|NO_START_OPT)\)")


class PcreError(ValueError):
    """An expression is malformed, or says what cannot be said here."""


class _Translator:
    def __init__(self, text: str, extended: bool) -> None:
        self.text = text
        self.extended = extended
        self.at = 0
        self.out: list[str] = []
        #: Of each open group the options set inside, which end with it.
        self.groups: list[list[str]] = [[]]

    def fail(self, why: str) -> PcreError:
        return PcreError(f"{why} at offset {self.at} of {self.text!r}")

    def translate(self) -> str:
        text, out = self.text, self.out
        while (verb := _VERB.match(text, self.at)) is not None:
            self.at = verb.end()
        while self.at < len(text):
            char = text[self.at]
            if char == "\\":
                self.escape()
            elif char == "[":
                self.brackets()
            elif char == "(":
                self.group()
            elif char == ")":
                out.append(")" * (len(self.groups[-1]) + 1))
                if len(self.groups) == 1:
                    raise self.fail("unmatched )")
                self.groups.pop()
                self.at += 1
            elif char == "|":
                # What was set in one alternative also holds in those after it.
                options = self.groups[-1]
                out.append(")" * len(options) + "|" + "".join(options))
                self.at += 1
            elif char == "{":
                found = _QUANTIFIER.match(text, self.at)
                out.append(found[0] if found is not None else r"\{")
                self.at += len(found[0]) if found is not None else 1
            elif char == "#" and self.extended:
                end = text.find("\n", self.at)
                self.at = len(text) if end < 0 else end + 1
            else:
                out.append(char)
                self.at += 1
        out.append(")" * len(self.groups[0]))
        return "".join(out)

    def group(self) -> None:
        text, at = self.text, self.at
        options = _OPTIONS.match(text, at)
        if options is not None:
            if options[1]:
                opening = f"(?{options[1]}:"
                self.groups[-1].append(opening)
                self.out.append(opening)
            self.at = options.end()
            return
        if text.startswith("(?#", at):
            end = text.find(")", at)
            if end < 0:
                raise self.fail("missing ) after a comment")
            self.at = end + 1
            return
        opening = "("
        if text.startswith("(*", at):
            raise self.fail("verbs are not supported")
        if text.startswith("(?", at):
            rest = text[at + 2 : at + 4]
            if rest[:1] in ("R", "&", "|", "C") or rest[:1].isdigit() or rest[:1] == "+" or rest == "P>":
                raise self.fail(f"(?{rest} is not supported")
            if rest[:1] == "(" and not text[at + 3 : at + 4].isalnum():
                raise self.fail("conditions on assertions are not supported")
            if rest[:1] == "'":
                end = text.find("'", at + 3)
                if end < 0:
                    raise self.fail("missing ' after a name")
                self.out.append(f"(?P<{text[at + 3 : end]}>")
                self.groups.append([])
                self.at = end + 1
                return
            if rest[:1] == "<" and rest not in ("<=", "<!"):
                self.out.append("(?P<")
                self.groups.append([])
                self.at += 3
                return
            if rest[:1] == "(":
                # (?(1)yes|no): the condition is no group.
                end = text.find(")", at + 3)
                opening = text[at : end + 1]
            elif rest == "P=":
                end = text.find(")", at)
                self.out.append(text[at : end + 1])
                self.at = end + 1
                return
            else:
                opening = "(?"
                if rest[:1] == "P":
                    opening = "(?P"
                elif rest[:1] == "<":
                    opening = "(?<"
        self.out.append(opening)
        self.groups.append([])
        self.at += len(opening)

    def code(self) -> str | None:
        """``\\x41 \\x{41} \\cA`` at this place as one character, None for what is none of them."""
        text, at = self.text, self.at
        letter = text[at + 1 : at + 2]
        if letter == "x":
            found = re.compile(r"\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{0,2})").match(text, at + 2)
            assert found is not None
            number = int(found[1] or found[2] or "0", 16)
            if number > 255:
                raise self.fail("a character above \\xff")
            self.at = found.end()
            return chr(number)
        if letter == "c" and at + 2 < len(text):
            self.at += 3
            return chr(ord(text[at + 2].upper()) ^ 64)
        return None

    def quoted(self) -> str:
        end = self.text.find("\\E", self.at + 2)
        end = len(self.text) if end < 0 else end
        words = self.text[self.at + 2 : end]
        self.at = end + 2
        return words

    def escape(self) -> None:
        text, out = self.text, self.out
        letter = text[self.at + 1 : self.at + 2]
        if not letter:
            raise self.fail("\\ at the end")
        if letter == "Q":
            out.append(re.escape(self.quoted()))
            return
        if letter in ("p", "P"):
            found = re.compile(r"[pP](?:\{(\^?)([^}]*)\}|(.))").match(text, self.at + 1)
            name = (found[2] or found[3]) if found is not None else ""
            if found is None or name not in _PROPERTIES:
                raise self.fail(f"the property {name!r} is not supported")
            negative = (letter == "P") != bool(found[1])
            out.append(f"[{'^' if negative else ''}{_PROPERTIES[name]}]")
            self.at = found.end()
            return
        if letter in ("k", "g"):
            found = re.compile(r"[kg][<{']?(-?\w+)[>}']?").match(text, self.at + 1)
            if found is None or found[1][0] == "-":
                raise self.fail("relative references are not supported")
            out.append(f"(?:\\{found[1]})" if found[1].isdigit() else f"(?P={found[1]})")
            self.at = found.end()
            return
        code = self.code()
        if code is not None:
            out.append(re.escape(code))
            return
        if letter in _ESCAPES:
            out.append(_ESCAPES[letter])
        elif letter in _SAME or letter.isdigit() or not letter.isalpha():
            out.append("\\" + letter)
        else:
            out.append(letter)
        self.at += 2

    def brackets(self) -> None:
        text, out = self.text, self.out
        for word, meaning in (("[[:<:]]", r"\b(?=\w)"), ("[[:>:]]", r"\b(?<=\w)")):
            if text.startswith(word, self.at):
                out.append(meaning)
                self.at += len(word)
                return
        out.append("[")
        self.at += 1
        if text[self.at : self.at + 1] == "^":
            out.append("^")
            self.at += 1
        first = True
        while True:
            char = text[self.at : self.at + 1]
            if not char:
                raise self.fail("missing ]")
            if char == "]" and not first:
                out.append("]")
                self.at += 1
                return
            first = False
            named = re.compile(r"\[:(\^?)(\w+):\]").match(text, self.at)
            if named is not None:
                if named[2] not in _CLASSES:
                    raise self.fail(f"there is no class [:{named[2]}:]")
                out.append((_NOT if named[1] else _CLASSES)[named[2]])
                self.at = named.end()
            elif char == "\\":
                letter = text[self.at + 1 : self.at + 2]
                if letter == "Q":
                    out.append(re.escape(self.quoted()))
                    continue
                code = self.code()
                if code is not None:
                    out.append(re.escape(code))
                    continue
                if letter in _IN_BRACKETS:
                    out.append(_IN_BRACKETS[letter])
                elif letter in _SAME - {"A", "B"} or letter.isdigit() or not letter.isalpha():
                    out.append("\\" + letter)
                else:
                    out.append(letter)
                self.at += 2
            else:
                out.append("\\" + char if char in "[]&|~" else char)
                self.at += 1


@lru_cache(512)
def compile_pcre(text: str, flags: int = 0) -> re.Pattern[str]:
    """The expression with flags of :mod:`re` (I M S X); raises :class:`PcreError` with one line."""
    try:
        return re.compile(_Translator(text, bool(flags & re.X)).translate(), flags | re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise PcreError(f"{error} (from {text!r})") from None
