"""``{urialias.*}``: ``addr~port~protoid``, what nathelper's ;alias= parameter holds (Kamailio's pv module)."""

from __future__ import annotations

from .registry import Value, text
from .uri import kamailio_uri, last_param

#: Kamailio's numbers of the transports, and what a URI says for each.
_IDS = {"udp": 1, "tcp": 2, "tls": 3, "sctp": 4, "ws": 5}
_PARAMS = {
    "0": "",
    "1": "",
    "2": ";transport=tcp",
    "3": ";transport=tls",
    "4": ";transport=sctp",
    "5": ";transport=ws",
    "6": ";transport=ws",
}


@text("urialias.encode")
def _encode(value: str) -> Value:
    """Port 5060 and UDP when the URI names none; '' for what is no URI."""
    if not value:
        return None
    uri = kamailio_uri(value)
    if uri is None:
        return ""
    return f"{uri.host}~{uri.port or 5060}~{_IDS.get(last_param(uri, 'transport').lower(), 1)}"


@text("urialias.decode")
def _decode(value: str) -> Value:
    """'' for what is no alias."""
    if not value:
        return None
    parts = value.split("~")
    transport = _PARAMS.get(parts[2][:1]) if len(parts) >= 3 else None
    return "" if transport is None else f"sip:{parts[0]}:{parts[1]}{transport}"
