"""``make fuzz``: a million inputs for the parser, the framer, the proxy, the filter language and the control channel.

With atheris installed (the extra ``fuzz``) the inputs are guided by coverage, one target after the other in processes
of their own; else they are seeded mutations of the corpus, and equal ``--seed`` give equal inputs. An input that breaks
a target is saved in tests/fuzz/corpus/TARGET; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

if __name__ == "__main__":
    _ROOT = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(_ROOT / "tests"), str(_ROOT / "core"), str(_ROOT)]

from click import echo

from fuzz.mutate import MAX_SIZE, Mutator
from fuzz.seeds import FOUND, seeds
from fuzz.talk import generate
from fuzz.targets import TARGETS, finish

#: RSS may grow by this share from 10 % to 100 % of a target's inputs: the bounded caches fill late.
LEVEL = 1.25
#: Seconds one input may take.
PATIENCE = 20
#: Fewer inputs than this say nothing about memory.
LEAST = 5000


def rss() -> float:
    """Resident memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def save(target: str, data: bytes) -> Path:
    folder = FOUND / target
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"found-{sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path


def report(target: str, data: bytes, error: BaseException) -> None:
    signal.alarm(0)
    path = save(target, data)
    echo(f"\n{target}: {type(error).__name__}: {str(error)[:1500]}")
    echo("".join(traceback.format_tb(error.__traceback__)[-4:]), nl=False)
    signal.alarm(PATIENCE)
    try:
        TARGETS[target][0](data)
        finish(target)
    except (Exception, Endless):
        alone = "it fails alone"
    else:
        alone = "alone it does not fail: what came before it matters, rerun with the same --seed and --target"
    echo(f"saved as {path} ({alone}); rerun: python tests/fuzz/run.py --file {path}")


class Endless(BaseException):
    """An input keeps its target busy. No Exception: the core's last resorts must not take it for one of theirs."""


def _endless(number: int, frame: FrameType | None) -> None:
    raise Endless(f"no end after {PATIENCE} s\n{''.join(traceback.format_stack(frame)[-6:])}")


class Budget:
    """Inputs and seconds that may be spent."""

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.until


def mutate(target: str, inputs: int, seed: int, budget: Budget) -> tuple[int, int, bool]:
    """Run seeded mutations; (inputs done, failures, memory level)."""
    function = TARGETS[target][0]
    mutator = Mutator(target, seeds(target), seed, generate if target == "talk" else None)
    marks = {max(inputs * share // 100, 1): share for share in (10, 50, 100)}
    memory: list[str] = []
    first = last = 0.0
    failures = done = 0
    seen: set[tuple[str, ...]] = set()
    started = time.perf_counter()
    slowest = 0.0
    handler = signal.signal(signal.SIGALRM, _endless)
    while done < inputs and not budget.over:
        data = mutator.next()
        before = time.perf_counter()
        signal.alarm(PATIENCE)
        try:
            function(data)
        except (Exception, Endless) as error:
            kind = (type(error).__name__, str(error)[:60])
            if kind not in seen and len(seen) < 20:
                seen.add(kind)
                report(target, data, error)
            failures += 1
        signal.alarm(0)
        slowest = max(slowest, time.perf_counter() - before)
        done += 1
        if done in marks:
            gc.collect()
            last = rss()
            first = first or last
            memory.append(f"{last:.0f}")
    signal.signal(signal.SIGALRM, handler)
    try:
        finish(target)
    except Exception as error:
        failures += 1
        echo(f"{target}: at the end: {type(error).__name__}: {str(error)[:1500]}")
    rate = done / (time.perf_counter() - started)
    level = done < max(inputs, LEAST) or last <= first * LEVEL
    echo(
        f"{target:9} {done:8,} inputs {rate:8,.0f}/s  slowest {slowest * 1000:5.0f} ms"
        f"  MiB at 10/50/100 %: {'/'.join(memory) or f'{rss():.0f}'}"
        f"{'' if level else '  NOT LEVEL'}{f'  {failures} FAILED' if failures else ''}"
    )
    sys.stdout.flush()
    return done, failures, level


def guided(target: str, inputs: int, seed: int, seconds: float) -> None:
    """One target under atheris, in this process, which libFuzzer ends."""
    atheris = import_module("atheris")

    function: Callable[[bytes], None] = TARGETS[target][0]

    def one(data: bytes) -> None:
        try:
            function(data)
        except Exception as error:
            report(target, data, error)
            raise

    corpus = FOUND / f".guided-{target}"
    corpus.mkdir(parents=True, exist_ok=True)
    for data in seeds(target):
        (corpus / sha256(data).hexdigest()[:16]).write_bytes(data)
    atheris.instrument_all()
    options = [
        f"-runs={inputs}",
        f"-seed={seed + 1}",
        f"-max_total_time={max(int(seconds), 1)}",
        f"-max_len={min(MAX_SIZE, 8192)}",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
        f"-artifact_prefix={corpus}/",
        str(corpus),
    ]
    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


def have_atheris() -> bool:
    return find_spec("atheris") is not None


def main(args: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of all targets together (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=sorted(TARGETS), help="only this one")
    parser.add_argument("--seconds", type=float, default=1800.0, help="stop after so long (default: %(default)s)")
    parser.add_argument("--file", type=Path, help="run one saved input; its folder names the target")
    parser.add_argument("--plain", action="store_true", help="seeded mutation even where atheris is installed")
    parser.add_argument("--guided", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(args)
    warnings.simplefilter("error")
    if given.file is not None:
        target = given.target or given.file.parent.name
        if target not in TARGETS:
            parser.error(f"{given.file} is in no target's folder: give --target")
        TARGETS[target][0](given.file.read_bytes())
        finish(target)
        echo(f"{given.file}: passes")
        return 0
    if given.guided:
        guided(given.target, given.inputs, given.seed, given.seconds)
        return 0
    names = [given.target] if given.target else list(TARGETS)
    shares = sum(TARGETS[name][1] for name in names)
    echo(f"fuzzing {', '.join(names)}: {given.inputs:,} inputs, seed {given.seed}, Python {sys.version.split()[0]}")
    budget = Budget(given.seconds)
    done = failed = 0
    level = True
    measured = given.plain or not have_atheris()
    for name in names:
        inputs = max(round(given.inputs * TARGETS[name][1] / shares), 1)
        if not measured:
            left = max(budget.until - time.monotonic(), 1.0)
            command = [sys.executable, __file__, "--guided", "--target", name, "--inputs", str(inputs)]
            result = subprocess.run([*command, "--seed", str(given.seed), "--seconds", str(left)], check=False)
            failed += result.returncode != 0
            done += inputs
            continue
        count, failures, flat = mutate(name, inputs, given.seed, budget)
        done += count
        failed += failures
        level = level and flat
    memory = f"memory {'level' if level else 'NOT level'}" if measured else "at most 1024 MiB each"
    echo(f"{done:,} inputs, {failed} failed, {memory}")
    if budget.over:
        echo(f"stopped after {given.seconds:.0f} s")
    return 1 if failed or not level else 0


if __name__ == "__main__":
    sys.exit(main())
