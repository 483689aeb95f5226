"""Event."""

import pytest

from ksrcore.sip.errors import ParseError
from ksrcore.sip.event import parse_event


def test_parse() -> None:
    event = parse_event(' presence.winfo ; id=7;x="a;b" ')
    assert (event.package, event.id) == ("presence.winfo", "7")
    assert event.params == [("id", "7"), ("x", "a;b")]
    assert parse_event("dialog").id == ""
    assert repr(parse_event("dialog;id")) == "Event('dialog', 'id')"


@pytest.mark.parametrize("body", ["", ";id=7", "a b", "a,b"])
def test_errors(body: str) -> None:
    with pytest.raises(ParseError):
        parse_event(body)
