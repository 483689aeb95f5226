"""tcpdump on loopback, for the time of a test."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.child import die_with_parent
from lab.needs import need, no_skip


@contextmanager
def capturing(path: Path, expression: str, *, interface: str = "lo") -> Iterator[list[int]]:
    """Write what matches into ``path``, which is whole when the context ends. Skips where capturing is not allowed.

    The list gets how many packets a busy machine made tcpdump miss.
    """
    command = [
        need("tcpdump", package="tcpdump"),
        "-i",
        interface,
        "-s",
        "0",
        "--immediate-mode",
        "-U",
        "-Z",
        "root",
        "-w",
        str(path),
    ]
    process = subprocess.Popen(
        [*command, expression],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    while first and "listening on" not in first:
        if re.search("permi|not permitted|No such device", first):
            process.communicate()
            assert not no_skip(), first
            pytest.skip(f"tcpdump may not capture here: {first.strip()}")
        first = process.stderr.readline()
    missed: list[int] = []
    try:
        yield missed
        time.sleep(0.2)  # the kernel hands packets over a little later
    finally:
        process.terminate()
        _, told = process.communicate(timeout=10)
        missed += [int(count) for count in re.findall(r"(\d+) packets? dropped by", told)]
