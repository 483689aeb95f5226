"""Swaps and rollbacks of a function of the stock script while calls run through it."""

import threading
import time
from dataclasses import dataclass, field

from ksrshell.errors import KsrShellError
from ksrshell.session import connect
from lab.embedded import EmbeddedServer
from lab.load import Load, LoadResult

FUNCTION = "ksr_route_relay"


@dataclass
class SwapRun:
    """What a run came to. ``seconds``: how long each swap and each rollback took, as its caller saw it.

    ``versions``: how many versions of the function the sampled calls were routed by; ``problems``: refused swaps.
    """

    load: LoadResult
    swaps: int
    rollbacks: int
    seconds: list[float] = field(default_factory=list)
    versions: int = 0
    problems: list[str] = field(default_factory=list)

    def percentile(self, part: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def swapped_load(
    server: EmbeddedServer, load: Load, calls: int, rate: float, swaps: int, *, pin: bool = False, sample: int = 200
) -> SwapRun:
    """``calls`` calls at ``rate`` a second; ``swaps`` swaps, each followed by a rollback, spread over them evenly."""
    done: list[float] = []
    problems: list[str] = []
    counts = [0, 0]
    ended = threading.Event()

    def swap_all() -> None:
        pause = calls / rate / (2 * swaps)
        with connect(server.control) as session:
            source = session.routes[FUNCTION].source
            head, line, body = source.partition("\n")
            indent = body[: len(body) - len(body.lstrip())]
            due = time.monotonic()
            for number in range(1, swaps + 1):
                new = f'{head}{line}{indent}KSR.hdr.append("X-Swap: {number}\\r\\n")\n{body}'
                for way in (lambda new=new: session.swap(new, pin=pin), session.rollback):
                    due += pause
                    if ended.wait(max(0.0, due - time.monotonic())):
                        return
                    started = time.perf_counter()
                    try:
                        way()
                    except KsrShellError as error:
                        problems.append(str(error))
                        return
                    done.append(time.perf_counter() - started)
                    counts[way is session.rollback or way.__name__ == "rollback"] += 1

    thread = threading.Thread(target=swap_all, name="swaps")
    thread.start()
    try:
        result = load.call(calls, rate, 1)
    finally:
        ended.set()
        thread.join(30)
    with connect(server.control) as session:
        invites = session.msgs.where('is_request and not out and method == "INVITE"')[-sample:]
        versions = {run.versions.get(FUNCTION, 1) for message in invites for run in message.runs}
    return SwapRun(result, counts[0], counts[1], done, len(versions), problems)
