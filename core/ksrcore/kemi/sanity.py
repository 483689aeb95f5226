"""Kamailio's sanity: checks of a message against RFC 3261 that routing itself does not need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..sip.cseq import parse_cseq
from ..sip.errors import SipError
from ..sip.nameaddr import parse_nameaddr, parse_nameaddrs
from ..sip.params import WS, iter_params, split_params
from ..sip.uri import parse_uri
from .declare import Module, Param, export

if TYPE_CHECKING:
    from ..run import Run
    from ..sip.message import Header, SipMessage

# The bits of the first argument, the README's numbers.
RURI_VERSION = 1
RURI_SCHEME = 2
REQUIRED_HEADERS = 4
CSEQ_METHOD = 32
CSEQ_VALUE = 64
CONTENT_LENGTH = 128
EXPIRES = 256
PROXY_REQUIRE = 512
PARSE_URIS = 1024
DIGEST = 2048
DUPLICATE_TAGS = 4096
AUTHORIZATION = 8192
FIRST_VIA = 16384

# The bits of the second argument.
URI_RURI = 1
URI_FROM = 2
URI_TO = 4
URI_CONTACT = 8

_REQUIRED = ("to", "from", "cseq", "call-id", "via")
#: Checks that the usual path leaves to the long one, of requests and of replies (which fail some of them always).
_RARE_CHECKS = DIGEST | DUPLICATE_TAGS | AUTHORIZATION
_RARE_FOR_REPLY = _RARE_CHECKS | RURI_VERSION | RURI_SCHEME | CSEQ_METHOD


def _remember(good: set[str], body: str) -> None:
    if len(good) >= 4096:
        good.clear()
    if len(body) <= 512:
        good.add(body)


class _Failed(Exception):
    """A check failed: the reply's code and reason (0: none is sent), and a header field for the reply."""

    def __init__(self, code: int = 0, reason: str = "", field: str = "") -> None:
        self.code = code
        self.reason = reason
        self.field = field


def _unsigned(text: str) -> bool:
    """Kamailio's str2valid_uint: digits, at most ten."""
    return 0 < len(text) <= 10 and text.isascii() and text.isdigit()


