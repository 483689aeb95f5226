"""The inputs a fuzz run starts from: the corpus of SIP messages, and per target a folder of inputs that once failed."""

from __future__ import annotations

from pathlib import Path
from random import Random

from fuzz.captures import capture_seeds
from fuzz.talk import generate
from ksrcore.capture.where import FIELDS
from lab.websocket import frame as websocket_frame

HERE = Path(__file__).resolve().parent
MESSAGES = HERE.parent / "sip" / "corpus"
#: One folder a target: regressions by name, and what a run found.
FOUND = HERE / "corpus"

_WHERE = (
    'method == "INVITE" and fU == "alice"',
    'status >= 400 or error != ""',
    'hdr("User-Agent") == None and not out',
    're("^sip:1", ruri) and len(body) > 10',
    'called("KSR.sl.send_reply") and src_port in (5060, 5061)',
    'pv("$(ru{uri.host})") == lower("A")',
    "id - 1 < size % 7 and -1 < cause",
    '"ksr_request_route" in callbacks and exception is not None',
)
_PVS = (
    "$ru",
    "$fU",
    "$(hdr(Via)[0])",
    "$(hdr(Contact)[-1]{nameaddr.uri}{uri.user})",
    "$avp(s:x)",
    "$(avp(i:7)[*])",
    "$xavp(a[0]=>b[1])",
    "$var(x)",
    "$sht(t=>$ci)",
    "$(var(x){s.substr,1,-2}{s.int})",
    "$(ru{param.value,transport,;}{re.subst,/a(b)/\\1/g})",
    "$(rb{line.at,-1}{s.select,1, })",
    "$T_req($fu)",
    "$timef(%Y-%m-%d)",
    "a $rU b $$ $(ct{tobody.uri}{s.escape.user}) c",
    "$expires(min)",
    "$hfl(Route)[*]",
    "$C(xg)",
)
_CONTROL = (
    '{"jsonrpc":"2.0","method":"ksr.hello","id":1}',
    '{"jsonrpc":"2.0","method":"ksr.messages","params":{"limit":3,"where":"method == \\"INVITE\\""},"id":2}',
    '{"jsonrpc":"2.0","method":"ksr.message","params":{"id":1},"id":"a"}',
    '{"jsonrpc":"2.0","method":"ksr.pv","params":{"id":1,"names":["$ru","$fU","$(hdr(Via)[-1])"]},"id":3}',
    '{"jsonrpc":"2.0","method":"ksr.flow","params":{"id":2},"id":4}',
    '{"jsonrpc":"2.0","method":"ksr.sandbox.open","params":{"id":1},"id":5}',
    '{"jsonrpc":"2.0","method":"ksr.sandbox.call","params":{"sandbox":1,"name":"KSR.sl.send_reply","args":[404,"x"]},"id":6}',
    '{"jsonrpc":"2.0","method":"ksr.sandbox.effects","params":{"sandbox":1},"id":7}',
    '{"jsonrpc":"2.0","method":"ksr.sandbox.close","params":{"sandbox":1},"id":8}',
    '{"jsonrpc":"2.0","method":"ksr.swap","params":{"source":"def ksr_reply_route(self, msg):\\n    return 1"},"id":9}',
    '{"jsonrpc":"2.0","method":"ksr.rollback","params":{"name":"ksr_reply_route","number":1},"id":10}',
    '{"jsonrpc":"2.0","method":"ksr.versions","params":{"name":"ksr_request_route"},"id":11}',
    '{"jsonrpc":"2.0","method":"ksr.subscribe","params":["message","swap"],"id":12}',
    '{"jsonrpc":"2.0","method":"ksr.routes","id":13}',
    '{"jsonrpc":"2.0","method":"ksr.stats","id":14}',
    '{"jsonrpc":"2.0","method":"core.echo","params":["a",1,null],"id":15}',
    '{"jsonrpc":"2.0","method":"stats.get_statistics","params":["all"],"id":16}',
    '{"jsonrpc":"2.0","method":"htable.sets","params":["a","b","c"],"id":17}',
    '{"jsonrpc":"2.0","method":"ul.lookup","params":["location","alice"],"id":18}',
    '{"jsonrpc":"2.0","method":"ul.add","params":["location","alice","sip:a@10.0.0.1",60,1.0,"",0,0,0],"id":19}',
    '{"jsonrpc":"2.0","method":"tm.stats","id":20}',
    '{"jsonrpc":"2.0","method":"permissions.addressDump","id":21}',
    '{"jsonrpc":"2.0","method":"system.listMethods"}',
)


def messages() -> list[bytes]:
    """Every SIP message of the corpus, by name."""
    files = [*MESSAGES.glob("*.sip"), *MESSAGES.glob("rfc4475/*.dat")]
    return [path.read_bytes() for path in sorted(files)]


def found(target: str) -> list[Path]:
    """The files of inputs that once failed for that target."""
    folder = FOUND / target
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def seeds(target: str) -> list[bytes]:
    """What mutation starts from for that target, its old failures included."""
    start: list[bytes]
    if target == "where":
        start = [text.encode() for text in (*_WHERE, *FIELDS)]
    elif target == "pv":
        start = [text.encode() for text in _PVS]
    elif target == "control":
        start = [text.encode() for text in _CONTROL]
    elif target == "talk":
        start = [generate(Random(n)) for n in range(100)]
    elif target == "frames":
        start = [b"".join(websocket_frame(n, data[: n * 40], fin=n % 3 > 0) for n in range(11)) for data in messages()]
    elif target == "capture":
        start = capture_seeds(messages())
    else:
        start = messages()
    return start + [path.read_bytes() for path in found(target)]
