"""Colours: the sixteen of every terminal, so that light and dark themes both work; and highlighting by Pygments."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pygments.lexer import Lexer
from pygments.token import Token, _TokenType
from rich.text import Text

SIP: Mapping[_TokenType, str] = {
    Token.Keyword.Reserved: "bold cyan",
    Token.Keyword.Namespace: "bright_black",
    Token.Keyword.Type: "bright_black",
    Token.Generic.Emph: "bold yellow",
    Token.Generic.Inserted: "bold green",
    Token.Generic.Deleted: "bold red",
    Token.Name.Tag: "blue",
    Token.Name.Function: "cyan",
    Token.Name.Attribute: "magenta",
    Token.Name.Variable: "blue",
    Token.String: "green",
    Token.String.Other: "",
    Token.Error: "red",
}

PYTHON: Mapping[_TokenType, str] = {
    Token.Keyword: "bold blue",
    Token.Operator.Word: "bold blue",
    Token.String: "green",
    Token.Number: "magenta",
    Token.Comment: "bright_black italic",
    Token.Name.Function: "cyan",
    Token.Name.Class: "cyan",
    Token.Name.Builtin: "cyan",
}

DIFF: Mapping[_TokenType, str] = {
    Token.Generic.Inserted: "green",
    Token.Generic.Deleted: "red",
    Token.Generic.Heading: "bold",
    Token.Generic.Subheading: "cyan",
}


def highlight(text: str, lexer: Lexer, colours: Mapping[_TokenType, str]) -> Text:
    """``text`` in colours; a token without one of its own has its nearest ancestor's."""
    out = Text(no_wrap=True, overflow="ignore")
    for token, value in lexer.get_tokens(text):
        style = ""
        kind: _TokenType | None = token
        while kind is not None:
            if kind in colours:
                style = colours[kind]
                break
            kind = kind.parent
        out.append(value, style or None)
    out.rstrip()
    return out


@cache
def sip_lexer() -> Lexer:
    from ..lexer import SipLexer

    return SipLexer(ensurenl=False, stripnl=False)


@cache
def python_lexer() -> Lexer:
    from pygments.lexers.python import PythonLexer

    return PythonLexer(ensurenl=False, stripnl=False)


@cache
def diff_lexer() -> Lexer:
    from pygments.lexers.diff import DiffLexer

    return DiffLexer(ensurenl=False, stripnl=False)


def sip(text: str) -> Text:
    """A SIP message in colours. ``text`` has passed :func:`.console.wire_text`."""
    return highlight(text, sip_lexer(), SIP)


def python(text: str) -> Text:
    return highlight(text, python_lexer(), PYTHON)


def status_style(status: int | None) -> str:
    """The colour of a reply by its class; a request's for None."""
    if status is None:
        return "bold cyan"
    return {1: "yellow", 2: "green"}.get(status // 100, "red")
