"""A whole proxy without sockets or a clock, watched: what it logs as its own defect breaks the run.

The network is a list, DNS a table, the database in memory, time a number.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Final, cast

from ksrcore.assemble import load_script, make_proxy
from ksrcore.capture.recorder import Recorder
from ksrcore.kemi.declare import KsrError
from ksrcore.kemi.tm import Tm
from ksrcore.net.address import Dest, Listen, Rcv
from ksrcore.proxy import Resolved
from ksrcore.script.python import PythonScript
from ksrcore.sip.errors import SipError
from ksrcore.sip.message import parse_message
from ksrcore.store.database import Database

ROOT: Final = Path(__file__).resolve().parents[2]
DEMO: Final = ROOT / "ksrshell" / "demo" / "routing.py"
STOCK: Final = Path("/usr/share/doc/kamailio/examples/kemi/kamailio-basic-kemi-python.py")
CALLS: Final = Path(__file__).resolve().parent / "scripts" / "calls.py"

USERS: Final = {"alice": "secret-a", "bob": "secret-b", "carol": "secret-c"}
DOMAIN: Final = "example.com"

#: Seconds after which nothing of a transaction may be left: Kamailio's max_inv_lifetime (180 s) and a margin.
LIFETIME: Final = 200.0


class Defect(AssertionError):
    """The proxy ran into a defect of its own."""


class Watch(logging.Handler):
    """Collects what the core's last resorts caught, and what scripts met inside KSR functions beside KsrError.

    A last resort logs a traceback; who expects an error logs its text alone. Installed while there are worlds.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.defects: list[tuple[str, BaseException | None]] = []
        self.worlds = 0
        self._before: tuple[list[logging.Handler], bool, int] = ([], True, 0)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else sys.exc_info()[1]
        text = record.getMessage()
        if not record.exc_info and "Traceback (most recent" not in text:
            return
        if record.name == "ksrcore.script" and isinstance(error, KsrError):
            return
        self.defects.append((text[-3000:], error))

    def install(self) -> None:
        self.worlds += 1
        if self.worlds == 1:
            log = logging.getLogger("ksrcore")
            self._before = log.handlers[:], log.propagate, log.level
            log.handlers[:], log.propagate = [self], False
            log.setLevel(logging.WARNING)

    def remove(self) -> None:
        self.worlds -= 1
        if not self.worlds:
            self.defects.clear()
            log = logging.getLogger("ksrcore")
            log.handlers[:], log.propagate = self._before[:2]
            log.setLevel(self._before[2])

    def check(self, recorder: Recorder) -> None:
        """Raise Defect for what was collected. An exception of the script's own making is none."""
        while self.defects:
            text, error = self.defects.pop(0)
            if text.startswith("exception in") and not _from_ksr(recorder, error):
                continue
            self.defects.clear()
            raise Defect(f"{type(error).__name__}: {error}\n{text}") from error


def _from_ksr(recorder: Recorder, error: BaseException | None) -> bool:
    """Whether a KSR function raised it: calls are recorded with what they raised."""
    runs = (run for record in recorder for run in record.runs)
    return any(result is error for run in runs for _, _, result in run.iter_calls())


WATCH: Final = Watch()


