"""Errors of the parsers."""

import pickle

from ksrcore.sip.errors import ParseError, SipError, UnknownScheme


def test_message_shows_what_was_expected_and_shortens_what_came() -> None:
    error = ParseError("a number", "x" * 100)
    assert str(error) == "expected a number, got '" + "x" * 57 + "...'"
    assert error.text == "x" * 100
    assert isinstance(error, SipError) and isinstance(error, ValueError)


def test_errors_survive_pickling() -> None:
    again = pickle.loads(pickle.dumps(UnknownScheme("URI", "http://x")))
    assert type(again) is UnknownScheme
    assert (again.what, again.text) == ("URI", "http://x")
