"""``make fuzz``: a million inputs for the parser, the framer, the proxy, the filter language and the control channel.

With atheris installed (the extra ``fuzz``) coverage guides the inputs, one target after the other in processes of their
own; else they are seeded mutations of the corpus, and equal ``--seed`` give equal inputs. An input that breaks a target
is saved in tests/fuzz/corpus/TARGET; the exit code is 1 then, and when memory grows.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import time
import traceback
import warnings
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

if __name__ == "__main__":
    _ROOT = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(_ROOT / "tests"), str(_ROOT / "core"), str(_ROOT)]

from click import echo

from fuzz.holds import Endless, level, patience, rss, shown
from fuzz.mutate import Mutator
from fuzz.seeds import FOUND, HERE, seeds
from fuzz.talk import generate
from fuzz.targets import TARGETS, finish


def save(target: str, data: bytes) -> Path:
    folder = FOUND / target
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"found-{sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path


def report(target: str, data: bytes, error: BaseException) -> None:
    path = save(target, data)
    echo(f"\n{target}: {type(error).__name__}: {str(error)[:1500]}")
    echo("".join(traceback.format_tb(error.__traceback__)[-4:]), nl=False)
    try:
        with patience():
            TARGETS[target][0](data)
            finish(target)
    except (Exception, Endless):
        alone = "it fails alone"
    else:
        alone = "alone it does not fail: what came before it matters, rerun with the same --seed and --target"
    echo(f"saved as {path} ({alone}); rerun: python tests/fuzz/run.py --file {path}")


class Budget:
    """Inputs and seconds that may be spent."""

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return max(self.until - time.monotonic(), 0.0)

    @property
    def over(self) -> bool:
        return not self.left


def line(target: str, done: int, seconds: float, slowest: float, memory: dict[int, float], flat: bool) -> None:
    echo(
        f"{target:9} {done:9,} inputs {seconds:6.0f} s {done / max(seconds, 1e-9):7,.0f}/s"
        f"  slowest {slowest * 1000:5.0f} ms  {shown(memory)}{'' if flat else '  NOT LEVEL'}"
    )
    sys.stdout.flush()


def mutate(target: str, inputs: int, seed: int, budget: Budget) -> tuple[int, int, bool]:
    """Run seeded mutations; (inputs done, failures, memory level)."""
    function = TARGETS[target][0]
    mutator = Mutator(target, seeds(target), seed, generate if target == "talk" else None)
    marks = {max(inputs * share // 100, 1): share for share in (10, 50, 100)}
    memory = {0: rss()}
    failures = done = 0
    seen: set[tuple[str, ...]] = set()
    started = time.perf_counter()
    slowest = 0.0
    while done < inputs and not budget.over:
        data = mutator.next()
        before = time.process_time()
        try:
            with patience():
                function(data)
        except (Exception, Endless) as error:
            kind = (type(error).__name__, str(error)[:60])
            if kind not in seen and len(seen) < 20:
                seen.add(kind)
                report(target, data, error)
            failures += 1
        slowest = max(slowest, time.process_time() - before)
        done += 1
        if done in marks:
            gc.collect()
            memory[marks[done]] = rss()
    try:
        finish(target)
    except Exception as error:
        failures += 1
        echo(f"{target}: at the end: {type(error).__name__}: {str(error)[:1500]}")
    flat = level(inputs, memory)
    line(target, done, time.perf_counter() - started, slowest, memory, flat)
    return done, failures, flat


def guided(target: str, inputs: int, seed: int, budget: Budget) -> tuple[int, int, bool]:
    """Run it under atheris in a process of its own, which ends at the first failure; as :func:`mutate`."""
    with TemporaryDirectory(prefix="ksr-fuzz-") as folder:
        command = [sys.executable, str(HERE / "guided.py"), target, folder, "--inputs", str(inputs)]
        command += ["--seed", str(seed), "--seconds", str(budget.left)]
        code = subprocess.run(command, check=False).returncode
        result = Path(folder) / "result"
        if not result.exists():
            echo(f"{target}: atheris did not start")
            return 0, 1, True
        got = json.loads(result.read_text())
    memory = {int(share): mib for share, mib in got["memory"].items()}
    flat = level(inputs, memory)
    line(target, got["inputs"], got["seconds"], got["slowest"], memory, flat)
    if code:
        echo(f"{target}: failed, see above; the input is {FOUND / target}/found-*: run it with --file")
    return got["inputs"], int(code != 0), flat


def main(args: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of all targets together (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=sorted(TARGETS), action="append", help="only this one (may be repeated)")
    parser.add_argument("--seconds", type=float, default=3600.0, help="stop after so long (default: %(default)s)")
    parser.add_argument("--file", type=Path, help="run one saved input; its folder names the target")
    parser.add_argument("--engine", choices=("atheris", "seeded"), help="default: atheris where it is installed")
    given = parser.parse_args(args)
    warnings.simplefilter("error")
    if given.file is not None:
        target = given.target[0] if given.target else given.file.parent.name
        if target not in TARGETS:
            parser.error(f"{given.file} is in no target's folder: give --target")
        with patience():
            TARGETS[target][0](given.file.read_bytes())
            finish(target)
        echo(f"{given.file}: passes")
        return 0
    installed = find_spec("atheris") is not None
    if given.engine == "atheris" and not installed:
        parser.error("atheris is not installed: pip install 'ksrshell[fuzz]', or --engine seeded")
    engine = given.engine or ("atheris" if installed else "seeded")
    names = given.target or list(TARGETS)
    shares = sum(TARGETS[name][1] for name in names)
    version = sys.version.split()[0]
    echo(f"fuzzing {', '.join(names)}: {given.inputs:,} inputs, {engine}, seed {given.seed}, Python {version}")
    budget = Budget(given.seconds)
    total = failed = 0
    steady = True
    for name in names:
        inputs = max(round(given.inputs * TARGETS[name][1] / shares), 1)
        run = guided if engine == "atheris" else mutate
        count, failures, flat = run(name, inputs, given.seed, budget)
        total += count
        failed += failures
        steady = steady and flat
    echo(f"{total:,} inputs, {failed} failed, memory {'level' if steady else 'NOT level'}")
    if budget.over:
        echo(f"stopped after {given.seconds:.0f} s")
    return 1 if failed or not steady else 0


if __name__ == "__main__":
    sys.exit(main())
