"""The ``demo`` command."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from ..agent import AgentError, Traffic, UserAgent
from ..child import ChildProxy, end_on_signals
from ..errors import KsrShellError

DOMAIN = "demo.example"
#: Subscribers of the demo: name and password.
USERS = {"alice": "wonderland", "bob": "builder"}
SCRIPT = Path(__file__).with_name("routing.py")


@click.command()
@click.option("-c", "code", metavar="CODE", help="Run CODE as at the prompt, print what it would print, and end.")
@click.option("--json", "as_json", is_flag=True, help="With -c: print the last expression's value as JSON.")
def demo(code: str | None, as_json: bool) -> None:
    """A proxy on a bundled script, two phones that call each other, and the shell on it.

    Everything is on this machine and in a folder of its own that is removed at the end. Without a terminal the calls
    are routed, the ladder of one is printed, and the command ends.

    \b
    Examples:
      ksrshell demo
      ksrshell demo -c 'use(1); KSR.pv.get("$ru")'
    """
    end_on_signals()
    try:
        with playground() as (proxy, traffic):
            if code is None and not (sys.stdin.isatty() and sys.stdout.isatty()):
                status = _show(proxy)
            else:
                from ..attach import open_shell

                with ExitStack() as stack:
                    if code is None:
                        traffic.start()
                        stack.enter_context(attachable(Path(proxy.control)))
                    status = open_shell(str(proxy.control), code=code, as_json=as_json, ended=proxy.ended)
    except (KsrShellError, AgentError) as error:
        raise click.ClickException(str(error)) from None
    sys.exit(status)


@contextmanager
def playground() -> Iterator[tuple[ChildProxy, Traffic]]:
    """A proxy with the demo's subscribers, both registered, two calls made. Removed without a trace at the end."""
    from ksrcore.store import Database, Subscribers

    folder = Path(tempfile.mkdtemp(prefix="ksrshell-demo-"))
    try:
        db = f"sqlite:///{folder / 'demo.db'}"
        with Database.open(db) as database:
            for user, password in USERS.items():
                Subscribers(database).add(user, DOMAIN, password)
        port = free_port()
        arguments = [
            str(SCRIPT), "--listen", f"udp:127.0.0.1:{port}", "--listen", f"tcp:127.0.0.1:{port}", "--alias", DOMAIN,
            "--db", db, "--name", "demo", "--control", str(folder / "demo.sock"),
        ]  # fmt: skip
        with ChildProxy(arguments, folder / "demo.log") as proxy:
            agents = [UserAgent(user, password, DOMAIN, ("127.0.0.1", port)) for user, password in USERS.items()]
            traffic = Traffic(agents)
            try:
                _first_calls(traffic)
                yield proxy, traffic
            finally:
                traffic.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def attachable(control: Path) -> Iterator[None]:
    """While somebody is at the demo's prompt, ``ksrshell attach demo`` opens a second one."""
    from ..proxies import publish

    link = publish(control, "demo")
    try:
        yield
    finally:
        if link is not None:
            link.unlink(missing_ok=True)


def _first_calls(traffic: Traffic) -> None:
    for agent in traffic.agents:
        status = agent.register()
        if status != 200:
            raise AgentError(f"{agent.user} could not register: the proxy answered {status}")
    for _ in traffic.agents:
        status = traffic.once()
        if status != 200:
            raise AgentError(f"the call was answered {status}")


def free_port() -> int:
    """A port that is free for UDP and TCP: the demo must not mind another proxy on 5060."""
    for _ in range(50):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            port = int(udp.getsockname()[1])
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise KsrShellError("no port is free for UDP and TCP on 127.0.0.1")


def _show(proxy: ChildProxy) -> int:
    """Without a terminal: what the newcomer would have seen first."""
    from ..session import connect

    with connect(str(proxy.control)) as session:
        invites = session.msgs.where('method == "INVITE" and is_request and not out')
        click.echo(f"{len(session.msgs)} messages captured; a call through {SCRIPT.name}:\n")
        click.echo(str(session.flow(invites[-1])))
    return 0
