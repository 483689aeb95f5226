"""Kamailio's internal error codes as replies (core/error.h names; RFC 3261 21)."""

from __future__ import annotations

_TEXTS = {
    2: (500, "No error"),
    400: (400, "Bad Request"),
    476: (476, "Unresolvable destination"),
    477: (477, "Unfortunately error on sending to next hop occurred"),
    478: (478, "Unresolvable destination"),
    479: (479, "Regretfully, we were not able to process the URI"),
    483: (483, "Too Many Hops"),
    484: (484, "Address Incomplete"),
    513: (513, "Message too big"),
}


def error_reply(error: int, who: str) -> tuple[int, str]:
    """The status code and reason phrase for an error code (its sign does not matter); ``who``: 'SL' or 'TM'."""
    number = abs(error)
    code, text = _TEXTS.get(number, (500, "I'm terribly sorry, server error occurred"))
    return code, f"{text} ({number}/{who})"
