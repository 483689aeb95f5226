# Written by `python -m ksrcore.kemi.stubs`: change the declarations there, not this file.
"""KEMI functions of Kamailio's module siputils."""

from typing import Any

def add_uri_param(param: str, /) -> int:
    """Add ``param`` (``name=value``) to the Request-URI; -1 when that cannot be parsed."""

def cmp_aor(one: str, two: str, /) -> int:
    """1 when user, host and port of two URIs are equal, -1 when not, -2 when one cannot be parsed."""

def cmp_hdr_name(one: str, two: str, /) -> int:
    """1 when two header field names are of one field (compact forms included), -1 when not.

    -2 when both are names the parser does not know and they differ, or one is ''.
    """

def cmp_uri(one: str, two: str, /) -> int:
    """1 when two URIs are equal, -1 when not, -2 when one cannot be parsed.

    As Kamailio: RFC 3261 19.1.4 without resolving escapes and without looking at headers; of parameters only
    user, maddr, ttl and method make a difference when one URI alone has them.
    """

def contact_param_check(name: str, /) -> int:
    """1 when a Contact URI has the parameter ``name``, else -1."""

def contact_param_decode(name: str, /) -> int:
    """Make each Contact with the parameter ``name`` what it was; 1, also when none has it."""

def contact_param_decode_ruri(name: str, /) -> int:
    """Make the Request-URI what it was when it has the parameter ``name``; 1, also when it has not."""

def contact_param_encode(name: str, address: str, /) -> int:
    """Replace each Contact URI by ``address`` with the old one in the parameter ``name`` (base64url);
    1, also without a Contact.
    """

def contact_param_encode_alias(name: str, address: str, /) -> int:
    """Like ``contact_param_encode`` with the source address of the message in the encoded URI's ``alias``."""

def contact_param_rm(name: str, /) -> int:
    """Remove the URI parameter ``name`` from each Contact; 1, also when none has it."""

def decode_contact() -> int:
    """Make the Request-URI, one that ``encode_contact`` made, what it was: 1; -26 when it is none."""

def decode_contact_header() -> int:
    """Make each Contact what it was before ``encode_contact``: 1; -26 when one is none, -1 without Contact."""

def encode_contact(prefix: str, address: str, /) -> int:
    """Put user, password, host, port and transport of each Contact into the user part of one at ``address``.

    1; -1 when there is no Contact or one cannot be parsed.
    """

def has_totag() -> int:
    """1 when the To field has a tag (a request in a dialog, a final reply), else -1."""

def hdr_date_check(seconds: int, /) -> int:
    """1 when Date is at most ``seconds`` in the past; -1 absent or unreadable, -4 older."""

def is_alphanum(text: str, /) -> int:
    """1 for ASCII letters and digits only; -2 for '', -3 for anything else."""

def is_alphanumex(text: str, more: str, /) -> int:
    """1 for ASCII letters, digits and the characters of ``more`` only; -2 for '', -3 for anything else."""

def is_first_hop() -> int:
    """1 when the sender is the user agent itself, else -1.

    A request then has one Via. A reply has no Record-Route, or its topmost is an address of ours, and did not
    come from ourselves.
    """

def is_first_hop_mode(mode: int, /) -> int:
    """Like ``is_first_hop``; with ``mode`` 1 a reply may come from ourselves and Record-Route name a domain."""

def is_gruu() -> int:
    """Whether the Request-URI is a GRUU (RFC 5627): 1 public, 2 temporary, -1 none."""

def is_http() -> int:
    """1 for an HTTP request, else -1."""

def is_numeric(text: str, /) -> int:
    """1 for digits only; -2 for anything else."""

def is_reply() -> int:
    """1 for a reply, -1 for a request."""

def is_request() -> int:
    """1 for a request, -1 for a reply."""

def is_sip() -> int:
    """1: the message is SIP."""

def is_tel_number(text: str, /) -> int:
    """1 for digits with or without a leading +; -2 for anything else."""

def is_uri(text: str, /) -> int:
    """1 when ``text`` is a URI that Kamailio can parse (sip, sips, tel, urn), else -1."""

def is_user(user: str, /) -> int:
    """1 when the credentials that the auth functions found right are for ``user``, else -1."""

def options_reply() -> int:
    """Answer an OPTIONS without user in its Request-URI with 200 and what this proxy accepts; -1 for others."""

def sip_parse_headers() -> int:
    """1 when every header field of the message can be parsed, else -1."""

def uri_param(name: str, /) -> int:
    """1 when the Request-URI has the parameter ``name`` without a value, else -1."""

def uri_param_any(name: str, /) -> int:
    """1 when the Request-URI has the parameter ``name`` (in any case), with a value or without, else -1."""

def uri_param_rm(name: str, /) -> int:
    """Remove the parameter ``name`` from the Request-URI: 1, also when there is none."""

def uri_param_value(name: str, value: str, /) -> int:
    """1 when the Request-URI has the parameter ``name`` with this ``value`` ('' for none), else -1."""
