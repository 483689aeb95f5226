"""The rest: ``$$ $_s(...) $cnt(...) $null $rc $env(X) $version(...) $stat(x) $sel(x) $C(xy) $HN(n) $RANDOM`` ..."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import __version__
from . import avp, xavp
from .errors import PvError
from .format import compile_format
from .registry import Accessor, Value, pv, pv_class
from .spec import Spec, parse_spec
from .via import vias_of

if TYPE_CHECKING:
    from ..run import Run

#: The Kamailio version whose behaviour is followed.
KAMAILIO_VERSION = "5.6.3"


@pv("$")
def dollar(run: Run) -> Value:
    return "$"


@pv("null", "err.class", "err.info", "err.level", "err.rcode", "err.rreason")
def null(run: Run) -> Value:
    """Null; the ``err.*`` are set by Kamailio's error_route alone, which KEMI scripts do not have."""
    return None


@pv("true")
def true(run: Run) -> Value:
    return 1


@pv("rc", "retcode", "?")
def return_code(run: Run) -> Value:
    """0: the return codes of the native configuration language do not exist in KEMI scripts."""
    return 0


@pv("pp")
def pid(run: Run) -> Value:
    return os.getpid()


@pv("sid")
def server_id(run: Run) -> Value:
    """The core parameter ``server_id``, 0 when it is not set."""
    return int(getattr(run.proxy.modules.get(""), "server_id", 0))


@pv("RANDOM")
def random_number(run: Run) -> Value:
    """0 to 2^31 - 1."""
    return run.proxy.random.getrandbits(31)


@pv_class("_s")
def _format(spec: Spec) -> Accessor:
    """``$_s(format)``: the text with its pseudo-variables evaluated."""
    if not spec.inner:
        raise PvError("expected a format in the parentheses", str(spec))
    return Accessor(spec, compile_format(spec.inner))


@pv_class("cnt")
def _cnt(spec: Spec) -> Accessor:
    """``$cnt($avp(x))``, ``$cnt($xavp(x))``, ``$cnt($xavi(x))``: how many there are."""
    inner = parse_spec((spec.inner or "").strip())
    if inner.name == "avp":
        return Accessor(spec, avp.count(inner))
    if inner.name in ("xavp", "xavi"):
        return Accessor(spec, xavp.count(inner))
    raise PvError(f"expected $avp(...), $xavp(...) or $xavi(...) in the parentheses, got {spec.inner!r}", str(spec))


def _character(name: str, char: str) -> None:
    pv(name)(lambda run: char)


# Characters that are hard to write in a configuration file (Kamailio 5.8 and later).
for _name, _char in {
    "Eb": "\\", "En": "\n", "Er": "\r", "Et": "\t", "Es": " ", "Ec": ",", "Eq": '"', "Ek": "'", "Ei": ":", "Ej": ";",
    "Ev": "`",
}.items():  # fmt: skip
    _character(_name, _char)


def _keyed(name: str, read: dict[str, Callable[[Run], Value]]) -> None:
    @pv_class(name)
    def build(spec: Spec) -> Accessor:
        getter = read.get(spec.inner or "")
        if getter is None:
            raise PvError(f"expected one of {', '.join(read)} in the parentheses, got {spec.inner!r}", str(spec))
        return Accessor(spec, getter)


_keyed(
    "version",
    {
        "num": lambda run: KAMAILIO_VERSION,
        "full": lambda run: f"ksrshell {__version__} (as kamailio {KAMAILIO_VERSION})",
        "hash": lambda run: "unknown",
    },
)


def _domain_name() -> str:
    return socket.gethostname().partition(".")[2]


_keyed(
    "HN",
    {
        "n": lambda run: socket.gethostname().partition(".")[0],
        "f": lambda run: socket.gethostname(),
        "d": lambda run: _domain_name() or None,
    },
)


