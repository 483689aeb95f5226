"""Plays cases against both servers and compares: groups by set-up, several at a time."""

from __future__ import annotations

import difflib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from ksrcore.kemi import MODULES
from parity.casefile import Case
from parity.play import Broken, Player
from parity.servers import Embedded, Kamailio, Target

#: Cases that one pair of servers plays, and pairs at a time.
CHUNK = 30
PAIRS = 4

EQUAL, EXPLAINED, DIFFERENT, BROKEN = "equal", "explained", "different", "broken"


@dataclass
class Result:
    """How a case came out. ``kamailio`` and ``embedded`` are the transcripts, ``why`` is for a person."""

    case: Case
    status: str
    kamailio: list[str] = field(default_factory=list)
    embedded: list[str] = field(default_factory=list)
    why: str = ""
    seconds: float = 0.0
    #: It came out well only when it was played a second time, alone: time matters in it more than it should.
    again: bool = False

    @property
    def good(self) -> bool:
        return self.status in (EQUAL, EXPLAINED)

    def diff(self) -> str:
        """What Kamailio did (-) and ours did (+), with what was around it."""
        lines = difflib.unified_diff(self.kamailio, self.embedded, "kamailio", "ksrshell", lineterm="", n=6)
        return "\n".join(lines)


def groups(cases: Iterable[Case], chunk: int = CHUNK) -> list[list[Case]]:
    """Cases that can share a pair of servers; the long groups first."""
    by_setup: dict[str, list[Case]] = {}
    for case in cases:
        by_setup.setdefault(case.setup.key, []).append(case)
    found = []
    for group in by_setup.values():
        parts = -(-len(group) // chunk)
        size = -(-len(group) // parts)
        found += [group[n : n + size] for n in range(0, len(group), size)]
    return sorted(found, key=len, reverse=True)


def run(
    cases: Iterable[Case], pairs: int = PAIRS, done: Callable[[Result], None] | None = None, replay: bool = True
) -> list[Result]:
    """Play all; ``done`` hears of each result. In the order of the cases' names.

    What differs is played once more on servers of its own, when nothing else runs (unless ``replay`` is False): a busy
    machine is late with timers.
    """
    results: list[Result] = []
    doubtful: list[Result] = []
    with ThreadPoolExecutor(pairs) as pool:
        futures: list[Future[list[Result]]] = [pool.submit(run_group, group) for group in groups(cases)]
        for future in as_completed(futures):
            for result in future.result():
                if result.good or not replay:
                    results.append(result)
                    if done is not None:
                        done(result)
                else:
                    doubtful.append(result)
    for first in doubtful:
        result = run_group([first.case])[0]
        result.again = result.good
        results.append(result)
        if done is not None:
            done(result)
    return sorted(results, key=lambda result: result.case.name)


def run_group(group: list[Case]) -> list[Result]:
    """Cases of one set-up, on a pair of servers of their own."""
    results: list[Result] = []
    left = list(group)
    while left:
        try:
            with tempfile.TemporaryDirectory(prefix="ksrparity-") as folder:
                for result in _on_a_pair(Path(folder), left):
                    results.append(result)
                    left = left[1:]
        except Exception as error:  # a server that does not start or stop: the case at hand is to blame
            if left:
                results.append(Result(left[0], BROKEN, why=f"{type(error).__name__}: {error}"))
                left = left[1:]
            elif results:
                results[-1].status, results[-1].why = BROKEN, f"{type(error).__name__}: {error}"
    return results


def _on_a_pair(folder: Path, cases: list[Case]) -> Iterator[Result]:
    """Results until one is broken: then the servers are not to be trusted any more."""
    targets: list[Target] = []
    players: list[Player] = []
    with ThreadPoolExecutor(2) as pool:
        try:
            for kind in (Kamailio, Embedded):
                targets.append(kind(folder / kind.kind, cases[0].setup))
            list(pool.map(lambda target: target.start(), targets))
            players = [Player(target) for target in targets]
            for case in cases:
                result = _play(pool, players, case)
                yield result
                if result.status == BROKEN and "nothing came" not in result.why:
                    return
        finally:
            for player in players:
                player.close()
            list(pool.map(lambda target: target.stop(), targets))


def _play(pool: ThreadPoolExecutor, players: list[Player], case: Case) -> Result:
    started = time.monotonic()
    futures = [pool.submit(player.play, case) for player in players]
    transcripts: list[list[str]] = []
    errors = []
    for player, future in zip(players, futures, strict=True):
        try:
            transcripts.append(future.result())
        except (Broken, OSError) as error:
            transcripts.append([])
            errors.append(f"{player.server.kind}: {type(error).__name__}: {error}\n{player.server.log[-3000:]}")
    seconds = time.monotonic() - started
    if errors:
        return Result(case, BROKEN, transcripts[0], transcripts[1], "\n".join(errors), seconds)
    return judge(case, transcripts[0], transcripts[1], seconds)


def judge(case: Case, kamailio: list[str], embedded: list[str], seconds: float = 0.0) -> Result:
    """Equal, or different exactly as the case says, or not."""
    embedded = [_none_is_zero(ours, theirs) for ours, theirs in _aligned(embedded, kamailio)]
    result = Result(case, EQUAL, kamailio, embedded, "", seconds)
    both = [line for line in kamailio if line in embedded and line.endswith((": nothing came]",))]
    cannot = [line for line in kamailio if line.startswith("  cannot: ") and line in embedded]
    standing = _explain(kamailio, embedded)
    unlike = differences(*standing[:2])
    told = [" ".join(line.split()) for _, lines in case.differs for line in lines]
    if both or cannot:
        result.status, result.why = BROKEN, f"on both sides: {(both + cannot)[0].strip()}"
    elif not unlike and not told:
        if standing[2]:
            result.status, result.why = EXPLAINED, "; ".join(sorted(standing[2]))
    elif Counter(unlike) == Counter(told):
        result.status = EXPLAINED
        result.why = "; ".join([*sorted(standing[2]), *(why for why, _ in case.differs)])
    else:
        result.status = DIFFERENT
        result.why = "the case says that they differ, they do not" if not unlike else ""
        if unlike and told:
            result.why = "not as the case says it: " + " | ".join(told)
    return result


def differences(kamailio: list[str], embedded: list[str]) -> list[str]:
    """The lines that only Kamailio has (``- ...``) and those only ours has (``+ ...``), as a case writes them."""
    lines = difflib.unified_diff(kamailio, embedded, lineterm="", n=0)
    return [
        f"{line[0]} {' '.join(line[1:].split())}".strip() for line in lines if not line.startswith(("---", "+++", "@@"))
    ]


#: Standing differences (docs/differences.md): how a line begins, how it
#: ends on Kamailio and here, why.
_STANDING = (
    ("", " = !SystemError", " = !TypeError", "wrong arguments"),
    ("KSR.pv.", " = None", " = !Exception", "unknown pseudo-variables"),
)

#: Where app_python3 raises this, we give a text in which such bytes are surrogates (os.fsdecode's way).
_UNDECODED = " = !UnicodeDecodeError"

#: Functions without a result: app_python3 gives 0 for them, we give None.
_VOID = {decl.path for module in MODULES for decl in module.exports.values() if decl.ret == "none"}


def _explain(kamailio: list[str], embedded: list[str]) -> tuple[list[str], list[str], set[str]]:
    """Both without their standing differences, and which these were."""
    whys = set()
    matcher = difflib.SequenceMatcher(None, kamailio, embedded, autojunk=False)
    embedded = list(embedded)
    for kind, first, end, ours, ours_end in matcher.get_opcodes():
        if kind != "replace" or end - first != ours_end - ours:
            continue
        for n in range(end - first):
            for begins, theirs_ends, ours_ends, why in _STANDING:
                line = kamailio[first + n]
                if not line.strip().startswith(begins):
                    continue
                if (
                    begins == ""
                    and line.endswith(_UNDECODED)
                    and embedded[ours + n].startswith(line.removesuffix(_UNDECODED) + " = '")
                ):
                    embedded[ours + n] = line
                    whys.add("bytes that are not UTF-8")
                elif line.endswith(theirs_ends) and embedded[ours + n] == line.removesuffix(theirs_ends) + ours_ends:
                    embedded[ours + n] = line
                    whys.add(why)
    return kamailio, embedded, whys


def _aligned(ours: list[str], theirs: list[str]) -> Iterator[tuple[str, str]]:
    known = set(theirs)
    for line in ours:
        text = line.removesuffix(" = None")
        yield line, f"{text} = 0" if f"{text} = 0" in known else ""


def _none_is_zero(ours: str, theirs: str) -> str:
    if theirs and ours.endswith(" = None") and ours.strip().partition("(")[0] in _VOID:
        return theirs
    return ours


def table(results: list[Result]) -> str:
    """A line for each area: cases, equal, explained, different."""
    areas: dict[str, Counter[str]] = {}
    for result in results:
        areas.setdefault(result.case.area, Counter())[result.status] += 1
    total: Counter[str] = sum(areas.values(), Counter())
    width = max([len(area) for area in areas] + [5])
    lines = [f"{'area':<{width}}  cases  equal  explained  different"]
    for area, counts in [*sorted(areas.items()), ("total", total)]:
        bad = counts[DIFFERENT] + counts[BROKEN]
        lines.append(
            f"{area:<{width}}  {sum(counts.values()):>5}  {counts[EQUAL]:>5}  {counts[EXPLAINED]:>9}  {bad:>9}"
        )
    again = [result.case.name for result in results if result.again]
    if again:
        lines.append(f"only when played again: {', '.join(again)}")
    return "\n".join(lines)
