"""One target under atheris, in a process of its own, which libFuzzer ends. tests/fuzz/run.py starts it.

The core is instrumented as it is imported, so every branch of it guides the mutations. ``FOLDER/result`` gets as JSON
what was done: inputs, seconds, the CPU seconds of the slowest, and MiB of RSS by per cent of the inputs. Whoever gave
the folder removes it.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
import traceback
import warnings
from contextlib import redirect_stderr
from hashlib import sha256
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    _ROOT = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(_ROOT / "tests"), str(_ROOT / "core"), str(_ROOT)]

from fuzz.holds import PATIENCE, rss

#: MiB that end the process, and bytes an input may have.
RSS_LIMIT = 1024
LARGEST = 8192


class Counted:
    """A target that counts its inputs and notes the memory at some of them."""

    def __init__(self, function: Any, inputs: int, result: Path) -> None:
        self.function = function
        self.result = result
        self.done = 0
        self.marks = {1: 0} | {max(inputs * share // 100, 1): share for share in (10, 50, 100)}
        self.memory: dict[int, float] = {}
        self.slowest = 0.0
        self.started = self.last = time.perf_counter()

    def __call__(self, data: bytes) -> None:
        self.done += 1
        before = time.process_time()
        try:
            self.function(data)
        except Exception as error:
            self.note()
            sys.stderr.write(f"\n{type(error).__name__}: {str(error)[:1500]}\n")
            sys.stderr.write("".join(traceback.format_tb(error.__traceback__)[-4:]))
            raise
        self.slowest = max(self.slowest, time.process_time() - before)
        self.last = time.perf_counter()
        if self.done in self.marks:
            gc.collect()
            self.memory[self.marks[self.done]] = rss()
            self.note()
        elif not self.done % 1000:
            self.note()

    def note(self) -> None:
        """libFuzzer ends the process from C: what there is to say is said while it runs."""
        text = {
            "inputs": self.done,
            "seconds": self.last - self.started,
            "slowest": self.slowest,
            "memory": self.memory,
            "rss": rss(),
        }
        self.result.write_text(json.dumps(text))


def dictionary(tokens: tuple[bytes, ...]) -> str:
    """libFuzzer's form of a dictionary."""
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n' for token in tokens if token)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--inputs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    given = parser.parse_args()
    warnings.simplefilter("error")
    atheris: Any = import_module("atheris")
    # A line for every module it instruments is no news.
    quiet = redirect_stderr(StringIO())
    with quiet, atheris.instrument_imports(include=["ksrcore"], enable_loader_override=False):
        from fuzz.mutate import tokens
        from fuzz.seeds import FOUND, seeds
        from fuzz.targets import TARGETS
    found = FOUND / given.target
    found.mkdir(parents=True, exist_ok=True)
    corpus = given.folder / "corpus"
    corpus.mkdir()
    for data in seeds(given.target):
        (corpus / sha256(data).hexdigest()[:16]).write_bytes(data)
    words = given.folder / "words"
    words.write_text(dictionary(tokens(given.target)))
    options = [
        f"-runs={given.inputs}",
        f"-seed={given.seed + 1}",
        f"-max_total_time={max(int(given.seconds), 1)}",
        f"-max_len={LARGEST}",
        f"-timeout={PATIENCE}",
        f"-rss_limit_mb={RSS_LIMIT}",
        f"-dict={words}",
        f"-artifact_prefix={found}/found-",
        "-verbosity=0",
        str(corpus),
    ]
    counted = Counted(TARGETS[given.target][0], given.inputs, given.folder / "result")
    atheris.Setup([sys.argv[0], *options], counted)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
