"""Case files: the text that people write (docs/parity.md), read into what the player needs."""

from __future__ import annotations

import re
import shlex
import textwrap
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
CASES = FOLDER / "cases"
INCLUDE = FOLDER / "include"
STOCK = Path("/usr/share/doc/kamailio/examples/kemi/kamailio-basic-kemi-python.py")

#: Who takes part without being declared.
PARTIES = {
    name: f"127.0.0.{number}:5060"
    for number, name in enumerate(
        ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "proxy", "registrar", "gateway"), 11
    )
}

_MODPARAM = re.compile(r'modparam\(\s*"([\w|]+)"\s*,\s*"(\w+)"\s*,\s*(?:"((?:[^"\\]|\\.)*)"|(-?\d+))\s*\)$')
_LOADMODULE = re.compile(r'loadmodule\s+"(\w+)(?:\.so)?"$')
_SETTING = re.compile(r"(\w+)\s*=\s*(.+)$")
_WORD = re.compile(r"(\w+)(?:\s+(.+))?$")


class CaseError(Exception):
    """A case file cannot be read: names the file and the line, and what was expected there."""


@dataclass(frozen=True)
class Setup:
    """What a server needs to know at its start: cases with an equal one share a server."""

    modparams: tuple[tuple[str, str, int | str], ...] = ()
    modules: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    listens: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    sql: str = ""
    files: tuple[tuple[str, str], ...] = ()
    ngs: tuple[str, ...] = ()
    alone: str = ""
    #: A whole kamailio.cfg, and what ``-A`` defines.
    cfg: str = ""
    defines: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return repr(self)


@dataclass
class Step:
    """A line of the conversation: ``verb`` is one of send wait-for wait rpc close forget."""

    line: int
    text: str
    verb: str
    party: str = ""
    what: str = ""
    block: str = ""
    args: list[Any] = field(default_factory=list)


@dataclass
class Case:
    """One case file."""

    name: str
    about: str
    setup: Setup
    script: str
    evals: dict[int, list[str]]
    steps: list[Step]
    parties: dict[str, str]
    transports: dict[str, str]
    messages: dict[str, str]
    differs: list[tuple[str, list[str]]]
    ignore: list[str]
    keep_retransmissions: bool
    ng: dict[str, dict[str, list[str]]]

    @property
    def area(self) -> str:
        return self.name.partition("/")[0]

    @property
    def id(self) -> str:
        """What ``{id}`` stands for: eight characters that no other case has."""
        return f"{zlib.crc32(self.name.encode()):08x}"


def load(path: Path, root: Path = CASES) -> Case:
    """Read a case. Raises :class:`CaseError`."""
    name = str(path.relative_to(root).with_suffix("")) if path.is_relative_to(root) else path.stem
    return parse(path.read_text(), name, str(path))


def parse(text: str, name: str, where: str = "") -> Case:
    """A case from its text. Raises :class:`CaseError`."""
    return _Reader(name, where or name).read(text)


