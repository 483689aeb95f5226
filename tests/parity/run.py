"""Plays parity cases against Kamailio and the embedded core: ``python tests/parity/run.py [PATTERN ...] [-v]``."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for folder in ("tests", "core", "."):
    sys.path.insert(0, str(ROOT / folder))

from parity import suite, usage  # noqa: E402
from parity.casefile import CaseError, find, load  # noqa: E402


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show(result: suite.Result, verbose: bool) -> None:
    case = result.case
    if result.good and not verbose:
        return
    say(f"{case.name}: {result.status} ({result.seconds:.2f} s){' - ' + result.why if result.why else ''}")
    if result.status == suite.DIFFERENT:
        say(result.diff())
        if verbose:
            say("as lines of '== differs WHY':")
            say("\n".join(suite.differences(result.kamailio, result.embedded)))
    elif verbose:
        say("\n".join(result.kamailio))
    say()


def main() -> int:
    parser = argparse.ArgumentParser(description="Play parity cases against Kamailio and the embedded core.")
    parser.add_argument("pattern", nargs="*", help="part of a case's name (AREA/NAME), a glob, or a file")
    parser.add_argument("-v", "--verbose", action="store_true", help="what happened, also where both agree")
    parser.add_argument("-j", "--pairs", type=int, default=suite.PAIRS, help="pairs of servers at a time")
    parser.add_argument("--once", action="store_true", help="do not play again, alone, what differs")
    options = parser.parse_args()
    paths: list[Path] = []
    for pattern in options.pattern or [""]:
        file = Path(pattern)
        paths += [file.resolve()] if file.suffix == ".case" and file.exists() else find(pattern)
    cases, unreadable = [], 0
    for path in dict.fromkeys(paths):
        try:
            cases.append(load(path))
        except CaseError as error:
            say(str(error))
            unreadable += 1
    if not cases:
        say(f"no case matches {' '.join(options.pattern)!r}")
        return 2
    started = time.monotonic()
    results = suite.run(cases, options.pairs, lambda result: show(result, options.verbose), not options.once)
    say(suite.table(results))
    say(usage.figures())
    say(f"{time.monotonic() - started:.1f} s")
    if unreadable:
        return 2
    return int(any(not result.good for result in results))


if __name__ == "__main__":
    sys.exit(main())