class Sanity(Module):
    """Sanity checks and their replies.

    ``autodrop`` ends native routes only: KEMI functions return -1 whatever it says, as in Kamailio.
    """

    name = "sanity"
    default_checks = Param(3047, "the checks of sanity_check_defaults(): sum of the README's numbers")
    uri_checks = Param(7, "URIs that 'parse uris' looks at: 1 Request-URI, 2 From, 4 To, 8 Contact")
    proxy_require = Param("", "the extensions a Proxy-Require may ask for: comma-separated")
    autodrop = Param(1, "end the native route when a check fails; without effect in KEMI scripts")
    noreply = Param(0, "1: do not reply when a check fails, sanity_reply() does")

    def start(self) -> None:
        self.supported = frozenset(token.strip() for token in self.proxy_require.split(",")) - {""}
        # From and To bodies that passed: a call repeats them in each of its messages.
        self._good_uris: set[str] = set()
        self._good_tags: set[str] = set()

    @export
    def sanity_check(self, run: Run, checks: int, uris: int) -> int:
        """Run the checks (sum of the README's numbers) on the message, on the URIs in ``uris``.

        1 passed; -1 failed, and a request other than ACK was answered 400 or 420 unless ``noreply`` is set.
        """
        msg = run.msg
        index = msg.index
        try:
            good = self._good_uris
            # What nearly every message is like passes all checks at once, asked for or not. Any other takes the long
            # way, which knows what was asked for and what to say.
            if (
                index["call-id"]
                and index["content-length"].body == f"{len(msg.buf) - msg.body_at}"
                and "proxy-require" not in index
                and ("expires" not in index or _unsigned(index["expires"].body))
                and (index["from"].body in good or self._good_uri(index["from"]))
                and (index["to"].body in good or self._good_uri(index["to"]))
                and msg.cseq.method == msg.method  # type: ignore[union-attr]
                and (
                    not checks & _RARE_CHECKS and not uris & URI_CONTACT and parse_uri(msg.new_uri or msg.ruri)
                    if msg.is_request
                    else not checks & _RARE_FOR_REPLY and not uris & 9
                )
                and msg.via.host  # type: ignore[union-attr]
            ):
                return 1
        except (AttributeError, KeyError, SipError):
            pass  # a field is not there, or cannot be read
        try:
            self._check(msg, checks, uris)
        except _Failed as failed:
            return self._fail(run, failed)
        return 1

    @export
    def sanity_check_defaults(self, run: Run) -> int:
        """The checks of ``default_checks`` on the URIs of ``uri_checks``."""
        return self.sanity_check(run, self.default_checks, self.uri_checks)

    @export
    def sanity_reply(self, run: Run) -> int:
        """With ``noreply``: send the reply of the check that failed, if one did."""
        failed: Any = run.msg.extra.pop("sanity", None)
        if failed is not None and self.noreply:
            self._reply(run, failed)
        return 1

    def _fail(self, run: Run, failed: _Failed) -> int:
        if run.msg.is_request and run.msg.method != "ACK" and failed.code:
            if self.noreply:
                run.msg.extra["sanity"] = failed
            else:
                self._reply(run, failed)
        return -1

    def _reply(self, run: Run, failed: _Failed) -> None:
        if failed.field:
            run.msg.reply_lumps.append(failed.field)
        self.proxy.modules.sl.reply(run, failed.code, failed.reason)

    def _check(self, msg: SipMessage, checks: int, uris: int) -> None:
        # In the order of Kamailio's sanity_check: the first failure decides the reply.
        index = msg.index
        if checks & 3:
            self._request_uri(msg)
        if checks & REQUIRED_HEADERS:
            for key in _REQUIRED:
                if key not in index:
                    raise _Failed(400, "Missing Required Header in Request")
        if checks & 96:
            self._cseq(msg, checks)
        if checks & CONTENT_LENGTH:
            header = index.get("content-length")
            if header is not None:
                if not _unsigned(header.body):
                    raise _Failed
                if int(header.body) != len(msg.buf) - msg.body_at:
                    raise _Failed(400, "Content-Length mis-match")
        if checks & EXPIRES and "expires" in index:
            # Kamailio reads the first word: "2000 GMT" passes.
            words = index["expires"].body.split(None, 1)
            if not words:
                raise _Failed(400, "Bad Expires Header")
            if not _unsigned(words[0]):
                raise _Failed(400, "Expires value is illegal")
        if checks & PROXY_REQUIRE and "proxy-require" in index:
            self._proxy_require(index["proxy-require"].body)
        if checks & PARSE_URIS:
            self._uris(msg, uris)
        if checks & DIGEST:
            self._digest(msg, "authorization", True)
            self._digest(msg, "proxy-authorization", True)
        if checks & DUPLICATE_TAGS:
            self._tags(msg)
        if checks & AUTHORIZATION:
            self._digest(msg, "authorization", False)
            self._digest(msg, "proxy-authorization", False)
        if checks & FIRST_VIA:
            try:
                via = msg.via
            except SipError:
                via = None
            if via is None or not via.host:
                raise _Failed(400, "Bad Via Header")

    @staticmethod
    def _request_uri(msg: SipMessage) -> None:
        if not msg.is_request:
            raise _Failed
        try:
            parse_uri(msg.new_uri or msg.ruri)
        except SipError:
            raise _Failed(400, "Bad Request URI") from None

    @staticmethod
    def _cseq(msg: SipMessage, checks: int) -> None:
        header = msg.index.get("cseq")
        if header is None:
            raise _Failed
        try:
            cseq = header.parsed(parse_cseq)
        except SipError:
            # The parser is stricter about the number than this check, so both are told apart here.
            number, _, method = header.body.partition(" ")
            if checks & CSEQ_METHOD and (not msg.is_request or method.strip(WS) != msg.method):
                raise _Failed(400, "CSeq method does not match request method") from None
            if checks & CSEQ_VALUE and not _unsigned(number):
                raise _Failed(400, "CSeq number is illegal") from None
            return
        if checks & CSEQ_METHOD and (not msg.is_request or cseq.method != msg.method):
            raise _Failed(400, "CSeq method does not match request method")

    def _proxy_require(self, body: str) -> None:
        # Like Kamailio: the first Proxy-Require field only, and only its first unsupported token is named.
        tokens = [token.strip(WS) for token in body.split(",")]
        if not body:
            raise _Failed(400, "Bad Proxy Require Header")
        for token in tokens:
            if token and token not in self.supported:
                raise _Failed(420, "Bad Proxy Require Extension", f"Unsupported: {token}\r\n")

    def _good_uri(self, header: Header) -> bool:
        """Whether the URI of a From or To can be parsed (or SipError is raised): then its body is remembered."""
        parse_uri(header.parsed(parse_nameaddr).uri)
        _remember(self._good_uris, header.body)
        return True

    def _uris(self, msg: SipMessage, uris: int) -> None:
        if uris & URI_RURI:
            self._request_uri(msg)
        for bit, key, reason in ((URI_FROM, "from", "Invalid From Header"), (URI_TO, "to", "Ivalid To Header")):
            if uris & bit:
                header = msg.index.get(key)
                if header is None:
                    raise _Failed(400, reason)
                try:
                    parse_uri(header.parsed(parse_nameaddr).uri)
                except SipError:
                    raise _Failed(400, reason) from None
        if uris & URI_CONTACT and "contact" in msg.index:
            try:
                contact = msg.index["contact"].parsed(parse_nameaddrs)[0]
                if contact.uri != "*":
                    parse_uri(contact.uri)
            except SipError:
                raise _Failed(400, "Bad Contact URI") from None

    def _tags(self, msg: SipMessage) -> None:
        for key, reason in (("from", "Many From Tag Params"), ("to", "Many To Tag Params")):
            header = msg.index.get(key)
            if header is None or header.body in self._good_tags:
                continue
            try:
                params = header.parsed(parse_nameaddr).params_text
            except SipError:
                continue
            if ";" in params and sum(name.lower() == "tag" for name, *_ in iter_params(params)) > 1:
                raise _Failed(400, reason)
            _remember(self._good_tags, header.body)

    @staticmethod
    def _digest(msg: SipMessage, key: str, strict: bool) -> None:
        for header in msg.headers:
            if header.key != key:
                continue
            scheme, _, rest = header.body.partition(" ")
            if scheme.lower() != "digest":
                if strict:
                    raise _Failed
                continue
            given = {name.lower(): value for name, value in split_params(rest, ",")}
            if any(name not in given for name in ("username", "realm", "nonce", "uri", "response")):
                raise _Failed(400, "Bad Auth Credentials")
            if given.get("qop") and not (given.get("cnonce") and given.get("nc")):
                raise _Failed(400, "Bad Auth Credentials")
            if not given["username"]:
                raise _Failed(400, "Auth Empty User")
