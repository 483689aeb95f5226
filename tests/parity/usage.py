"""How much of what published KEMI scripts use works here: usage.txt against our declarations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ksrcore.kemi import MODULES
from ksrcore.kemi.known import known
from ksrcore.pv import registry
from ksrcore.pv.errors import PvError
from ksrcore.pv.spec import parse_spec
from ksrcore.pv.transformations.registry import known as known_transformations

USAGE = Path(__file__).parent / "usage.txt"


@dataclass(frozen=True)
class Used:
    """A name of KEMI scripts, in how many sources it was found, and how often."""

    name: str
    sources: int
    times: int

    @property
    def is_function(self) -> bool:
        return self.name.startswith("KSR.")

    @property
    def works(self) -> bool:
        if self.is_function:
            return self.name in implemented()
        return works(self.name)


def used() -> list[Used]:
    rows = [line.split() for line in USAGE.read_text().splitlines() if not line.startswith("#")]
    return [Used(name, int(sources), int(times)) for sources, _, times, name in rows]


def implemented() -> set[str]:
    """The KEMI functions that are declared in our modules."""
    return {decl.path for module in MODULES for decl in module.exports.values()}


def works(name: str) -> bool:
    """Whether we have the pseudo-variable ``$ru``, ``$hdr()``, or the transformation ``{uri.user}``."""
    if name.startswith("{"):
        return name.strip("{}") in known_transformations()
    try:
        return registry.builder(parse_spec(name.replace("()", "(x)")).name) is not None
    except PvError:
        return False


def figures() -> str:
    """KEMI functions by status, and the share of what scripts use that works."""
    have = implemented()
    others = {decl.path for decl in known()} - have
    lines = [f"KEMI functions: {len(have)} implemented, {len(others)} known"]
    for what, names in (
        ("functions", [u for u in used() if u.is_function]),
        ("functions of two sources or more", [u for u in used() if u.is_function and u.sources > 1]),
        ("pseudo-variables and transformations", [u for u in used() if not u.is_function]),
    ):
        counts: Counter[bool] = Counter()
        times: Counter[bool] = Counter()
        for each in names:
            counts[each.works] += 1
            times[each.works] += each.times
        total, calls = len(names), sum(times.values())
        lines.append(
            f"used {what}: {counts[True]} of {total} ({100 * counts[True] / total:.0f} %), "
            f"{times[True]} of {calls} occurrences ({100 * times[True] / calls:.1f} %)"
        )
    return "\n".join(lines)


def missing() -> list[Used]:
    """What is used and does not work, the most used first."""
    return sorted((u for u in used() if not u.works), key=lambda u: (-u.sources, -u.times, u.name))
