"""Calls at a rate, 20 of them held, stepped for a second and released: nothing else may notice.

    python tests/bench/holds_live.py

Runs the same load without holds first. Prints setup times of the calls that were not held, how long a step took, and
ends with 1 when a call failed, a message was repeated or the others' setup time rose.
"""

import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from lab.database import make_database
from lab.embedded import EmbeddedServer
from lab.holding import HoldingResult, percentile, run
from lab.load import Load


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--rate", default=200.0, show_default=True, help="Calls a second.")
@click.option("--calls", default=3000, show_default=True, help="Calls of a run.")
@click.option("--holds", default=20, show_default=True, help="How many are held.")
@click.option("--seconds", default=1.0, show_default=True, help="How long each is stepped.")
@click.option("--transport", default="udp", type=click.Choice(["udp", "tcp"]), show_default=True)
def main(rate: float, calls: int, holds: int, seconds: float, transport: str) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=120)
    table = Table(title=f"{transport}: {calls} calls at {rate:g}/s, {holds} held for {seconds:g} s each")
    columns = ("run", "ok", "failed", "unexpected", "retrans.", "others p50 ms", "p99 ms", "max ms", "CPU us", "held")
    for column in columns:
        table.add_column(column, justify="left" if column == "run" else "right")
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="ksr-holds-") as folder:
        base = Path(folder)
        database = make_database(base / "kamailio.db", users=100)
        with EmbeddedServer(base / "server", database) as server:
            load = Load(server, base / "load", transport, users=100)
            load.register().check(100)
            load.call(400, rate, 900)  # warm
            plain = run(server, load, 0, calls=calls, rate=rate, holds=0, seconds=seconds)
            held = run(server, load, 1, calls=calls, rate=rate, holds=holds, seconds=seconds)
            for name, result in (("without", plain), ("with holds", held)):
                others = result.others(seconds)
                table.add_row(
                    name,
                    str(result.caller.ok),
                    str(result.caller.failed + result.callee.failed),
                    str(result.caller.unexpected + result.callee.unexpected),
                    str(_repeated(result)),
                    f"{percentile(others, 0.5):.1f}",
                    f"{percentile(others, 0.99):.1f}",
                    f"{others[-1] if others else 0:.1f}",
                    f"{result.cpu_us:.0f}",
                    str(len(result.held)),
                )
                problems += [f"{name}: {text}" for text in result.problems]
                if result.caller.ok != calls or result.caller.unexpected or result.callee.unexpected:
                    problems.append(f"{name}: {result.caller}\n{result.callee}")
                if _repeated(result):
                    problems.append(f"{name}: {_repeated(result)} messages repeated")
            if len(held.held) != holds:
                problems.append(f"{len(held.held)} were held instead of {holds}")
            orders = sorted(held.orders)
    console.print(table)
    middle, late = (percentile(orders, share) * 1000 for share in (0.5, 0.99))
    console.print(f"{len(orders)} steps: p50 {middle:.1f} ms, p99 {late:.1f} ms")
    for text in problems:
        console.print(text, highlight=False, markup=False)
    sys.exit(1 if problems else 0)


def _repeated(result: HoldingResult) -> int:
    return sum(end.retransmissions + end.repeated for end in (result.caller, result.callee))


if __name__ == "__main__":
    main()
