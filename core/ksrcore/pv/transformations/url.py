"""``{url.*}``: parts of an HTTP URL (Kamailio's xhttp module)."""

from __future__ import annotations

from .registry import Value, text


@text("url.path")
def _path(value: str) -> Value:
    """What is before the first ``?``, scheme and host too when the URL has them."""
    return value.partition("?")[0]


@text("url.querystring")
def _querystring(value: str) -> Value:
    """What is after the first ``?``, a fragment too; '' when there is none."""
    return value.partition("?")[2]