class World:
    """One proxy and what it has sent. ``script``: the path of its script, '' for none."""

    def __init__(self, script: str | Path = "", *, records: int = 300) -> None:
        self.now = 1000.0
        self.sent: deque[tuple[bytes, Dest]] = deque(maxlen=200)
        self.count = 0
        self.resolving: list[tuple[str, int, str, Resolved]] = []
        self.refuse = False
        self.listens = [
            Listen("udp", "127.0.0.1", 5060),
            Listen("tcp", "127.0.0.1", 5060),
            Listen("udp", "::1", 5060),
        ]
        self.db = Database.open(":memory:")
        for user, password in USERS.items():
            self.db.insert("subscriber", {"username": user, "domain": DOMAIN, "password": password})
        self.proxy, self.ksr = make_proxy(
            transmit=self.transmit,
            listens=self.listens,
            aliases=[DOMAIN],
            db=self.db,
            now=self.now,
            wall=1_700_000_000.0,
            recorder=Recorder(records, 4 * 1024 * 1024),
            name="fuzz",
        )
        self.proxy.resolve = self.resolve
        self.tm = cast(Tm, self.proxy.modules["tm"])
        #: The script calls.py sends what it is told, sense or not.
        self.strict = script != CALLS
        self.planned = False
        WATCH.install()
        if script:
            before = {name: sys.modules.get(name) for name in ("KSR", Path(script).stem)}
            load_script(str(script), self.proxy, self.ksr)
            for name, module in before.items():
                _restore(name, module)

    # -- what the proxy is connected to ---------------------------------------------------------------------------

    def transmit(self, data: bytes, dest: Dest) -> bool:
        self.count += 1
        self.sent.append((data, dest))
        if self.strict:
            try:
                error = parse_message(data).error
            except SipError as found:
                error = found
            if error is not None:
                WATCH.defects.append((f"what was sent cannot be parsed: {data[:3000]!r}", error))
        return not self.refuse

    def resolve(self, host: str, port: int, proto: str, done: Resolved) -> None:
        """Names with an ``n`` in their beginning do not exist, those with an ``l`` resolve later, others at once."""
        if len(self.resolving) < 100 and "l" in host[:8]:
            self.resolving.append((host, port, proto, done))
        else:
            self._answer(host, port, proto, done)

    @staticmethod
    def _answer(host: str, port: int, proto: str, done: Resolved) -> None:
        if "n" in host[:4]:
            done([])
        else:
            done([(proto or "udp", f"10.9.0.{len(host) % 250}", port or 5060), (proto or "tcp", "10.9.1.1", 5060)])

    # -- what happens to it ---------------------------------------------------------------------------------------

    def receive(self, data: bytes, port: int = 5080, proto: str = "udp", ip: str = "10.0.0.1") -> None:
        listen = self.listens[1] if proto == "tcp" else self.listens[2 if ":" in ip else 0]
        self.proxy.receive(
            data, Rcv(proto, ip, port, listen.host, listen.port, listen, 7 if proto == "tcp" else 0), self.now
        )
        self.check()

    def advance(self, seconds: float) -> None:
        """Time passes, timers run when they are due, and pending names resolve."""
        until = self.now + seconds
        proxy = self.proxy
        resolving, self.resolving = self.resolving, []
        for query in resolving:
            self._answer(*query)
        turns = 0
        while (at := proxy.next_timer()) is not None and at <= until:
            self.now = max(self.now, at)
            proxy.advance(self.now)
            turns += 1
            if turns > 50_000:
                raise Defect(f"timers do not come to rest: {turns} turns in {seconds} s")
        self.now = until
        proxy.advance(until)
        self.check()

    def check(self) -> None:
        WATCH.check(self.proxy.recorder)
        recorder = self.proxy.recorder
        # A hundredth more: records go in groups.
        if len(recorder) > recorder.max_count * 1.01 or recorder.bytes > recorder.max_bytes + 200_000:
            raise Defect(f"the recorder holds {len(recorder)} messages, {recorder.bytes} bytes")

    def settle(self) -> None:
        """After the longest life of a transaction nothing of one is left, and the recorder's sum is right."""
        self.advance(LIFETIME)
        self.advance(1.0)
        # Calls at random may suspend a transaction or set its timers: that is what they are for.
        left = self.transactions() if not self.planned else 0
        if left:
            engine = self.tm.engine
            kept = list({**engine.servers, **engine.clients}.values())[:3]
            shown = [(t, t.record.data) for t in kept]
            raise Defect(f"{left} entries of transactions live on after {LIFETIME} s: {shown} {engine.failed}")
        recorder = self.proxy.recorder
        held = sum(record.size for record in recorder)
        if held != recorder.bytes:
            raise Defect(f"the recorder counts {recorder.bytes} bytes and holds {held}")

    def transactions(self) -> int:
        """What tm still keeps."""
        engine = self.tm.engine
        return len(engine.servers) + len(engine.clients) + len(engine.acks) + len(engine.labels) + len(engine.failed)

    def close(self) -> None:
        for module in self.proxy.modules.values():
            module.stop()
        self.db.close()
        WATCH.remove()


def _restore(name: str, module: ModuleType | None) -> None:
    if module is None:
        sys.modules.pop(name, None)
    else:
        sys.modules[name] = module


# -- calls of KSR functions -------------------------------------------------------------------------------------------

TEXTS = (
    "", "x", "alice", "sip:bob@10.0.0.9:5070;transport=tcp", "sip:a@b:99999", "<sip:a@b>;q=0.5", "location",
    "$ru", "$fU",
    "$avp(s:a)", "$xavp(a[0]=>b)", "$(ct{nameaddr.uri})", "$(hdr(Via)[99]{s.substr,-1,5})", "$unknown", "$(",
    "Via", "via", "*",
    "Contact", "X-New", "X-New: 1\r\n", "no line end", "\r\n", "[a-z]+(", "^sip:(.*)@", "/a/b/g", "1", "-1",
    "0x1f", "0",
    "99999999999999999999", "udp:127.0.0.1:5060", "10.0.0.0/8", "ksr_failure", "no_such_route",
    "application/sdp", "v=0\r\n",
    "200", "486", "INVITE", "IABC", "s", "i", "a=>b", "a=b;c=d", ",,,", ";;", "ä€\udcff", "\0", "A" * 3000, "%",
    "{s.len}",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 5, 7, 31, 32, 100, 199, 200, 404, 486, 699, 700, 65535, 65536, 2**31, 2**63, -(2**40))
#: Not called at random: they end the process, sleep, touch files, ask others, let transactions live as told, let
#: callbacks call themselves. A name with a dot at its end stands for a module.
LEFT_OUT = frozenset(
    (
        "corex.file_read",
        "corex.file_write",
        "tm.t_set_fr",
        "tm.t_set_retr",
        "tm.t_set_max_lifetime",
        "tm.t_reset_max_lifetime",
        "route",
        "x.modf",
        "cfgutils.abort",
        "cfgutils.sleep",
        "cfgutils.usleep",
        "cfgutils.lock",
        "cfgutils.lock_key2",
        "async.task_data",
        "ipops.dns_query",
        "ipops.dns_sys_match_ip",
        "ipops.dns_int_match_ip",
        "ipops.naptr_query",
        "ipops.ptr_query",
        "ipops.srv_query",
        "http_async_client.",
        "http_client.",
        "ruxc.",
        "statsd.",
    )
)


def left_out(path: str) -> bool:
    """Whether the function (``sl.send_reply``) is not called at random."""
    return path in LEFT_OUT or path.partition(".")[0] + "." in LEFT_OUT


def set_plan(world: World, random: Random) -> None:
    """Let the script ``calls.py`` make some calls of any KSR functions in each callback of the next message."""
    decls = [decl for module in world.proxy.modules.values() for decl in module.exports.values()]
    world.planned = True
    plan = []
    for decl in random.sample(decls, random.randint(0, 6)):
        args = [random.choice(TEXTS if kind == "str" else NUMBERS) for kind in decl.params]
        path = decl.path.removeprefix("KSR.")
        if not left_out(path):
            plan.append((path, args))
    script = cast(PythonScript, world.proxy.script)
    script.module.__dict__["PLAN"][:] = plan
