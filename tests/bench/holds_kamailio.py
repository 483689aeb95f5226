"""What the agent and its holds cost a real Kamailio: CPU a message with nobody attached, attached, with holds armed.

    python tests/bench/holds_kamailio.py

OPTIONS that the script answers, one after the other, in turns on one server.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

import ksrshell
from lab.agentserver import AgentServer, Phone

SCRIPT = """
import KSR


class kamailio:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.pv.get("$rm") == "OPTIONS":
            return self.ksr_route_answer(msg)
        return 1

    def ksr_route_answer(self, msg):
        KSR.sl.send_reply(200, "OK")
        return 1

    def ksr_route_never(self, msg):
        return 1


def mod_init():
    return kamailio()

"""

#: Name and what is armed, in the words of hold(); None: nobody is attached.
ARMED: dict[str, dict[str, Any] | None] = {
    "nobody attached": None,
    "attached": {},
    "armed, does not match": {"where": "ksr_route_answer", "if_": 'method == "INVITE" and rU == "nobody"'},
    "armed, matches, place not reached": {"where": "ksr_route_never", "if_": 'method == "OPTIONS"'},
    "logpoint that matches": {"where": "ksr_route_answer", "if_": 'method == "OPTIONS"', "log": "{method} {$ru}"},
}


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--messages", default=2000, show_default=True, help="Messages of a round.")
@click.option("--rounds", default=5, show_default=True, help="Rounds of each.")
def main(messages: int, rounds: int) -> None:
    found: dict[str, list[float]] = {name: [] for name in ARMED}
    with tempfile.TemporaryDirectory() as folder, AgentServer(Path(folder) / "bench", SCRIPT, log_level=0) as server:
        for _ in range(rounds):
            for name, hold in ARMED.items():
                if hold is None:
                    found[name].append(_load(server, messages))
                    continue
                with server.node() as control, ksrshell.connect(control) as session:
                    if hold:
                        session.hold(**hold)
                    found[name].append(_load(server, messages))
    base = statistics.median(found["nobody attached"])
    table = Table("", "us CPU a message (median)", "more")
    for name, values in found.items():
        median = statistics.median(values)
        table.add_row(name, f"{median:.1f}", f"{median - base:+.1f}")
    Console().print(table)


def _load(server: AgentServer, messages: int) -> float:
    """CPU of the server in microseconds a message."""
    phone = Phone(server.address)
    _send(phone, 200)
    before = server.cpu_ns()
    _send(phone, messages)
    used = server.cpu_ns() - before
    phone.close()
    return used / messages / 1000


def _send(phone: Phone, messages: int) -> None:
    for n in range(messages):
        phone.send("OPTIONS", f"bench{n}")
        if not phone.get(5):
            raise click.ClickException("an OPTIONS was not answered")


if __name__ == "__main__":
    main()
