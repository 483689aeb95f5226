"""What holds cost: CPU a call with none armed, with one whose filter does not match, with a logpoint that does.

    python tests/bench/holds.py

The same load in turns on one server, so that all are measured under the same conditions.
"""

import statistics
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

import ksrshell
from lab.benchmark import loaded, problem
from lab.embedded import EmbeddedServer

#: Name and what is armed, in the words of hold(). A call has one INVITE that relays.
ARMED: dict[str, dict[str, str]] = {
    "none armed": {},
    "armed, does not match": {"where": "ksr_route_relay", "if_": 'method == "INVITE" and rU == "nobody"'},
    "armed, another method": {"where": "ksr_route_relay", "if_": 'method == "PUBLISH"'},
    "logpoint, matches INVITEs": {
        "where": "ksr_route_relay",
        "if_": 'is_request and method == "INVITE"',
        "log": "{method} to {$ru}",
    },
}


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--calls", default=400, show_default=True, help="Calls of a round.")
@click.option("--rate", default=200.0, show_default=True, help="Calls a second.")
@click.option("--rounds", default=5, show_default=True, help="Rounds of each.")
def main(calls: int, rate: float, rounds: int) -> None:
    found: dict[str, list[float]] = {name: [] for name in ARMED}
    problems = []
    with loaded("embedded", 100, "udp") as (server, load):
        assert isinstance(server, EmbeddedServer)
        load.call(calls, rate, 0)
        number = 0
        for _ in range(rounds):
            for name, hold in ARMED.items():
                number += 1
                with ksrshell.connect(server.control) as session:
                    if hold:
                        session.call("ksr.hold.arm", {("if" if k == "if_" else k): v for k, v in hold.items()})
                    before = server.cpu_ns()
                    result = load.call(calls, rate, number)
                    # The transactions are freed five seconds after their call: the load of each round does it for
                    # the one before.
                    time.sleep(0.2)
                    found[name].append((server.cpu_ns() - before) / calls / 1000)
                if problem(result):
                    problems.append(f"{name}: {problem(result)}")
    base = statistics.median(found["none armed"])
    table = Table(title=f"CPU a call, {rounds} rounds of {calls} calls at {rate:g}/s")
    for column in ("", "median us", "least us", "more than none armed"):
        table.add_column(column, justify="left" if not column else "right")
    for name, values in found.items():
        median = statistics.median(values)
        table.add_row(name, f"{median:.0f}", f"{min(values):.0f}", f"{(median / base - 1) * 100:+.1f} %")
    (Console() if sys.stdout.isatty() else Console(width=100)).print(table)
    for text in problems:
        click.echo(text)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
