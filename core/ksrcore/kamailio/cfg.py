"""A kamailio.cfg, as far as one has to know it to route as it says: modules and their parameters, sockets, aliases,
settings, the KEMI script. Routing blocks are passed over; their names and places are kept.

    config = read("/etc/kamailio/kamailio.cfg", ["WITH_AUTH", "DBURL=\\"sqlite:///x\\""])
    config.script, config.engine, config.listens, config.param("tm", "fr_timer")
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from .config import PYTHON_MODULES, Config, Load, Modparam, Route, Setting, Socket
from .lexer import CfgError, Lexer, Place, Token, command_line_defines

__all__ = [
    "PYTHON_MODULES", "CfgError", "Config", "Load", "Modparam", "Place", "Route", "Setting", "Socket", "read",
]  # fmt: skip

#: Kamailio's release that ``#!ifdef KAMAILIO_5_6`` asks for, unless told otherwise.
VERSION = (5, 6, 3)

_ROUTES = frozenset((
    "route", "request_route", "reply_route", "onreply_route", "failure_route", "branch_route", "onsend_route",
    "event_route", "error_route", "local_route", "startup_route", "timer_route",
))  # fmt: skip
_SWITCHES = {
    **dict.fromkeys(("yes", "true", "on", "enable"), 1),
    **dict.fromkeys(("no", "false", "off", "disable"), 0),
}
_PROTOS = ("udp", "tcp", "tls", "sctp", "ws", "wss")


def read(
    path: str | Path,
    defines: Iterable[str] | Mapping[str, str] = (),
    *,
    version: tuple[int, ...] = VERSION,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Read a kamailio.cfg with everything it includes.

    ``defines``: as Kamailio's ``-A``: NAME or NAME=VALUE each, or a mapping. ``version``: Kamailio's, for
    ``#!ifdef KAMAILIO_5_6``. Raises :class:`CfgError` (file, line and what was expected), ValueError for a bad define.
    """
    given = dict(defines) if isinstance(defines, Mapping) else command_line_defines(defines)
    own = {"KAMAILIO_" + "_".join(map(str, version[:n])): "" for n in range(1, len(version) + 1)}
    lexer = Lexer(path, own | given, environ)
    config = Config(str(path))
    config.given = [f"{name}={value}" if value else name for name, value in given.items()]
    return _Reader(lexer, config).read()


