"""A Pygments lexer for SIP messages (RFC 3261), with SDP bodies (RFC 8866)."""

from __future__ import annotations

from typing import Any, ClassVar

from pygments import lexer as _lexer
from pygments.lexer import RegexLexer, include
from pygments.token import (
    Comment,
    Error,
    Generic,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Text,
    Whitespace,
)

# Not annotated in the stubs.
bygroups: Any = _lexer.bygroups  # type: ignore[attr-defined, unused-ignore]

_NAME = r"[-A-Za-z0-9.!%*_+`'~]+"  # token, RFC 3261 section 25.1


class SipLexer(RegexLexer):
    """Requests and replies, several in a row too: start line, header names, URIs, parameters, SDP."""

    name = "SIP"
    aliases: ClassVar[list[str]] = ["sip"]
    filenames: ClassVar[list[str]] = ["*.sip"]
    mimetypes: ClassVar[list[str]] = ["message/sip"]
    url = "https://www.rfc-editor.org/rfc/rfc3261"
    version_added = ""

    tokens: ClassVar = {
        "root": [
            (r"\r?\n", Whitespace),
            include("start"),
            (r"[^\n]+", Error),
        ],
        "start": [
            (
                rf"({_NAME})([ \t]+)(?=[^\r\n]*SIP/)",
                bygroups(Keyword.Reserved, Whitespace),
                ("headers", "request"),
            ),
            (
                r"(SIP/\d+\.\d+)([ \t]+)(1\d\d)([^\r\n]*)(\r?\n|\Z)",
                bygroups(Keyword.Namespace, Whitespace, Generic.Emph, Generic.Emph, Whitespace),
                "headers",
            ),
            (
                r"(SIP/\d+\.\d+)([ \t]+)(2\d\d)([^\r\n]*)(\r?\n|\Z)",
                bygroups(Keyword.Namespace, Whitespace, Generic.Inserted, Generic.Inserted, Whitespace),
                "headers",
            ),
            (
                r"(SIP/\d+\.\d+)([ \t]+)(\d{3})([^\r\n]*)(\r?\n|\Z)",
                bygroups(Keyword.Namespace, Whitespace, Generic.Deleted, Generic.Deleted, Whitespace),
                "headers",
            ),
        ],
        "request": [
            (r"SIP/\d+\.\d+[ \t]*", Keyword.Namespace),
            (r"\r?\n", Whitespace, "#pop"),
            include("uri"),
            (r"[ \t]+", Whitespace),
            (r"[^\s]+?(?=[ \t\r\n]|\Z)", Text),
        ],
        "headers": [
            (r"\r?\n", Whitespace, ("#pop", "body")),
            (rf"({_NAME})([ \t]*)(:)", bygroups(Name.Tag, Whitespace, Punctuation), "value"),
            (r"[^\n]+(\n|\Z)", Error),
        ],
        "value": [
            (r"\r?\n(?=[ \t])", Whitespace),
            (r"\r?\n", Whitespace, "#pop"),
            (r"[ \t\r]+", Whitespace),
            (r'"(?:[^"\\\r\n]|\\.)*"', String),
            include("uri"),
            (r"SIP/\d+\.\d+/[A-Za-z]+", Keyword.Namespace),
            (rf"(;)([ \t]*)({_NAME})", bygroups(Punctuation, Whitespace, Name.Attribute)),
            (r"(=)([^\s;,<>\"?&]+)", bygroups(Operator, String.Other)),
            (r"[<>,;=]", Punctuation),
            (r"\d+(?=[\s,;]|\Z)", Number.Integer),
            (r"[^\s<>,;=\"]+", Text),
            (r'"', Text),
        ],
        "uri": [
            (r"(sips?|tel)(:)([^\s<>;,?\"]+)", bygroups(Keyword.Type, Punctuation, Name.Function)),
        ],
        "body": [
            (rf"(?={_NAME}[ \t]+[^\r\n]*SIP/\d)", Text, "#pop"),
            (r"(?=SIP/\d+\.\d+[ \t]+\d{3})", Text, "#pop"),
            (r"([a-z])(=)([^\r\n]*)(\r?\n|\Z)", bygroups(Name.Variable, Operator, Comment, Whitespace)),
            (r"\r?\n", Whitespace),
            (r"[^\n]+(\n|\Z)", Text),
        ],
    }

    @staticmethod
    def analyse_text(text: str) -> float:
        first = text.lstrip().partition("\n")[0].rstrip("\r")
        if first.startswith("SIP/2.0 ") or first.endswith(" SIP/2.0"):
            return 0.9
        return 0.0
