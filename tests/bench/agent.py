"""What the agent costs a Kamailio: with nobody attached, with somebody attached, and with a hold armed, beside none.

    make bench-agent
    python tests/bench/agent.py --rounds 6 --calls 4000 --rate 500

The stock script on a real Kamailio, in turn, a fresh server for every round, under the same SIPp load. CPU is what all
processes of the server used during the calls and until their transactions were freed, without the node, which is a
process beside it. The hold has a filter that no call meets. The nanoseconds are those of a callback that does nothing,
in this process: called directly, with the idle agent around it, and while a node is attached and told of each message.
"""

import signal
import statistics
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.calls import cpu_table
from lab.benchmark import Round, cpu_round
from lab.idle import per_call
from lab.server import ServerFailed

LABELS = ["kamailio", "kamailio-agent", "kamailio-attached", "kamailio-holding"]
MEANINGS = {
    "kamailio": "without the agent",
    "kamailio-agent": "with it, nobody attached",
    "kamailio-attached": "attached: every message and KSR call is captured",
    "kamailio-holding": "attached, and a hold is armed that no call meets",
}


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--rounds", default=6, show_default=True, help="Rounds for each server.")
@click.option("--calls", default=4000, show_default=True, help="Measured calls of a round.")
@click.option("--rate", default=500.0, show_default=True, help="Calls a second.")
@click.option("--users", default=100, show_default=True, help="Subscribers.")
@click.option("--callbacks", default=200_000, show_default=True, help="Callbacks that are timed in this process.")
def main(rounds: int, calls: int, rate: float, users: int, callbacks: int) -> None:
    # A stopped benchmark, too, takes its servers and folders with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console() if sys.stdout.isatty() else Console(width=120)
    table = Table(title="A callback that does nothing, nanoseconds (in this process)")
    table.add_column("how")
    table.add_column("median", justify="right")
    for label, nanoseconds in per_call(callbacks).items():
        table.add_row(label, f"{nanoseconds:.0f}")
    console.print(table)
    results: list[Round] = []
    try:
        for number in range(rounds):
            # The order is turned around each time: what warms up between two rounds is no one's advantage.
            for label in LABELS if number % 2 == 0 else LABELS[::-1]:
                results.append(
                    cpu_round(label, calls=calls, rate=rate, users=users, transport="udp", warmup=200, settle=6.0)
                )
    except (ServerFailed, AssertionError) as error:
        raise click.ClickException(str(error)) from error
    console.print(cpu_table(results, LABELS, LABELS[0]))
    base, *others = (statistics.median(r.cpu_us for r in results if r.server == label) for label in LABELS)
    for label, median in zip(LABELS[1:], others, strict=True):
        console.print(f"{label}, {MEANINGS[label]}: {median / base:.2f} times, {median - base:+.0f} us a call")
    console.print("A call is 6 messages and 13 to 14 callbacks; the difference of two rounds of one kind is noise.")
    for result in results:
        if result.problem:
            console.print(f"{result.server}: {result.problem}", highlight=False, markup=False)
    sys.exit(1 if any(result.problem for result in results) else 0)


if __name__ == "__main__":
    main()
