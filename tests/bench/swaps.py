"""Swaps under load: calls at 200 a second while a function of the stock script is swapped and rolled back 200 times.

    python tests/bench/swaps.py

Prints failed calls, unexpected messages, retransmissions and how long a swap takes; ends with 1 when a call failed, a
message was unexpected or repeated, or a swap was refused.
"""

import signal
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from lab.database import make_database
from lab.embedded import EmbeddedServer
from lab.load import Load
from lab.server import ServerFailed
from lab.swaps import swapped_load


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--rate", default=200.0, show_default=True, help="Calls a second.")
@click.option("--seconds", default=20.0, show_default=True, help="How long calls are made.")
@click.option("--swaps", default=200, show_default=True, help="Swaps; each is rolled back.")
@click.option("--users", default=100, show_default=True, help="Subscribers.")
@click.option("--pin", is_flag=True, help="Transactions end on the version they began with.")
@click.option("--transport", type=click.Choice(["udp", "tcp"]), default="udp", show_default=True)
def main(rate: float, seconds: float, swaps: int, users: int, pin: bool, transport: str) -> None:
    # A stopped benchmark, too, takes its server and folder with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console() if sys.stdout.isatty() else Console(width=120)
    calls = int(rate * seconds)
    try:
        with tempfile.TemporaryDirectory(prefix="ksr-swaps-") as name:
            folder = Path(name)
            database = make_database(folder / "kamailio.db", users=users)
            with EmbeddedServer(folder / "server", database) as server:
                load = Load(server, folder / "load", transport, users=users)
                load.register().check(users)
                run = swapped_load(server, load, calls, rate, swaps, pin=pin)
    except (ServerFailed, AssertionError) as error:
        raise click.ClickException(str(error)) from error
    result = run.load
    table = Table(title=f"{calls} calls at {rate:g}/s, {run.swaps} swaps and {run.rollbacks} rollbacks")
    columns = ("ok", "failed", "unexpected", "retrans.", "answer ms", "swap p50 ms", "p99 ms", "max ms", "versions")
    for column in columns:
        table.add_column(column, justify="right")
    table.add_row(
        str(result.caller.ok),
        str(result.failed),
        str(result.unexpected),
        str(result.retransmissions),
        f"{result.caller.response_ms:.1f}",
        *(f"{run.percentile(part) * 1000:.1f}" for part in (0.5, 0.99, 1.0)),
        str(run.versions),
    )
    console.print(table)
    for text in run.problems:
        console.print(text, highlight=False, markup=False)
    clean = result.caller.ok == calls and not (result.failed or result.unexpected or result.retransmissions)
    done = run.swaps == run.rollbacks == swaps and not run.problems
    sys.exit(0 if clean and done else 1)


if __name__ == "__main__":
    main()