def _environment(name: str, convert: Callable[[str], Value]) -> None:
    @pv_class(name)
    def build(spec: Spec) -> Accessor:
        variable = (spec.inner or "").strip()
        if not variable:
            raise PvError(f"expected the name of an environment variable: ${name}(NAME)", str(spec))

        def get(run: Run) -> Value:
            value = os.environ.get(variable)
            return None if value is None else convert(value)

        return Accessor(spec, get)


def _integer(text: str) -> Value:
    stripped = text.strip()
    digits = stripped[1:] if stripped[:1] in ("+", "-") else stripped
    return int(stripped) if len(digits) <= 18 and digits.isascii() and digits.isdigit() else 0


_environment("env", lambda value: os.fsencode(value).decode("latin-1"))
_environment("envn", _integer)


@pv_class("stat")
def _stat(spec: Spec) -> Accessor:
    """``$stat(name)``: a counter by its name without the group, null when nothing has counted it."""
    name = (spec.inner or "").strip()
    if not name:
        raise PvError("expected the name of a statistic: $stat(rcv_requests)", str(spec))
    suffix = ":" + name

    def get(run: Run) -> Value:
        for key, value in run.proxy.counters.items():
            if key.endswith(suffix):
                return value
        return None

    return Accessor(spec, get)


_COLORS = {"s": 0, "r": 1, "g": 2, "y": 3, "b": 4, "p": 5, "c": 6, "w": 7, "x": 9}


@pv_class("C")
def _color(spec: Spec) -> Accessor:
    """``$C(fb)``: the terminal's escape sequence for foreground and background (xlog); a capital first is bright."""
    fore, back = (spec.inner or "")[:1], (spec.inner or "")[1:]
    if fore.lower() not in _COLORS or fore == "X" or back not in _COLORS:
        raise PvError(f"expected two of {', '.join(_COLORS)} in the parentheses, got {spec.inner!r}", str(spec))
    sequence = f"\x1b[{int(fore.isupper())};3{_COLORS[fore.lower()]};4{_COLORS[back]}m"
    return Accessor(spec, lambda run: sequence)


# -- selects: the handful that has no variable of its own ---------------------------------------------------------

_VIA_PARTS = ("host", "port", "transport", "branch", "received", "rport", "params")


@pv_class("sel")
def _sel(spec: Spec) -> Accessor:
    """``$sel(select)``: ruri, from.uri, to.uri, contact.uri, callid, cseq, method, ``cfg_get.group.name`` (custom
    parameters), and ``via[n].part`` from 1.

    Of Kamailio's selects those; the others raise :class:`PvError`.
    """
    name = (spec.inner or "").strip()
    simple = {
        "ruri": "$ru", "request_uri": "$ru", "from.uri": "$fu", "from.tag": "$ft", "to.uri": "$tu", "to.tag": "$tt",
        "contact.uri": "$ctu", "callid": "$ci", "call_id": "$ci", "cseq": "$csb", "method": "$rm", "dst_uri": "$du",
        "from": "$hdr(From)", "to": "$hdr(To)", "contact": "$ct", "msg.body": "$rb", "msg.len": "$ml",
    }.get(name)  # fmt: skip
    if simple is not None:
        from .accessor import compile_spec

        return Accessor(spec, compile_spec(simple).get)
    head, dot, part = name.partition(".")
    if head == "cfg_get" and part:
        group, _, own = part.partition(".")
        # Selects are texts, numbers too.
        return Accessor(spec, lambda run: None if (found := run.proxy.custom.get((group, own))) is None else str(found))
    number = head[4:-1] if head[:4] == "via[" and head[-1:] == "]" else "1" if head == "via" else ""
    if not (dot and number.isascii() and number.isdigit() and int(number) and part in _VIA_PARTS):
        hint = "use the variable for it, such as $fu or $via0(host)"
        raise PvError(f"the select {name!r} is not implemented; {hint}", str(spec))
    index = int(number) - 1

    def get(run: Run) -> Value:
        vias = vias_of(run)
        if index >= len(vias):
            return None
        via = vias[index]
        if part == "params":
            return via.params_text or None
        if part in ("host", "port", "transport"):
            return str(getattr(via, part)) or None
        return via.param(part)

    return Accessor(spec, get)
