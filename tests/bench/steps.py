"""Latencies of the debugger under load: a step key to the new state, and a KSR call from the prompt.

    python tests/bench/steps.py

Calls flow at 100 a second through the stock script while a client steps through their INVITEs again and again, forwards
and backwards, looks into the past and calls KSR functions in a sandbox, each time waiting for the answer as the prompt
does. The times are the client's, from the request on the control socket to the decoded answer. Ends with 1 when a call
failed, a message was unexpected or one was repeated.
"""

import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from ksrshell.session import Session, connect
from lab.database import make_database
from lab.embedded import EmbeddedServer
from lab.load import Load, LoadResult
from lab.server import ServerFailed

WHERE = 'is_request and not out and method == "INVITE"'

Times = dict[str, list[float]]


def timed(times: Times, what: str, do: Callable[..., Any], *args: Any) -> Any:
    began = time.perf_counter()
    value = do(*args)
    times.setdefault(what, []).append(time.perf_counter() - began)
    return value


def walk(session: Session, times: Times, until: float) -> None:
    """Step through the newest INVITE, again and again, until the time (monotonic) has come."""
    while time.monotonic() < until:
        # One that is being answered now is as good as any: the sandbox has it as it came.
        invite = timed(times, "find", lambda: session.msgs.where(WHERE)[-1])
        step = timed(times, "step(m)", session.step, invite)
        try:
            for op in ("next", "into", "next_call"):
                for _ in range(8):
                    if step.done or time.monotonic() > until:
                        break
                    timed(times, op, getattr(step, op))
            timed(times, "finish", step.finish)
            for _ in range(8):
                timed(times, "back", step.back)
            timed(times, "pv in the past", step.pv, "$ru")
            timed(times, "pv there again", step.pv, "$du")
            timed(times, 'when("$du")', step.when, "$du")
        finally:
            timed(times, "close", step.close)
        timed(times, "trace(m)", session.trace, invite)
        timed(times, "use(m)", session.use, invite)
        for _ in range(50):
            timed(times, "KSR call", session.KSR.pv.get, "$ru")
        session.use(None)
        time.sleep(0.05)


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--rate", default=100.0, show_default=True, help="Calls a second in the background; 0: none.")
@click.option("--seconds", default=20.0, show_default=True, help="How long.")
@click.option("--users", default=100, show_default=True, help="Subscribers.")
def main(rate: float, seconds: float, users: int) -> None:
    # A stopped benchmark, too, takes its server and folder with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console() if sys.stdout.isatty() else Console(width=120)
    times: Times = {}
    results: list[LoadResult] = []
    try:
        with tempfile.TemporaryDirectory(prefix="ksr-steps-") as name:
            folder = Path(name)
            database = make_database(folder / "kamailio.db", users=users)
            with EmbeddedServer(folder / "server", database) as server:
                load = Load(server, folder / "load", "udp", users=users)
                load.register().check(users)
                load.call(10, 10.0, 1)
                calls = int(rate * seconds)
                background = threading.Thread(target=lambda: results.append(load.call(calls, rate, 2)))
                if calls:
                    background.start()
                    time.sleep(1.0)
                with connect(server.control) as session:
                    walk(session, times, time.monotonic() + seconds - 1.0)
                if calls:
                    background.join()
    except (ServerFailed, AssertionError) as error:
        raise click.ClickException(str(error)) from error
    keys = [each for op in ("next", "into", "next_call", "back") for each in times[op]]
    table = Table(title=f"Milliseconds at {rate:g} calls/s")
    for column in ("", "times", "p50", "p99", "max"):
        table.add_column(column, justify="right" if column else "left")
    for what, values in {"a step key": keys, **times}.items():
        figures = (statistics.median(values), percentile(values, 0.99), max(values))
        table.add_row(what, str(len(values)), *(f"{1000 * figure:.2f}" for figure in figures))
    console.print(table)
    if not results:
        return
    (result,) = results
    clean = result.caller.ok == calls and not (result.failed or result.unexpected or result.retransmissions)
    console.print(
        f"{result.caller.ok} calls ok, {result.failed} failed, {result.unexpected} unexpected, "
        f"{result.retransmissions} retransmissions, answered after {result.caller.response_ms:.1f} ms"
    )
    sys.exit(0 if clean else 1)


if __name__ == "__main__":
    main()