class _Reader:
    def __init__(self, name: str, where: str) -> None:
        self.name = name
        self.where = where
        self.about: list[str] = []
        self.modparams: list[tuple[str, str, int | str]] = []
        self.modules: list[str] = []
        self.settings: list[tuple[str, str]] = []
        self.listens: list[str] = []
        self.aliases: list[str] = []
        self.sql = ""
        self.files: list[tuple[str, str]] = []
        self.alone = ""
        self.script = ""
        self.evals: list[tuple[str, list[str]]] = []
        self.messages: dict[str, str] = {}
        self.latest = ""
        self.play: list[tuple[int, str]] = []
        self.parties = dict(PARTIES)
        self.transports: dict[str, str] = {}
        self.differs: list[tuple[str, list[str]]] = []
        self.ignore: list[str] = []
        self.keep = False
        self.cfg = ""
        self.defines: list[str] = []
        self.ngs: list[str] = []
        self.ng: dict[str, dict[str, list[str]]] = {}

    def fail(self, line: int, text: str) -> CaseError:
        return CaseError(f"{self.where}:{line}: {text}")

    def read(self, text: str) -> Case:
        self._take(text.splitlines(), top=True)
        steps, evals = self._steps()
        for step in steps:
            if step.party and step.party not in self.parties and (step.party, step.verb) != ("script", "wait-for"):
                raise self.fail(step.line, f"no party {step.party!r}; add: party {step.party} 127.0.0.30:5060")
        setup = Setup(
            tuple(self.modparams),
            tuple(self.modules),
            tuple(self.settings),
            tuple(self.listens),
            tuple(self.aliases),
            self.sql,
            tuple(self.files),
            tuple(self.ngs),
            self.alone,
            self.cfg,
            tuple(self.defines),
        )
        if self.cfg and (self.modparams or self.modules or self.settings or self.aliases):
            raise self.fail(1, "with '== cfg' modparam, loadmodule, alias= and NAME=VALUE belong in there")
        if not self.script and not evals:
            raise self.fail(1, "neither '== script' nor '== eval': nothing would run")
        return Case(
            self.name,
            " ".join(self.about),
            setup,
            self.script,
            evals,
            steps,
            self.parties,
            self.transports,
            self.messages,
            self.differs,
            self.ignore,
            self.keep,
            self.ng,
        )

    def _take(self, lines: list[str], top: bool) -> None:
        """Directives up to the first ``==``, then the sections."""
        at = 0
        for at, line in enumerate(lines, 1):
            if line.startswith("=="):
                at -= 1
                break
            if top and line.startswith("#"):
                self.about.append(line.lstrip("# "))
            elif line.strip() and not line.startswith("#"):
                self._directive(at, line.strip())
        heads = [n for n, line in enumerate(lines) if n >= at and line.startswith("==")]
        for head, end in zip(heads, [*heads[1:], len(lines)], strict=False):
            body = lines[head + 1 : end]
            while body and not body[-1].strip():
                body.pop()
            self._section(head + 1, lines[head][2:].strip(), body)

    def _directive(self, at: int, line: str) -> None:
        if found := _MODPARAM.match(line):
            modules, name, text, number = found.groups()
            value: int | str = int(number) if number is not None else text.replace('\\"', '"').replace("\\\\", "\\")
            self.modparams += [(module, name, value) for module in modules.split("|")]
        elif found := _LOADMODULE.match(line):
            self.modules.append(found[1])
        elif found := _SETTING.match(line):
            name, text = found.groups()
            if name == "listen":
                self.listens.append(text)
            elif name == "alias":
                self.aliases.append(text.strip('"'))
            else:
                self.settings.append((name, text))
        elif found := _WORD.match(line):
            self._word(at, found[1], found[2] or "")
        else:
            raise self.fail(at, f"not a set-up line: {line!r}")

    def _word(self, at: int, word: str, rest: str) -> None:
        if word == "include":
            path = INCLUDE / f"{rest}.inc"
            if not path.exists():
                raise self.fail(at, f"there is no {path}")
            self._take(path.read_text().splitlines(), top=False)
        elif word == "alone":
            self.alone = self.name
        elif word == "retransmissions":
            self.keep = True
        elif word == "ignore":
            re.compile(rest)
            self.ignore.append(rest)
        elif word == "define":
            self.defines.append(rest)
        elif word == "ng":
            self.ngs += rest.split()
        elif word == "party":
            words = rest.split()
            if not words:
                raise self.fail(at, "expected: party NAME [IP:PORT] [udp|tcp|ws]")
            for word in words[1:]:
                if word in ("udp", "tcp", "ws"):
                    self.transports[words[0]] = word
                else:
                    self.parties[words[0]] = word if ":" in word else f"{word}:5060"
        else:
            known = "modparam loadmodule listen= alias= NAME=VALUE include party ng define ignore alone retransmissions"
            raise self.fail(at, f"unknown set-up word {word!r}; known: {known}")

    def _section(self, at: int, title: str, body: list[str]) -> None:
        kind, _, rest = title.partition(" ")
        rest = rest.strip()
        text = "\n".join(body) + "\n"
        if kind == "script":
            if rest == "stock":
                text = STOCK.read_text() + text
            self.script += text
        elif kind == "eval":
            self.evals.append((self.latest, body))
        elif kind == "message":
            name = message_name(rest) or str(len(self.messages) + 1)
            options = rest[len(message_name(rest)) :] if rest else ""
            self.latest = f"{name} {options.strip()}".strip()
            self.messages[name] = "\n".join(body)
        elif kind == "play":
            self.play += list(enumerate(body, at + 1))
        elif kind == "sql":
            self.sql += text
        elif kind == "cfg":
            self.cfg += text
        elif kind == "file":
            self.files.append((rest, text))
        elif kind == "ng":
            self._ng(at, rest, body)
        elif kind == "differs":
            if not rest:
                raise self.fail(at, "expected: == differs WHY")
            self.differs.append((rest, [line for line in body if line.strip()]))
        else:
            raise self.fail(at, f"unknown section {kind!r}; known: script eval message play sql file cfg ng differs")

    def _ng(self, at: int, address: str, body: list[str]) -> None:
        if (address or not self.ngs) and address not in self.ngs:
            raise self.fail(at, f"no such rtpengine: {address!r}; add: ng 127.0.0.30:2223")
        answers = self.ng.setdefault(address or self.ngs[0], {})
        for n, line in enumerate(body, at + 1):
            command, _, answer = line.strip().partition(": ")
            if line.strip() and not line.startswith("#"):
                if not answer:
                    raise self.fail(n, f"expected COMMAND: ANSWER, got {line!r}")
                answers.setdefault(command, []).append(answer)

    def _steps(self) -> tuple[list[Step], dict[int, list[str]]]:
        steps: list[Step] = []
        evals: dict[int, list[str]] = {}
        lines = self.play
        n = 0
        while n < len(lines):
            at, line = lines[n]
            n += 1
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith((" ", "\t")):
                raise self.fail(at, "an indented line belongs to the line above it, and there is none")
            block = []
            while n < len(lines) and (not lines[n][1].strip() or lines[n][1].startswith((" ", "\t"))):
                block.append(lines[n][1])
                n += 1
            while block and not block[-1].strip():
                block.pop()
            steps.append(self._step(at, line.strip(), textwrap.dedent("\n".join(block))))
        kept = [
            (name, [line for line in body if line.strip() and not line.startswith("#")]) for name, body in self.evals
        ]
        if steps:
            if kept:  # one list for the whole conversation
                whole = [line for _, body in kept for line in body]
                evals = {number: whole for number in range(len(steps))}
        else:
            for name, body in kept:
                what = f"message {name}" if name else "INVITE sip:bob@example.com"
                steps.append(Step(0, f"alice > {what}", "send", "alice", what))
                evals[len(steps) - 1] = body
        return steps, evals

    def _step(self, at: int, line: str, block: str) -> Step:
        words = line.split(None, 2)
        if len(words) == 3 and words[1] in ("<", ">"):
            verb = "send" if words[1] == ">" else "wait-for"
            step = Step(at, line, verb, words[0], words[2], block)
            if verb == "send" and words[2].startswith("message ") and message_name(words[2]) not in self.messages:
                raise self.fail(at, f"no section '== {words[2]}'")
            return step
        if words[0] == "wait" and len(words) == 2:
            return Step(at, line, "wait", args=[float(words[1])])
        if words[0] == "rpc" and len(words) > 1:
            return Step(at, line, "rpc", what=words[1], args=_rpc_args(words[2] if len(words) > 2 else ""))
        if words[0] == "close" and len(words) == 2:
            return Step(at, line, "close", party=words[1])
        if words == ["forget"]:
            return Step(at, line, "forget")
        raise self.fail(at, f"not a step: {line!r}; expected 'alice > ...', 'bob < ...', wait, rpc, forget or close")


def message_name(text: str) -> str:
    """The name in ``message NAME over tcp to 127.0.0.2:5060``, or in what follows its first word."""
    return re.split(r"(?:^| )(?:over (?:tcp|udp|ws)|to \d+\.)", text.removeprefix("message "))[0].strip()


def _rpc_args(text: str) -> list[Any]:
    """As kamcmd reads them: words, numbers are integers, ``s:5`` is a text; or a list in JSON."""
    import json

    if text.startswith("["):
        found: list[Any] = json.loads(text)
        return found
    return [int(word) if re.fullmatch(r"-?\d+", word) else word.removeprefix("s:") for word in shlex.split(text)]


def find(pattern: str = "") -> list[Path]:
    """The case files whose path below ``cases`` contains ``pattern`` (a text, or a glob such as ``tm/*cancel*``)."""
    found = []
    for path in sorted(CASES.rglob("*.case")):
        name = str(path.relative_to(CASES).with_suffix(""))
        if not pattern or pattern in name or path.match(pattern) or Path(name).match(pattern):
            found.append(path)
    return found
