"""The stock script on the embedded proxy and on a real Kamailio, side by side: CPU per call, time in each callback.

    python tests/bench/calls.py --rounds 5 --calls 6000 --rate 1000

The servers take turns, a fresh one for every round, under the same SIPp load: 100 subscribers registered once with
digest; calls INVITE, 100, 180, 200, ACK, BYE, 200 through the location table. CPU is what all threads of all the
server's processes used during the calls and until their transactions were freed. The times inside the callbacks come
from runs of their own, so that the stop-watch does not disturb the CPU figures.
"""

import signal
import statistics
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from lab.benchmark import SERVERS, Round, callback_times, cpu_round
from lab.server import ServerFailed


def cpu_table(rounds: list[Round], labels: list[str], reference: str) -> Table:
    table = Table(title="CPU per call, microseconds")
    columns = ("server", "median", "min", "max", "ratio", "failed", "unexpected", "retrans.", "answer ms", "RSS MiB")
    for column in columns:
        table.add_column(column, justify="left" if column == "server" else "right")
    medians = {label: statistics.median(r.cpu_us for r in rounds if r.server == label) for label in labels}
    for label in labels:
        own = [r for r in rounds if r.server == label]
        cpu = [r.cpu_us for r in own]
        ratio = f"{medians[label] / medians[reference]:.2f}" if reference in medians else "-"
        table.add_row(
            label,
            f"{medians[label]:.0f}",
            f"{min(cpu):.0f}",
            f"{max(cpu):.0f}",
            ratio,
            str(sum(r.failed for r in own)),
            str(sum(r.unexpected for r in own)),
            str(sum(r.retransmissions for r in own)),
            f"{statistics.median(r.answer_ms for r in own):.1f}",
            f"{statistics.median(r.rss_kib for r in own) / 1024:.0f}",
        )
    return table


def times_table(times: dict[str, dict[str, tuple[float, int]]]) -> Table:
    table = Table(title="Inside the callbacks, median microseconds (number)")
    table.add_column("callback")
    for label in times:
        table.add_column(label, justify="right")
    for name in sorted({name for row in times.values() for name in row}):
        cells = [f"{row[name][0]:.1f} ({row[name][1]})" if name in row else "-" for row in times.values()]
        table.add_row(name, *cells)
    return table


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--rounds", default=5, show_default=True, help="Rounds for each server.")
@click.option("--calls", default=6000, show_default=True, help="Measured calls of a round.")
@click.option("--rate", default=1000.0, show_default=True, help="Calls a second.")
@click.option("--users", default=100, show_default=True, help="Subscribers.")
@click.option("--warmup", default=200, show_default=True, help="Calls before the measured ones.")
@click.option("--settle", default=6.0, show_default=True, help="Seconds after the calls that still count.")
@click.option("--transport", type=click.Choice(["udp", "tcp"]), default="udp", show_default=True)
@click.option(
    "--server",
    "labels",
    multiple=True,
    type=click.Choice(list(SERVERS)),
    default=("embedded", "kamailio"),
    show_default=True,
    help="Repeatable; the servers to compare.",
)
@click.option("--reference", default="kamailio", show_default=True, help="The server whose median is ratio 1.")
@click.option("--times/--no-times", default=True, show_default=True, help="Measure inside the callbacks, too.")
def main(
    rounds: int,
    calls: int,
    rate: float,
    users: int,
    warmup: int,
    settle: float,
    transport: str,
    labels: tuple[str, ...],
    reference: str,
    times: bool,
) -> None:
    # A stopped benchmark, too, takes its servers and folders with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Rich takes 80 columns where there is no terminal, which cuts the server names.
    console = Console() if sys.stdout.isatty() else Console(width=120)
    done: list[Round] = []
    try:
        for number in range(1, rounds + 1):
            for label in labels:
                result = cpu_round(
                    label, calls=calls, rate=rate, users=users, transport=transport, warmup=warmup, settle=settle
                )
                done.append(result)
                console.print(
                    f"round {number} {label}: {result.cpu_us:.0f} us a call, {result.failed} failed, "
                    f"{result.retransmissions} retransmissions {result.problem}",
                    highlight=False,
                    markup=False,
                )
        console.print(cpu_table(done, list(labels), reference))
        if times:
            console.print(
                times_table(
                    {
                        # A native configuration has no Python callbacks.
                        label: callback_times(label, calls=calls, rate=rate, users=users, transport=transport)
                        for label in labels
                        if "native" not in label
                    }
                )
            )
    except ServerFailed as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
