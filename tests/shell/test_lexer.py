"""SIP for Pygments."""

from __future__ import annotations

import pytest
from pygments.lexers import get_lexer_by_name, guess_lexer
from pygments.token import Token

from ksrshell.lexer import SipLexer
from shell.fake import INVITE

REPLY = INVITE.replace("INVITE sip:bob@biloxi.example SIP/2.0", "SIP/2.0 486 Busy Here", 1)


def find(text: str, value: str) -> object:
    return next(kind for _, kind, found in SipLexer().get_tokens_unprocessed(text) if found == value)


def test_nothing_is_lost() -> None:
    for text in (INVITE, REPLY, INVITE + REPLY, "garbage\n\nmore"):
        assert "".join(value for _, _, value in SipLexer().get_tokens_unprocessed(text)) == text


def test_a_request() -> None:
    assert find(INVITE, "INVITE") is Token.Keyword.Reserved
    assert find(INVITE, "bob@biloxi.example") is Token.Name.Function
    assert find(INVITE, "Call-ID") is Token.Name.Tag
    assert find(INVITE, '"Bob"') is Token.String
    assert find(INVITE, "tag") is Token.Name.Attribute
    assert find(INVITE, "v") is Token.Name.Variable
    assert Token.Error not in {kind for _, kind, _ in SipLexer().get_tokens_unprocessed(INVITE)}


@pytest.mark.parametrize(
    ("code", "kind"),
    [("180", Token.Generic.Emph), ("200", Token.Generic.Inserted), ("486", Token.Generic.Deleted)],
)
def test_replies_by_class(code: str, kind: object) -> None:
    assert find(REPLY.replace("486", code, 1), code) is kind


def test_several_messages_in_a_row() -> None:
    kinds = [kind for _, kind, value in SipLexer().get_tokens_unprocessed(INVITE + REPLY) if value == "Call-ID"]
    assert kinds == [Token.Name.Tag, Token.Name.Tag]


def test_a_folded_header() -> None:
    text = "OPTIONS sip:x SIP/2.0\r\nSubject: one\r\n two\r\nVia: SIP/2.0/UDP h\r\n\r\n"
    assert find(text, "two") is Token.Text
    assert find(text, "Via") is Token.Name.Tag


def test_what_is_not_sip_is_an_error_and_does_not_hang() -> None:
    assert find("hello", "hello") is Token.Error
    list(SipLexer().get_tokens_unprocessed("INVITE sip:a SIP/2.0\n" + "a" * 50_000))
    list(SipLexer().get_tokens_unprocessed("INVITE " + "x" * 20_000 + "\n" * 5))


def test_the_entry_point() -> None:
    assert isinstance(get_lexer_by_name("sip"), SipLexer)
    assert isinstance(guess_lexer(INVITE), SipLexer)
    assert SipLexer.analyse_text("hello") == 0.0
