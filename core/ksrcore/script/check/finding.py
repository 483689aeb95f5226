"""What a check finds, and the comments that silence it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass

__all__ = ["CODES", "Finding", "Findings"]

ERROR, WARNING, INFO = "error", "warning", "info"

#: Each code, its usual severity and what it is about.
CODES: dict[str, tuple[str, str]] = {
    "syntax": (ERROR, "the script does not compile"),
    "unknown-function": (ERROR, "no Kamailio exports this KSR function"),
    "argument-count": (ERROR, "a KSR function is called with the wrong number of arguments"),
    "argument-type": (ERROR, "a KSR function is called with an argument of the wrong type"),
    "other-version": (ERROR, "a KSR function that the version asked for does not have"),
    "not-implemented": (INFO, "Kamailio has it, ksrshell does not implement it yet"),
    "not-in-python": (WARNING, "ksrshell has it, Kamailio's app_python3 does not"),
    "not-called": (WARNING, "a KSR function is tested or compared, but not called"),
    "undefined-name": (ERROR, "a name that nothing defines"),
    "unknown-method": (ERROR, "self has no such method"),
    "pseudo-variable": (ERROR, "no Kamailio has this pseudo-variable or transformation"),
    "read-only": (WARNING, "a pseudo-variable that cannot be written is written"),
    "not-evaluated": (WARNING, "a pseudo-variable in a text that is printed as it is"),
    "missing-callback": (ERROR, "a callback that Kamailio calls is not there"),
    "unknown-callback": (ERROR, "a callback is armed that the script does not define"),
    "signature": (ERROR, "a callback does not take the arguments it is called with"),
    "message-attribute": (ERROR, "the message object has no such attribute"),
    "callback-return": (WARNING, "a callback does not return an int"),
    "dropped-exit": (WARNING, "the -255 of a route that asks to stop is ignored"),
    "exit-caught": (WARNING, "an exit() is caught by the except around it"),
    "truth-value": (WARNING, "-1, which means no, is true in Python"),
    "comparison": (WARNING, "a comparison whose answer is always the same"),
    "operand-type": (ERROR, "text is joined or compared with what is no text"),
    "maybe-none": (WARNING, "text is joined with a pseudo-variable that can be null"),
    "unreachable": (WARNING, "statements that are never reached"),
}

_IGNORE = re.compile(r"\bksr:\s*(ignore-file|ignore)\s*(?:\[([^\]]*)\])?")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a script. ``line``, ``column`` and ``end_column`` count from 1, in characters; the end is the
    column after the last character, on ``end_line``. ``severity`` is 'error' (it breaks), 'warning' or 'info'."""

    line: int
    column: int
    end_line: int
    end_column: int
    severity: str
    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.severity}[{self.code}]: {self.text}"


class Findings:
    """Collects findings about one source. Columns of the tree are bytes of UTF-8, here characters."""

    def __init__(self, source: str) -> None:
        self.lines = source.split("\n")
        self.found: list[Finding] = []

    def add(self, code: str, node: ast.AST | None, text: str, severity: str = "") -> None:
        """A finding at ``node``, at the start of the source without one."""
        line = getattr(node, "lineno", 1)
        end_line = getattr(node, "end_lineno", None) or line
        column = self.column(line, getattr(node, "col_offset", 0))
        end_column = self.column(end_line, getattr(node, "end_col_offset", None) or 0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            # The name says enough: an editor shall not underline the whole body.
            end_line = line
            at = self.lines[line - 1].find(node.name, column - 1) if line <= len(self.lines) else -1
            if at >= 0:
                column = at + 1
            end_column = column + len(node.name)
        text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
        finding = Finding(line, column, end_line, end_column, severity or CODES[code][0], code, text)
        if finding not in self.found:
            self.found.append(finding)

    def column(self, line: int, offset: int) -> int:
        """The column of a byte offset of the syntax tree."""
        if not 1 <= line <= len(self.lines):
            return 1
        text = self.lines[line - 1]
        if text.isascii():
            return offset + 1
        return len(text.encode("utf-8", "surrogatepass")[:offset].decode("utf-8", "ignore")) + 1

    def result(self, source: str) -> list[Finding]:
        """What was found and not silenced, in the order of the source."""
        lines, everywhere = ignored(source)
        kept = [
            f
            for f in self.found
            if not _silences(everywhere, f.code)
            and not any(_silences(lines.get(n, _NOTHING), f.code) for n in (f.line, f.end_line))
        ]
        return sorted(kept, key=lambda f: (f.line, f.column, f.code, f.text))


_NOTHING: frozenset[str] = frozenset()
_ALL = "*"


def _silences(codes: frozenset[str], code: str) -> bool:
    return _ALL in codes or code in codes


def ignored(source: str) -> tuple[dict[int, frozenset[str]], frozenset[str]]:
    """The codes that comments silence, by line, and those of the whole file. ``*`` stands for all codes.

    ``# ksr: ignore`` or ``# ksr: ignore[code, code]`` at the end of a line, ``# ksr: ignore-file[code]`` anywhere.
    """
    lines: dict[int, frozenset[str]] = {}
    everywhere: frozenset[str] = _NOTHING
    if "ksr:" not in source:
        return lines, everywhere
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, SyntaxError):
        return lines, everywhere
    for token in tokens:
        if token.type != tokenize.COMMENT or (match := _IGNORE.search(token.string)) is None:
            continue
        codes = frozenset(code.strip() for code in match[2].split(",")) if match[2] is not None else frozenset({_ALL})
        if match[1] == "ignore-file":
            everywhere |= codes
        else:
            line = token.start[0]
            lines[line] = lines.get(line, _NOTHING) | codes
    return lines, everywhere
