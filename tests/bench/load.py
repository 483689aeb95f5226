"""The acceptance run: 100 users register with digest, then 1,000 calls at 100 a second, over UDP and over TCP.

    python tests/bench/load.py

Prints failed calls, unexpected messages, retransmissions and the server's memory before and after; ends with 1 when a
call failed, a message was unexpected or one was repeated.
"""

import signal
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from lab.benchmark import SERVERS, loaded, problem
from lab.server import ServerFailed


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--server", "label", type=click.Choice(list(SERVERS)), default="embedded", show_default=True)
@click.option("--users", default=100, show_default=True, help="Subscribers that register.")
@click.option("--calls", default=1000, show_default=True, help="Calls of a run.")
@click.option("--rate", default=100.0, show_default=True, help="Calls a second.")
@click.option("--runs", default=2, show_default=True, help="Runs on one server: is its memory level?")
@click.option("--transport", "transports", multiple=True, type=click.Choice(["udp", "tcp"]), default=("udp", "tcp"))
def main(label: str, users: int, calls: int, rate: float, runs: int, transports: tuple[str, ...]) -> None:
    # A stopped benchmark, too, takes its servers and folders with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Rich takes 80 columns where there is no terminal, which cuts the server names.
    console = Console() if sys.stdout.isatty() else Console(width=120)
    table = Table(title=f"{label}: {users} registrations, then {calls} calls at {rate:g}/s")
    for column in ("run", "ok", "failed", "unexpected", "retrans.", "answer ms", "RSS before", "RSS after, MiB"):
        table.add_column(column, justify="left" if column == "run" else "right")
    problems = []
    try:
        for transport in transports:
            with loaded(label, users, transport) as (server, load):
                for run in range(1, runs + 1):
                    before = server.rss_kib()
                    result = load.call(calls, rate, run)
                    table.add_row(
                        f"{transport} {run}",
                        str(result.caller.ok),
                        str(result.failed),
                        str(result.unexpected),
                        str(result.retransmissions),
                        f"{result.caller.response_ms:.1f}",
                        f"{before / 1024:.1f}",
                        f"{server.rss_kib() / 1024:.1f}",
                    )
                    if result.retransmissions or problem(result) or result.caller.ok != calls:
                        problems.append(f"{transport} {run}: {problem(result) or 'not clean'}")
    except (ServerFailed, AssertionError) as error:
        raise click.ClickException(str(error)) from error
    console.print(table)
    for text in problems:
        console.print(text, highlight=False, markup=False)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
