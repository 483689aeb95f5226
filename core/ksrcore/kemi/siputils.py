"""Kamailio's siputils: tests of messages and texts, URI parameters, Contact encoding."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ..net.address import canonical_ip
from ..sip.digest import parse_credentials
from ..sip.errors import SipError
from ..sip.message import COMPACT, Header
from ..sip.nameaddr import parse_nameaddrs
from ..sip.uri import Uri, parse_uri
from .declare import Module, Param, export
from .siputils_contact import ContactFunctions

if TYPE_CHECKING:
    from ..run import Run

_ALNUM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
#: Kamailio's header types: names that the parser does not know are all of one type.
_KNOWN_FIELDS = frozenset(
    "accept accept-contact accept-disposition accept-encoding accept-language alert-info allow allow-events "
    "authentication-info authorization call-id call-info contact content-disposition content-encoding content-language "
    "content-length content-type cseq date diversion error-info event expires from identity identity-info in-reply-to "
    "max-forwards min-expires min-se organization p-asserted-identity p-preferred-identity path priority privacy "
    "proxy-authenticate proxy-authorization proxy-require record-route refer-to reject-contact remote-party-id "
    "replaces reply-to request-disposition require retry-after route rpid server session-expires sip-if-match subject "
    "subscription-state supported to unsupported user-agent via warning www-authenticate".split()
)


def _long(name: str) -> str:
    key = name.lower()
    return COMPACT.get(key, key)


#: Parameters that make URIs differ when only one has them.
_DECIDING = frozenset(("user", "maddr", "ttl", "method"))


def _same(one: Uri, two: Uri) -> bool:
    if (
        one.scheme != two.scheme
        or one.user != two.user
        or one.password != two.password
        or one.host.lower() != two.host.lower()
        or one.port_no != two.port_no
    ):
        return False
    first = {name.lower(): value.lower() for name, value in one.params_list()}
    second = {name.lower(): value.lower() for name, value in two.params_list()}
    for name in first.keys() | second.keys():
        if name in first and name in second:
            if first[name] != second[name]:
                return False
        elif name in _DECIDING:
            return False
    return True


class Siputils(ContactFunctions, Module):
    """Checks that scripts need at every turn, URI parameters, and the reply to OPTIONS."""

    name = "siputils"
    options_accept = Param("*/*", "Accept of the reply to OPTIONS")
    options_accept_encoding = Param("", "Accept-Encoding of the reply to OPTIONS")
    options_accept_language = Param("en", "Accept-Language of the reply to OPTIONS")
    options_support = Param("", "Supported of the reply to OPTIONS")
    rpid_prefix = Param("", "what append_rpid_hf() (native only) puts before the identity")
    rpid_suffix = Param(";party=calling;id-type=subscriber;screen=yes", "what append_rpid_hf() puts after the identity")
    rpid_avp = Param("$avp(s:rpid)", "the AVP with the identity for append_rpid_hf()")
    contact_flds_separator = Param("*", "the character between the parts of an encoded Contact")

    # -- the message ----------------------------------------------------------------------------------------------

    @export(inline=True)
    def has_totag(self, run: Run) -> int:
        """1 when the To field has a tag (a request in a dialog, a final reply), else -1."""
        return 1 if run.msg.to_tag else -1

    @export(inline=True)
    def is_request(self, run: Run) -> int:
        """1 for a request, -1 for a reply."""
        return 1 if run.msg.is_request else -1

    @export(inline=True)
    def is_reply(self, run: Run) -> int:
        """1 for a reply, -1 for a request."""
        return -1 if run.msg.is_request else 1

    @export
    def is_sip(self, run: Run) -> int:
        """1: the message is SIP."""
        return 1 if (run.msg.version or "SIP/2.0")[:3].upper() == "SIP" else -1

    @export
    def is_http(self, run: Run) -> int:
        """1 for an HTTP request, else -1."""
        return 1 if run.msg.version[:4].upper() == "HTTP" else -1

    @export
    def sip_parse_headers(self, run: Run) -> int:
        """1 when every header field of the message can be parsed, else -1."""
        return 1 if run.msg.error is None else -1

    @export
    def is_first_hop(self, run: Run) -> int:
        """1 when the sender is the user agent itself, else -1.

        A request then has one Via. A reply has no Record-Route, or its topmost is an address of ours, and did not
        come from ourselves.
        """
        return self._first_hop(run, False)

    @export
    def is_first_hop_mode(self, run: Run, mode: int) -> int:
        """Like ``is_first_hop``; with ``mode`` 1 a reply may come from ourselves and Record-Route name a domain."""
        return self._first_hop(run, mode == 1)

    def _first_hop(self, run: Run, relaxed: bool) -> int:
        msg = run.msg
        try:
            if msg.is_request:
                return 1 if len(msg.vias()) == 1 else -1
            header = msg.index.get("record-route")
            if header is None:
                return 1
            uri = parse_uri(header.parsed(parse_nameaddrs)[0].uri)
        except SipError:
            return -1
        check = self.proxy.myself.check
        if not relaxed and (not canonical_ip(uri.host) or msg.rcv is not None and check(msg.rcv.src_ip)):
            return -1
        return 1 if check(uri.host, uri.port_no, uri.transport) else -1

    @export
    def is_user(self, run: Run, user: str) -> int:
        """1 when the credentials that the auth functions found right are for ``user``, else -1."""
        header = run.msg.extra.get("auth")
        if not isinstance(header, Header):
            return -1
        return 1 if user and header.parsed(parse_credentials).user == user else -1

    @export
    def is_gruu(self, run: Run) -> int:
        """Whether the Request-URI is a GRUU (RFC 5627): 1 public, 2 temporary, -1 none."""
        try:
            gr = run.msg.parsed_uri.gr
        except SipError:
            return -1
        return -1 if gr is None else 1 if gr else 2

    @export
    def options_reply(self, run: Run) -> int:
        """Answer an OPTIONS without user in its Request-URI with 200 and what this proxy accepts; -1 for others."""
        msg = run.msg
        try:
            if msg.method != "OPTIONS" or not msg.is_request or parse_uri(msg.uri).user:
                return -1
        except SipError:
            return -1
        msg.reply_lumps.append(
            f"Accept: {self.options_accept}\r\nAccept-Encoding: {self.options_accept_encoding}\r\n"
            f"Accept-Language: {self.options_accept_language}\r\nSupported: {self.options_support}\r\n"
        )
        return 1 if self.proxy.modules.sl.reply(run, 200, "OK") >= 0 else -1

    @export
    def hdr_date_check(self, run: Run, seconds: int) -> int:
        """1 when Date is at most ``seconds`` in the past; -1 absent or unreadable, -4 older."""
        header = run.msg.get("date")
        if header is None:
            return -1
        try:
            stamp = parsedate_to_datetime(header.body).timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            return -1
        return -4 if self.proxy.wall() - stamp > seconds else 1

    # -- parameters of the Request-URI ----------------------------------------------------------------------------

    def _uri(self, run: Run) -> Uri | None:
        try:
            return parse_uri(run.msg.uri)
        except SipError:
            return None

    @export
    def uri_param(self, run: Run, name: str) -> int:
        """1 when the Request-URI has the parameter ``name`` without a value, else -1."""
        return self.uri_param_value(run, name, "")

    @export
    def uri_param_value(self, run: Run, name: str, value: str) -> int:
        """1 when the Request-URI has the parameter ``name`` with this ``value`` ('' for none), else -1."""
        uri = self._uri(run)
        if uri is None:
            return -1
        for own, own_value in uri.params_list():
            if own == name:
                return 1 if own_value == value else -1
        return -1

    @export
    def uri_param_any(self, run: Run, name: str) -> int:
        """1 when the Request-URI has the parameter ``name`` (in any case), with a value or without, else -1."""
        uri = self._uri(run)
        return 1 if uri is not None and name and uri.param(name) is not None else -1

    @export
    def add_uri_param(self, run: Run, param: str) -> int:
        """Add ``param`` (``name=value``) to the Request-URI; -1 when that cannot be parsed."""
        if not param:
            return 1
        uri = self._uri(run)
        if uri is None:
            return -1
        run.msg.new_uri = uri.with_(params=f"{uri.params};{param}" if uri.params else param)
        return 1

    @export
    def uri_param_rm(self, run: Run, name: str) -> int:
        """Remove the parameter ``name`` from the Request-URI: 1, also when there is none."""
        uri = self._uri(run)
        if uri is None:
            return -1
        parts = uri.params.split(";")
        kept = [part for part in parts if part.partition("=")[0].lower() != name.lower()]
        if len(kept) != len(parts):
            run.msg.new_uri = uri.with_(params=";".join(kept))
        return 1

    # -- texts ----------------------------------------------------------------------------------------------------

    @export
    def is_uri(self, run: Run, text: str) -> int:
        """1 when ``text`` is a URI that Kamailio can parse (sip, sips, tel, urn), else -1."""
        try:
            parse_uri(text)
        except SipError:
            return -1
        return 1

    @export
    def is_tel_number(self, run: Run, text: str) -> int:
        """1 for digits with or without a leading +; -2 for anything else."""
        digits = text[1:] if text[:1] == "+" else text
        return 1 if digits.isascii() and digits.isdigit() else -2

    @export
    def is_numeric(self, run: Run, text: str) -> int:
        """1 for digits only; -2 for anything else."""
        return 1 if text.isascii() and text.isdigit() else -2

    @export
    def is_alphanum(self, run: Run, text: str) -> int:
        """1 for ASCII letters and digits only; -2 for '', -3 for anything else."""
        return -2 if not text else 1 if _ALNUM.issuperset(text) else -3

    @export
    def is_alphanumex(self, run: Run, text: str, more: str) -> int:
        """1 for ASCII letters, digits and the characters of ``more`` only; -2 for '', -3 for anything else."""
        return -2 if not text else 1 if not set(text) - _ALNUM - set(more) else -3

    @export
    def cmp_uri(self, run: Run, one: str, two: str) -> int:
        """1 when two URIs are equal, -1 when not, -2 when one cannot be parsed.

        As Kamailio: RFC 3261 19.1.4 without resolving escapes and without looking at headers; of parameters only
        user, maddr, ttl and method make a difference when one URI alone has them.
        """
        try:
            return 1 if _same(parse_uri(one), parse_uri(two)) else -1
        except SipError:
            return -2

    @export
    def cmp_aor(self, run: Run, one: str, two: str) -> int:
        """1 when user, host and port of two URIs are equal, -1 when not, -2 when one cannot be parsed."""
        try:
            first, second = parse_uri(one), parse_uri(two)
        except SipError:
            return -2
        same = (
            first.user == second.user and first.port_no == second.port_no and first.host.lower() == second.host.lower()
        )
        return 1 if same else -1

    @export
    def cmp_hdr_name(self, run: Run, one: str, two: str) -> int:
        """1 when two header field names are of one field (compact forms included), -1 when not.

        -2 when both are names the parser does not know and they differ, or one is ''.
        """
        if not one or not two:
            return -2
        first, second = _long(one), _long(two)
        if first == second:
            return 1
        return -1 if first in _KNOWN_FIELDS or second in _KNOWN_FIELDS else -2