class _Reader:
    """The grammar, over the tokens; one token is looked ahead."""

    def __init__(self, lexer: Lexer, config: Config) -> None:
        self.lexer = lexer
        self.config = config
        self.ahead: Token | None = None
        self.last = Token("end", "", lexer.place)

    # -- tokens -----------------------------------------------------------------------------------------------------

    def peek(self) -> Token:
        if self.ahead is None:
            self.ahead = self.lexer.next()
        return self.ahead

    def next(self) -> Token:
        token = self.peek()
        self.ahead = None
        self.last = token
        return token

    def take(self, text: str, kind: str = "sign") -> bool:
        token = self.peek()
        if token.kind == kind and token.text == text:
            self.next()
            return True
        return False

    def expect(self, text: str, what: str) -> None:
        if not self.take(text):
            raise self.wrong(f"{what} expects {text!r}", self.peek())

    def string(self, what: str) -> str:
        token = self.next()
        if token.kind != "string":
            raise self.wrong(f"{what} expects a string in quotes", token)
        return token.text

    @staticmethod
    def wrong(why: str, token: Token) -> CfgError:
        got = "the end of the file" if token.kind == "end" else repr(token.text)
        return CfgError(token.place, f"{why}, got {got}")

    # -- statements -------------------------------------------------------------------------------------------------

    def read(self) -> Config:
        config = self.config
        while (token := self.next()).kind != "end":
            if token.kind == "sign" and token.text == ";":
                continue
            if token.kind != "word":
                raise self.wrong("expected a setting, loadmodule, modparam or a routing block", token)
            self.statement(token)
        config.files = self.lexer.files
        config.defines = self.lexer.defines
        return config

    def statement(self, token: Token) -> None:
        name, config, place = token.text, self.config, token.place
        match name:
            case "loadmodule" | "loadmodulex":
                parts = self.parenthesized_string(name)
                module = Path(parts).name.removesuffix(".so")
                config.modules.append(Load(module, place))
                self.lexer.defines.setdefault(f"MOD_{module}", "")
            case "loadpath" | "mpath":
                self.take("=")
                config.mpath = self.string(name)
            case "modparam" | "modparamx":
                self.modparam(place)
            case "include_file" | "import_file":
                path = self.string(name)
                # What was looked ahead stands behind the included text: nothing was, after a string.
                assert self.ahead is None
                self.lexer.include(path, place, needed=name == "include_file")
            case "cfgengine":
                self.take("=")
                config.engine, config.engine_place = self.string(name).lower(), place
            case "listen":
                self.expect("=", name)
                self.listen(place)
            case "socket":
                self.expect("=", name)
                self.socket(place)
            case "alias" | "domain":
                self.expect("=", name)
                while self.address_follows():
                    config.aliases.append(self.address())
            case "flags" | "avpflags":
                self.flags()
            case _ if name in _ROUTES:
                self.route(token)
            case _:
                self.setting(token)

    def parenthesized_string(self, what: str) -> str:
        opened = self.take("(")
        text = self.string(what)
        if opened:
            while self.take(","):
                self.string(what)
            self.expect(")", what)
        return text

    def modparam(self, place: Place) -> None:
        self.expect("(", "modparam")
        target = self.string("modparam's module")
        self.expect(",", "modparam")
        name = self.string("modparam's name")
        self.expect(",", "modparam")
        value = self.value()
        self.expect(")", "modparam")
        try:
            # As Kamailio: a regular expression over the names of the modules that are loaded so far.
            pattern = re.compile(f"(?:{target})")
        except re.error as error:
            raise CfgError(place, f"modparam's module {target!r} is no regular expression: {error}") from None
        found = [load.name for load in self.config.modules if pattern.fullmatch(load.name)]
        if not found:
            raise CfgError(place, f'modparam("{target}", "{name}", ...): no such module is loaded before this line')
        for module in dict.fromkeys(found):
            self.config.modparams.append(Modparam(module, name, value, place))

    def value(self) -> int | str:
        """A string, a number, yes or no, or a word that stands for itself (LOG_LOCAL0, an address)."""
        token = self.peek()
        if token.kind == "string":
            return self.next().text
        sign = self.next().text if token.kind == "sign" and token.text in "+-" else ""
        token = self.next()
        if token.kind == "number":
            after = self.peek()
            if after.glued and after.kind == "sign" and after.text in ".:":
                return self.glued(token)
            return _integer(token) * (-1 if sign == "-" else 1)
        if token.kind == "word" and not sign:
            if (switch := _SWITCHES.get(token.text.lower())) is not None:
                return switch
            return self.glued(token)
        raise self.wrong("expected a string, a number, yes or no", token)

    def glued(self, token: Token) -> str:
        """What stands together without a blank: an address. Around a colon blanks do not count."""
        text = token.text
        while True:
            after = self.peek()
            fits = after.kind in ("word", "number") or (after.kind == "sign" and after.text in ".:-[]*")
            if not fits or not (after.glued or after.text == ":" or text.endswith(":")):
                return text
            text += self.next().text

    def setting(self, token: Token) -> None:
        name = token.text
        while self.take(".") or (self.peek().text == "[" and self.peek().glued):
            if self.take("["):
                self.next()
                self.expect("]", name)
                continue
            part = self.next()
            if part.kind != "word":
                raise self.wrong(f"{name}. expects a name", part)
            name += f".{part.text}"
        if not self.take("="):
            raise self.wrong(f"after {name!r} expected '='", self.peek())
        value = self.value()
        if "." in name and self.peek().kind == "word" and self.peek().text in ("desc", "descr", "description"):
            self.next()
            self.string("desc")
        self.config.settings[name] = Setting(value, token.place)

    def flags(self) -> None:
        while self.peek().kind in ("word", "string"):
            self.next()
            if self.take(":"):
                self.next()
            if self.take("["):
                self.next()
                self.expect("]", "avpflags")
            if not self.take(","):
                return

    def route(self, token: Token) -> None:
        name = ""
        if token.text in ("route", "request_route") and self.take("="):
            self.value()  # a core parameter of this name
            return
        if self.take("["):
            while not self.take("]"):
                part = self.next()
                if part.kind == "end":
                    raise self.wrong(f"{token.text}[ expects a name and ']'", part)
                name += part.text
        if not self.take("{"):
            raise self.wrong(f"{token.text} expects '{{'", self.peek())
        depth = 1
        while depth:
            part = self.next()
            if part.kind == "end":
                raise CfgError(token.place, f"{token.text} has no closing '}}'")
            if part.kind == "sign":
                depth += (part.text == "{") - (part.text == "}")
        self.config.routes.append(Route(token.text, name, token.place))

    # -- sockets ----------------------------------------------------------------------------------------------------

    def address_follows(self) -> bool:
        token = self.peek()
        if token.kind in ("number", "string"):
            return True
        if token.kind == "sign":
            return token.text in ("[", "*", "(") and token.text != ""
        # A word in the next line begins the next statement.
        return token.kind == "word" and token.place.line == self.last.place.line

    def address(self) -> str:
        token = self.next()
        if token.kind == "string":
            return self.glued_to_string(token.text)
        if token.kind == "sign" and token.text not in ("[", "*"):
            raise self.wrong("expected an address such as udp:10.0.0.1:5060", token)
        return self.glued(token)

    def glued_to_string(self, text: str) -> str:
        """``"host":5060``."""
        while self.take(":"):
            text += f":{self.next().text}"
        return text

    def listen(self, place: Place) -> None:
        if not self.address_follows():
            raise self.wrong("listen expects an address such as udp:10.0.0.1:5060", self.peek())
        while self.address_follows():
            proto, hosts, port = self.hosts()
            advertise, name, virtual = "", "", False
            while self.peek().kind == "word" and self.peek().text in ("advertise", "name", "virtual"):
                match self.next().text:
                    case "advertise":
                        advertise = self.address()
                    case "name":
                        name = self.string("name")
                    case _:
                        virtual = True
            for host in hosts:
                self.config.listens.append(Socket(proto, host, port, advertise, name, virtual, place))

    def hosts(self) -> tuple[str, list[str], int]:
        """``proto:host:port``, or ``proto:(host, host):port``."""
        text = "" if self.peek().text == "(" else self.address()
        if not self.take("("):
            proto, host, port = self.split(text)
            return proto, [host], port
        hosts = [self.address()]
        while self.take(","):
            hosts.append(self.address())
        self.expect(")", "listen")
        port = _integer(self.next()) if self.take(":") else 0
        return text.rstrip(":").lower(), hosts, port

    def split(self, text: str) -> tuple[str, str, int]:
        proto, colon, rest = text.partition(":")
        if not colon or proto.lower() not in _PROTOS:
            proto, rest = "", text
        if rest.startswith("["):
            host, _, port = rest[1:].partition("]")
            port = port.lstrip(":")
        elif rest.count(":") > 1:
            host, port = rest, ""  # an IPv6 address without brackets
        else:
            host, _, port = rest.partition(":")
        if not host or (port and not (port.isdigit() and int(port) < 65536)):
            raise CfgError(self.last.place, f"expected an address such as udp:10.0.0.1:5060, got {text!r}")
        return proto.lower(), host, int(port or 0)

    def socket(self, place: Place) -> None:
        """``socket = { bind = ...; advertise = ...; name = "..."; virtual = yes; }`` (Kamailio 5.7)."""
        self.expect("{", "socket")
        bind: tuple[str, list[str], int] | None = None
        advertise, name, virtual = "", "", False
        while not self.take("}"):
            token = self.next()
            if token.kind == "sign" and token.text == ";":
                continue
            if token.kind != "word":
                raise self.wrong("socket expects bind, advertise, name or virtual", token)
            self.expect("=", token.text)
            match token.text:
                case "bind":
                    bind = self.hosts()
                case "advertise":
                    advertise = self.address()
                case "name":
                    name = self.string("name")
                case "virtual":
                    virtual = bool(self.value())
                case _:
                    self.value()
        if bind is None:
            raise CfgError(place, "socket has no bind = ADDRESS")
        for host in bind[1]:
            self.config.listens.append(Socket(bind[0], host, bind[2], advertise, name, virtual, place))


def _integer(token: Token) -> int:
    """Decimal, hexadecimal (0x1f) or octal (0660)."""
    text = token.text
    if token.kind != "number":
        raise CfgError(token.place, f"expected a number, got {text!r}")
    try:
        return int(text, 8) if text[0] == "0" and len(text) > 1 and text[1] not in "xX" else int(text, 0)
    except ValueError:
        raise CfgError(token.place, f"{text!r} is no number") from None
